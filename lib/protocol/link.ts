/**
 * Link: an established connection that carries messages both ways (protocol §6).
 *
 * Promises:
 *  1. send() never waits: a slow peer cannot hold up a room.
 *  2. Messages leave in the order they were sent, as many to a record as are waiting, one write a record.
 *  3. Over `queueMaxBytes` waiting, or waiting for `queueMaxMs`, the link ends with reason 8.
 *  4. Any bad tag, length or inner framing ends the link at once and says nothing.
 *  5. A peer that is silent for `silentMs` is dropped.
 */

import type { Clock } from "../clock.ts";
import type { Bytes } from "../crypto/bytes.ts";
import { type ByteConn, closeQuietly, writeAll } from "./conn.ts";
import { type FrameReader, trafficRecord } from "./frames.ts";
import type { Established } from "./handshake.ts";
import { closeReasons, decodeMessages, encodeMessage, type LinkMessage } from "./messages.ts";
import { recordMaxBytes } from "./records.ts";

/** Most bytes that may wait for one peer. */
export const queueMaxBytes = 4 * 1024 * 1024;
/** Longest time that bytes may wait for one peer. */
export const queueMaxMs = 30_000;
/** After this much silence the client sends a PING. */
export const pingAfterMs = 30_000;
/** After receiving nothing for so long a side drops the link. */
export const silentMs = 90_000;
/** How long a goodbye may take to leave. */
const goodbyeMs = 2_000;

/** Why a link is over. */
export type LinkEnd =
  | { readonly how: "peer closed"; readonly reason: number }
  | { readonly how: "closed"; readonly reason: number }
  | { readonly how: "cut" }
  | { readonly how: "silent" }
  | { readonly how: "fault" };

/** A live link; `run` must be called once. */
export class Link {
  #waiting: Bytes[] = [];
  #waitingBytes = 0;
  #waitingSince = 0;
  #writing = false;
  #scheduled = false;
  #lastReceived: number;
  #lastSent: number;
  #lastPing = -Infinity;
  #end: LinkEnd | null = null;
  #closing = false;
  #reading = false;
  #written: (() => void)[] = [];

  /** Called when everything waiting has been written: the place to hand over more of a backlog. */
  onDrain: () => void = () => {};

  /**
   * Makes one of an established connection.
   *
   * @param side which side we are: directions are checked by it, and only the client pings
   */
  constructor(
    private readonly conn: ByteConn,
    private readonly reader: FrameReader,
    private readonly established: Established,
    private readonly side: "client" | "server",
    private readonly clock: Clock,
  ) {
    this.#lastReceived = this.#lastSent = clock.now();
  }

  /** Bytes that wait to be written. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Whether nothing more can be sent. */
  get isOver(): boolean {
    return this.#end !== null || this.#closing;
  }

  /** Sends one message. */
  send(message: LinkMessage): void {
    this.sendEncoded(encodeMessage(message));
  }

  /** Sends one message that is encoded already: a broadcast is encoded once for all links. */
  sendEncoded(message: Bytes): void {
    if (this.isOver) return;
    if (this.#waiting.length === 0) this.#waitingSince = this.clock.now();
    this.#waiting.push(message);
    this.#waitingBytes += message.length;
    if (this.#waitingBytes > queueMaxBytes) return this.close(closeReasons.tooSlow);
    this.#schedule();
  }

  /** Ends the link: what waits is written first, but not for a peer that is too slow. */
  close(reason: number): void {
    if (this.isOver) return;
    if (reason === closeReasons.tooSlow) {
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    this.sendEncoded(encodeMessage({ type: "CLOSE", reason }));
    this.#closing = true;
    const cancel = this.clock.after(goodbyeMs, () => this.#finish({ how: "closed", reason }));
    this.#written.push(() => {
      cancel();
      this.#finish({ how: "closed", reason });
    });
    this.#schedule();
  }

  /** Ends the link at once, saying nothing. */
  drop(end: LinkEnd = { how: "fault" }): void {
    this.#finish(end);
  }

  /** Asks the peer for a sign of life. @returns whether it gave one within `withinMs` */
  answers(withinMs: number): Promise<boolean> {
    if (this.isOver) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const any = ++this.#lastProbe;
    const end = (isAlive: boolean) => {
      cancel();
      this.#probes.delete(any);
      resolve(isAlive);
    };
    const cancel = this.clock.after(withinMs, () => end(false));
    this.#probes.set(any, end);
    this.send({ type: "PING", any });
    return promise;
  }
  #lastProbe = 0;
  #probes = new Map<number, (isAlive: boolean) => void>();

  /** To be called about once a second: pings, and notices silence and slowness. */
  tick(): void {
    if (this.isOver) return;
    const now = this.clock.now();
    // A clock that was set back must not make a link look fresh for ever.
    this.#lastReceived = Math.min(this.#lastReceived, now);
    this.#lastSent = Math.min(this.#lastSent, now);
    this.#lastPing = Math.min(this.#lastPing, now);
    this.#waitingSince = Math.min(this.#waitingSince, now);
    if (now - this.#lastReceived >= silentMs) return this.#finish({ how: "silent" });
    if (this.#waiting.length > 0 && now - this.#waitingSince >= queueMaxMs) {
      return this.close(closeReasons.tooSlow);
    }
    // Sent or received nothing: a client that only listens must be heard of as well.
    const quietSince = Math.min(this.#lastSent, this.#lastReceived);
    if (this.side === "client" && now - Math.max(quietSince, this.#lastPing) >= pingAfterMs) {
      this.#lastPing = now;
      this.send({ type: "PING", any: 0 });
    }
  }

  /**
   * Reads until the link is over.
   *
   * @param handle is given the messages of one record, PING, PONG and CLOSE excepted; when it throws, the
   * link ends as for a hostile record
   */
  async run(handle: (messages: LinkMessage[]) => void): Promise<LinkEnd> {
    if (this.#reading) throw new Error("a link is run once");
    this.#reading = true;
    try {
      while (this.#end === null) {
        const frame = await this.reader.next(trafficRecord);
        if (frame === null) {
          this.#finish({ how: "cut" });
          break;
        }
        const messages = this.#receive(frame);
        if (this.#end !== null) break;
        if (messages.length > 0 && !this.#closing) handle(messages);
      }
    } catch (error) {
      this.#finish(isConnectionError(error) ? { how: "cut" } : { how: "fault" });
      if (!(error instanceof Error)) throw error;
      if (this.#end!.how === "fault") this.fault = error;
    }
    return this.#end!;
  }

  /** What ended the link, when it was a fault: for the log's error class and for bugs of ours. */
  fault: Error | null = null;

  #receive(frame: Bytes): LinkMessage[] {
    this.#lastReceived = this.clock.now();
    const peer = this.side === "client" ? "server" : "client";
    const messages = decodeMessages(this.established.opener.open(frame), peer);
    const forUs: LinkMessage[] = [];
    for (const message of messages) {
      if (message.type === "PING") this.send({ type: "PONG", any: message.any });
      else if (message.type === "CLOSE") {
        this.#pendingClose = message.reason;
        break;
      } else if (message.type === "PONG") this.#probes.get(message.any)?.(true);
      else forUs.push(message);
    }
    if (this.#pendingClose !== null) {
      const reason = this.#pendingClose;
      if (forUs.length === 0) this.#finish({ how: "peer closed", reason });
      else queueMicrotask(() => this.#finish({ how: "peer closed", reason }));
    }
    return forUs;
  }
  #pendingClose: number | null = null;

  #schedule(): void {
    if (this.#writing || this.#scheduled) return;
    this.#scheduled = true;
    // A turn later, so that all that one event sends shares a record.
    queueMicrotask(() => {
      this.#scheduled = false;
      void this.#write();
    });
  }

  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    try {
      while (this.#waiting.length > 0 && this.#end === null) {
        const record = this.established.sealer.seal(this.#takeRecord());
        await writeAll(this.conn, record);
        this.#lastSent = this.clock.now();
        this.#waitingSince = this.#lastSent;
        if (this.#waiting.length === 0 && !this.#closing) this.onDrain();
      }
    } catch {
      this.#finish({ how: "cut" });
    } finally {
      this.#writing = false;
    }
    for (const done of this.#written.splice(0)) done();
  }

  /** As many whole messages as fit into one record. */
  #takeRecord(): Bytes {
    let length = 0, count = 0;
    while (count < this.#waiting.length && length + this.#waiting[count].length <= recordMaxBytes) {
      length += this.#waiting[count++].length;
    }
    if (count === 0) throw new Error("a message is larger than a record");
    const taken = this.#waiting.splice(0, count);
    this.#waitingBytes -= length;
    if (count === 1) return taken[0];
    const plaintext = new Uint8Array(length);
    let at = 0;
    for (const message of taken) {
      plaintext.set(message, at);
      at += message.length;
    }
    return plaintext;
  }

  #finish(end: LinkEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    for (const probed of [...this.#probes.values()]) probed(false);
    this.#waiting = [];
    this.#waitingBytes = 0;
    closeQuietly(this.conn);
  }
}

function isConnectionError(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.TimedOut ||
    error instanceof Deno.errors.UnexpectedEof ||
    (error instanceof Error && "code" in error && typeof error.code === "string");
}

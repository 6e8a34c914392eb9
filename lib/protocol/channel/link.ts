/**
 * Link: an established connection that carries messages both ways (protocol §6).
 *
 * Promises:
 *  1. send() never waits: a slow peer cannot hold up a room.
 *  2. Messages and frames leave in the order they were sent, as many to a record as are waiting, one write for all that
 *     waits.
 *  3. Over `maxQueueBytes` waiting, or waiting for `maxQueueMs`, the link ends with reason 8.
 *  4. Any bad tag, length or inner framing ends the link at once and says nothing.
 *  5. A peer that is silent for `silentMs` is dropped.
 */

import type { Clock } from "../../clock.ts";
import { type Bytes, concat, release } from "../../crypto/bytes.ts";
import { Malformed } from "../../errors.ts";
import { tagBytes } from "../../crypto/seal.ts";
import { type ByteConn, closeQuietly } from "./conn.ts";
import {
  carriedHeadBytes,
  type FrameReader,
  fromClient,
  fromServer,
  isCarried,
  isTransit,
} from "./frames.ts";
import type { Established } from "./handshake.ts";
import { carry } from "./carried.ts";
import {
  carriedTypes,
  closeReasons,
  decodeMessages,
  encodeMessage,
  type LinkMessage,
  typeOf,
} from "./link_messages.ts";
import { maxRecordBytes, recordOverheadBytes } from "./records.ts";
import type { WriteScheduler } from "./write_scheduler.ts";
import { type TransitFrame, TransitOpener } from "./transit.ts";

/** How much may wait for one peer, and for how long. */
export interface QueueLimits {
  /** Bytes. */
  readonly maxBytes: number;
  /** Milliseconds. */
  readonly maxMs: number;
}

/** 4 MiB, 30 s (protocol §6). */
export const defaultQueue: QueueLimits = { maxBytes: 4 * 1024 * 1024, maxMs: 30_000 };
/** Most PINGs in one record. */
const mostPings = 16;
/** After this much silence the client sends a PING. */
export const pingAfterMs = 30_000;
/** After receiving nothing for so long a side drops the link. */
export const silentMs = 90_000;
/** The same two, where the client has another server to go to. */
const hurriedPingMs = 5_000, hurriedSilentMs = 12_000;
/** How long a goodbye may take to leave. */
const goodbyeMs = 2_000;
/** After so many ticks without a word a link lets go of the memory it can do without. */
const restAfterTicks = 4;
/** About as much goes into one write, so that a long queue does not become one long copy. */
const writeBytes = 65_536;

const nothing: Bytes = new Uint8Array(0);
const keptLeastBytes = 768;
const maxKeptBytes = 32 * 1024;

/** Told of what passes over a link. @param bytes of a message that is sent, or of a whole record that is received */
export type FrameWatcher = (direction: "in" | "out", types: readonly string[], bytes: number) => void;

/** What a record has cost to take in. */
export interface RecordSize {
  /** On the wire. */
  readonly bytes: number;
  /** It was a carried frame: nothing was decrypted. */
  readonly isCarried?: boolean;
  /** PINGs in it, which the link has answered by itself. */
  readonly answered: number;
}

/** Why a link is over. */
export type LinkEnd =
  | { readonly how: "peer closed"; readonly reason: number }
  | { readonly how: "closed"; readonly reason: number }
  | { readonly how: "cut" }
  | { readonly how: "silent" }
  | { readonly how: "fault" };

/** A live link; `run` must be called once. */
export class Link {
  #waiting: (Bytes | TransitFrame)[] = [];
  #waitingBytes = 0;
  #waitingSince = 0;
  #writing = false;
  #scheduled = false;
  #lastReceived: number;
  #lastSent: number;
  #lastPing = -Infinity;
  #end: LinkEnd | null = null;
  #closing = false;
  #idleTicks = 0;
  #written: (() => void)[] = [];
  #transit: TransitOpener | null = null;

  /** Told of each message that is sent, and of each record or frame that is received: types and sizes, no content. */
  onFrame: FrameWatcher | null = null;
  /** The client has another server to go to: silence is noticed sooner. */
  isHurried = false;

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
    private readonly queue: QueueLimits = defaultQueue,
    private readonly writes: Pick<WriteScheduler, "add"> = { add: queueMicrotask },
  ) {
    this.#lastReceived = this.#lastSent = clock.now();
  }

  /** Bytes that have come, as they were on the wire. */
  received = 0;
  /** Bytes that have gone. */
  sent = 0;

  /** How it ended; null while it has not. */
  get end(): LinkEnd | null {
    return this.#end;
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
    if (!carriedTypes.has(message.type)) return this.sendEncoded(encodeMessage(message));
    const frame = carry(message);
    this.onFrame?.("out", [message.type], frame.shared.length);
    this.#enqueue(frame, frame.shared.length);
  }

  /** Sends one message that is encoded already: a broadcast is encoded once for all links. */
  sendEncoded(message: Bytes): void {
    this.onFrame?.("out", [typeOf(message)], message.length);
    this.#enqueue(message, message.length);
  }

  /** Sends a transit frame of a key that this link was given. */
  sendTransit(frame: TransitFrame): void {
    this.#enqueue(frame, frame.shared.length);
  }

  /** Memory for the next write: that of the last one, as nothing else is in flight. */
  #memory(length: number): Bytes {
    if (length > maxKeptBytes) return new Uint8Array(length);
    if (this.#kept.length < length) this.#kept = new Uint8Array(Math.max(length, keptLeastBytes));
    return this.#kept.length === length ? this.#kept : this.#kept.subarray(0, length);
  }
  #kept: Bytes = nothing;

  /** The same for a chunk: who moves files writes one after the other. */
  #memoryOfChunk(length: number): Bytes {
    if (this.#keptChunk.length < length) this.#keptChunk = new Uint8Array(length);
    return this.#keptChunk.subarray(0, length);
  }
  #keptChunk: Bytes = nothing;

  #enqueue(item: Bytes | TransitFrame, bytes: number): void {
    if (this.#end !== null || this.#closing) return;
    if (this.#waiting.length === 0) this.#waitingSince = this.clock.now();
    this.#waiting.push(item);
    this.#waitingBytes += bytes;
    if (this.#waitingBytes > this.queue.maxBytes) return this.close(closeReasons.tooSlow);
    if (this.#writing || this.#scheduled) return;
    // Deferred, so that everything sent during one event goes out in one write.
    this.#scheduled = true;
    this.writes.add(this.#begin);
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
    if (now - this.#lastReceived >= (this.isHurried ? hurriedSilentMs : silentMs)) {
      return this.#finish({ how: "silent" });
    }
    if (this.#waiting.length > 0 && now - this.#waitingSince >= this.queue.maxMs) {
      return this.close(closeReasons.tooSlow);
    }
    if (!this.#writing && ++this.#idleTicks === restAfterTicks) {
      this.#rest();
    }
    // A client that only listens must still send something now and then.
    const quietSince = Math.min(this.#lastSent, this.#lastReceived);
    if (
      this.side === "client" &&
      now - Math.max(quietSince, this.#lastPing) >= (this.isHurried ? hurriedPingMs : pingAfterMs)
    ) {
      this.#lastPing = now;
      this.send({ type: "PING", any: 0 });
    }
  }

  /**
   * Reads until the link is over.
   *
   * @param handle is given the messages of one record, PING, PONG and CLOSE excepted, and what the record cost; when
   * it throws, the link ends as for a hostile record. Nothing more is read until its promise resolves
   */
  async run(
    handle: (messages: LinkMessage[], record: RecordSize) => Promise<void> | null | void,
  ): Promise<LinkEnd> {
    try {
      while (this.#end === null) {
        const frame = await this.reader.next(this.side === "client" ? fromServer : fromClient);
        if (frame === null) {
          this.#finish({ how: "cut" });
          break;
        }
        const messages = this.#receive(frame);
        if (this.#end !== null) break;
        if (this.#closing) continue;
        const done = handle(messages, {
          bytes: frame.length,
          answered: this.#answered,
          isCarried: isCarried(frame),
        });
        if (done) await done;
        if (isCarried(frame) && frame.length === frame.buffer.byteLength) release(frame); // what was in it was copied
      }
    } catch (error) {
      this.#finish(isConnectionError(error) ? { how: "cut" } : { how: "fault" });
      if (this.#end!.how === "fault") this.fault ??= error as Error;
    }
    return this.#end!;
  }

  /** What ended the link, when it was a fault: for the log's error class and for bugs of ours. */
  fault: Error | null = null;

  #receive(frame: Bytes): LinkMessage[] {
    this.#lastReceived = this.clock.now();
    this.#idleTicks = 0;
    this.received += frame.length;
    if (isTransit(frame)) {
      this.established.opener.checkTransit(frame);
      if (!this.#transit) throw new Malformed("a transit frame came before its key");
      const entries = this.#transit.open(frame);
      this.onFrame?.("in", entries.map(({ type }) => type), frame.length);
      return entries;
    }
    const messages = isCarried(frame) ? this.#openCarried(frame) : this.#openRecord(frame);
    this.onFrame?.("in", messages.map(({ type }) => type), frame.length);
    const forUs: LinkMessage[] = [];
    this.#answered = 0;
    for (const message of messages) {
      if (message.type === "PING") {
        if (++this.#answered > mostPings) throw new Malformed("more PINGs than anybody needs");
        this.send({ type: "PONG", any: message.any });
      } else if (message.type === "CLOSE") {
        this.#pendingClose = message.reason;
        break;
      } else if (message.type === "PONG") this.#probes.get(message.any)?.(true);
      else if (message.type === "TRANSIT") (this.#transit ??= new TransitOpener()).take(message);
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
  #answered = 0;

  #openRecord(record: Bytes): LinkMessage[] {
    const messages = decodeMessages(this.established.opener.open(record), this.#peer);
    if (messages.some(({ type }) => carriedTypes.has(type))) {
      throw new Malformed("a message that is carried came in a record");
    }
    return messages;
  }

  #openCarried(frame: Bytes): LinkMessage[] {
    this.established.opener.checkTransit(frame);
    const messages = decodeMessages(frame.subarray(carriedHeadBytes, frame.length - tagBytes), this.#peer);
    if (messages.length !== 1 || !carriedTypes.has(messages[0].type)) {
      throw new Malformed("a carried frame holds something else than one chunk");
    }
    return messages;
  }

  get #peer(): "client" | "server" {
    return this.side === "client" ? "server" : "client";
  }

  readonly #begin = () => {
    this.#scheduled = false;
    if (this.#writing || this.#end !== null) return;
    this.#writing = true;
    try {
      this.#writeNext();
    } catch (error) {
      this.#fail(error as Error);
    }
  };

  /** What fails in writing is a fault of ours, or of what `onDrain` reads: it ends this link and no other. */
  #fail(error: Error): void {
    this.fault ??= error;
    this.#finish({ how: "fault" });
    this.#writing = false;
    for (const done of this.#written.splice(0)) done();
  }

  #writeNext(): void {
    if (this.#waiting.length > 0 && this.#end === null) return this.#write(this.#takeWire());
    this.#writing = false;
    for (const done of this.#written.splice(0)) done();
  }

  // Hot path, once per member and message: no closure, and the clock is read only when needed.
  #write(wire: Bytes): void {
    this.#wire = wire;
    this.conn.write(wire).then(this.#wrote, this.#cut);
  }
  #wire: Bytes | null = null;

  readonly #wrote = (n: number) => {
    try {
      this.#afterWrite(n);
    } catch (error) {
      this.#fail(error as Error);
    }
  };

  #afterWrite(n: number): void {
    const wire = this.#wire!;
    // One write may take only a part.
    if (n < wire.length) return this.#write(wire.subarray(n));
    this.#wire = null;
    this.sent += wire.length;
    this.#idleTicks = 0;
    if (this.side === "client") this.#lastSent = this.clock.now();
    if (this.#waiting.length > 0) this.#waitingSince = this.clock.now();
    else if (!this.#closing && this.#end === null) this.onDrain();
    this.#writeNext();
  }

  readonly #cut = () => {
    this.#finish({ how: "cut" });
    this.#writing = false;
    for (const done of this.#written.splice(0)) done();
  };

  /** The next records and frames as they stand on the wire, about 64 KiB of them. */
  #takeWire(): Bytes {
    const { sealer } = this.established;
    if (this.#waiting.length === 1) {
      const only = this.#waiting.pop()!;
      this.#waitingBytes = 0;
      const isChunk = !(only instanceof Uint8Array) && isCarried(only.shared);
      const wire = isChunk ? this.#memoryOfChunk(wireLength(only)) : this.#memory(wireLength(only));
      put(sealer, only, wire);
      if (isChunk) release(only.shared);
      return wire;
    }
    const parts: (Bytes | TransitFrame)[] = [];
    let length = 0;
    while (this.#waiting.length > 0 && length < writeBytes) {
      const part = this.#takePart();
      parts.push(part);
      length += wireLength(part);
    }
    const wire = this.#memory(length);
    let at = 0;
    // In the order of the wire: records and frames count together.
    for (const part of parts) {
      const end = at + wireLength(part);
      put(sealer, part, wire.subarray(at, end));
      at = end;
    }
    return wire;
  }

  /** The next frame, or as many whole messages as fit into one record. */
  #takePart(): Bytes | TransitFrame {
    const [first] = this.#waiting;
    if (!(first instanceof Uint8Array)) {
      this.#waiting.shift();
      this.#waitingBytes -= first.shared.length;
      return first;
    }
    const messages: Bytes[] = [];
    let length = 0;
    for (const item of this.#waiting) {
      if (!(item instanceof Uint8Array) || length + item.length > maxRecordBytes) break;
      messages.push(item);
      length += item.length;
    }
    if (messages.length === 0) throw new Error("a message is larger than a record");
    this.#waiting.splice(0, messages.length);
    this.#waitingBytes -= length;
    return messages.length === 1 ? messages[0] : concat(...messages);
  }

  #finish(end: LinkEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    for (const probed of [...this.#probes.values()]) probed(false);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#rest();
    this.#transit?.end();
    closeQuietly(this.conn);
  }

  /** Lets go of what can be made again. */
  #rest(): void {
    this.established.sealer.rest();
    this.established.opener.rest();
    this.#kept = this.#keptChunk = nothing;
  }
}

/** Writes a record or a transit frame. @param into takes {@link wireLength} bytes */
function put(sealer: Established["sealer"], part: Bytes | TransitFrame, into: Uint8Array): void {
  if (part instanceof Uint8Array) sealer.put(part, into);
  else sealer.putTransit(part, into);
}

/** Bytes that a plaintext or a frame takes on the wire. */
function wireLength(part: Bytes | TransitFrame): number {
  return part instanceof Uint8Array ? recordOverheadBytes + part.length : part.shared.length + tagBytes;
}

function isConnectionError(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.TimedOut ||
    error instanceof Deno.errors.UnexpectedEof ||
    (error instanceof Error && "code" in error && typeof error.code === "string");
}

/**
 * Connection: dials, shakes hands, and matches answers with requests.
 *
 * Answers to SEND and COMMIT are not given to who asked but handed on in the order of arrival: they have
 * their place in a room's stream. Everything else resolves the promise of its request.
 */

import { type Clock, seconds, systemClock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError, exitCodes, Malformed } from "../../errors.ts";
import { hostPort } from "../../host_port.ts";
import { KeyRefused } from "../../crypto/key_refused.ts";
import type { Card } from "../../protocol/identity/card.ts";
import { type ByteConn, closeQuietly } from "../../protocol/channel/conn.ts";
import { FrameReader } from "../../protocol/channel/frames.ts";
import { driveHandshake, handshakeDeadlineMs, PeerClosed } from "../../protocol/channel/handshake.ts";
import {
  advanceClient,
  type ClientHandshakeConfig,
  startClient,
} from "../../protocol/channel/handshake_client.ts";
import { type FrameWatcher, Link, type LinkEnd } from "../../protocol/channel/link.ts";
import {
  closeReasons,
  type LinkMessage,
  type MessageOf,
  welcomeFlags,
} from "../../protocol/channel/link_messages.ts";
import { parsePlace, type Place } from "../../protocol/identity/invite.ts";
import { encodeName } from "../../protocol/identity/name.ts";
import type { Dial } from "./dial.ts";
import { retryWhileLimited } from "./retry_while_limited.ts";
import {
  AskedTooLong,
  dialError,
  LinkLost,
  notChat,
  refusedBy,
  RequestRefused,
  timedOut,
  TurnedAwayUnheard,
  Unreachable,
} from "./connection_errors.ts";

const dialDeadlineMs = 10_000;
/** The same, where there are others to go to. */
const hurried = { dialMs: 3_000, handshakeMs: 5_000, answerMs: 10_000 } as const;
const tickMs = 1_000;
const acceptedDeadlineMs = 120_000;

/** Answers of requests that change nothing. */
const isLookup: ReadonlySet<string> = new Set(["CARD", "PREKEY", "ROOM_INFO", "BOX", "CHAIN"]);

type Answer = Extract<LinkMessage, { ref: number }>;
type Pending = { resolve(answer: Answer): void; reject(error: Error): void } | {
  stream: Bytes;
  sinceMs: number;
};

/** What a connection hands on, in the order of arrival. */
export interface Receiver {
  /** WELCOME: comes first, and before anything that follows it is handed on. */
  welcome(message: MessageOf<"WELCOME">): void;
  /** A message nobody asked for, or the answer to a SEND or COMMIT with the room it was for. */
  receive(message: LinkMessage, room: Bytes | null): void;
}

/** What LOGIN or REGISTER says. */
export interface Credentials {
  /** UTF-8 in NFC. */
  readonly password: Bytes;
  /** The registration token, maybe empty; null: a login. */
  readonly token: Bytes | null;
}

/** Open a connection with these. */
export interface ConnectionConfig extends ClientHandshakeConfig {
  /** Host name or address. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
  /** There are other addresses: who does not answer is given up soon. */
  readonly isHurried?: boolean;
  /** The name on our card, for messages. */
  readonly name: string;
  /** How to reach it. */
  readonly dial: Dial;
  /** What to log in with, on a server with accounts. @throws ChatError when there is nothing */
  credentials?(welcome: MessageOf<"WELCOME">): Promise<Credentials>;
  /** Told of each step of the handshake, for a person who watches. */
  onStep?(step: "connected" | "awaiting M2" | "awaiting R1" | "awaiting R4" | "done"): void;
  /** Told of what passes over the link. */
  onFrame?: FrameWatcher;
  /** Told of a fault of this program that has ended the link. */
  onBug?(error: Error): void;
  /** Time. */
  readonly clock: Clock;
}

/** A link with a server that has proved its key; `enter` must follow. */
export class Connection {
  #pending = new Map<number, Pending>();
  #nextRef = 1;
  #welcomed: (() => void) | null = null;
  #login: { welcome: MessageOf<"WELCOME">; ref: number; accepted: () => void } | null = null;
  #receiver: Receiver | null = null;
  #cancelTick: () => void = () => {};
  #clockDifference: number | null = null;
  #over!: () => void;
  #overSignal = new AbortController();
  #commitLock: Promise<void> = Promise.resolve();
  /** Resolves when the link has ended. */
  readonly over: Promise<void> = new Promise((resolve) => this.#over = resolve);

  /** Our clock less the server's, in seconds, at WELCOME; null before. */
  get clockDifference(): number | null {
    return this.#clockDifference;
  }

  /** Where others reach the server, as its operator says; null when he does not. */
  get publicPlace(): Place | null {
    return this.#publicPlace;
  }
  #publicPlace: Place | null = null;

  private constructor(
    private readonly link: Link,
    /** The server's card, checked against the pin. */
    readonly server: Card,
    /** The protocol version in use. */
    readonly version: number,
    private readonly config: ConnectionConfig,
  ) {}

  /**
   * Dials and shakes hands.
   *
   * @throws Unreachable, or what `checkServer` throws
   */
  static async open(config: ConnectionConfig): Promise<Connection> {
    const target = hostPort(config.host, config.port);
    const conn = await dialInTime(config, target);
    config.onStep?.("connected");
    const reader = new FrameReader(conn);
    let step = "awaiting M2";
    let isLate = false;
    const cancel = config.clock.after(config.isHurried ? hurried.handshakeMs : handshakeDeadlineMs, () => {
      isLate = true;
      closeQuietly(conn);
    });
    try {
      const done = await driveHandshake(
        conn,
        reader,
        await startClient(config),
        (state, frame) => advanceClient(state, frame, config),
        (state) => {
          step = state.step;
          config.onStep?.(state.step);
        },
      );
      if (done.step !== "done") throw new Error("the handshake did not end");
      const { established } = done;
      const link = new Link(conn, reader, established, "client", config.clock);
      link.onFrame = config.onFrame ?? null;
      link.isHurried = config.isHurried ?? false;
      return new Connection(link, established.peer, established.version, config);
    } catch (error) {
      if (error instanceof ChatError && !(error instanceof Malformed) && !(error instanceof KeyRefused)) {
        closeQuietly(conn);
        throw error;
      }
      // One failure for all faults: silence until the peer closes or the deadline does.
      await reader.discard().catch(() => {});
      closeQuietly(conn);
      if (step !== "awaiting M2") throw notChat(target, false);
      const isCut = error instanceof PeerClosed || error instanceof Deno.errors.ConnectionReset ||
        error instanceof Deno.errors.BrokenPipe;
      throw isCut && !isLate ? new TurnedAwayUnheard(target) : notChat(target, true);
    } finally {
      cancel();
    }
  }

  /**
   * Sends HELLO, waits for WELCOME, and logs in where that is asked; from then on everything goes to `receiver`.
   *
   * @returns ended: a promise of the link's end
   * @throws Refused with the server's reason; Unreachable; AskedTooLong; what `credentials` throws
   */
  async enter(
    hello: Omit<MessageOf<"HELLO">, "type">,
    receiver: Receiver,
  ): Promise<{ ended: Promise<LinkEnd> }> {
    this.#receiver = receiver;
    const welcomed = new Promise<void>((resolve) => this.#welcomed = resolve);
    this.link.send({ type: "HELLO", ...hello });
    const tick = () => {
      this.link.tick();
      this.#giveUpWhenStuck();
      this.#cancelTick = this.config.clock.after(tickMs, tick);
    };
    this.#cancelTick = this.config.clock.after(tickMs, tick);
    const ended = this.link.run((messages) => messages.forEach((m) => this.#dispatch(m))).then((end) => {
      this.#cancelTick();
      for (const pending of this.#pending.values()) {
        if ("reject" in pending) pending.reject(new LinkLost());
      }
      this.#pending.clear();
      const { fault } = this.link;
      if (fault && !(fault instanceof ChatError)) this.config.onBug?.(fault);
      this.#over();
      this.#overSignal.abort();
      return end;
    });
    // WELCOME is due at once: the handshake has shown that the server lives.
    const welcomeMs = this.config.isHurried ? hurried.handshakeMs : handshakeDeadlineMs;
    const cancel = this.config.clock.after(welcomeMs, () => this.link.drop({ how: "silent" }));
    const first = await Promise.race([welcomed, ended]);
    cancel();
    if (first) throw this.#refusal(first, false);
    if (this.#login) await this.#logIn(this.#login, ended);
    return { ended };
  }

  /** LOGIN or REGISTER, and ACCEPTED (protocol §8.4). */
  async #logIn(
    login: { ref: number; accepted: () => void; welcome: MessageOf<"WELCOME"> },
    ended: Promise<LinkEnd>,
  ) {
    const { config } = this;
    let credentials: Credentials;
    try {
      if (!config.credentials) throw new ChatError("This server wants a password", "", exitCodes.login);
      credentials = await config.credentials(login.welcome);
    } catch (error) {
      this.link.close(closeReasons.bye);
      throw error;
    }
    // The person may have taken longer than the server waits.
    if (this.link.isOver) throw new AskedTooLong();
    const accepted = new Promise<null>((resolve) => login.accepted = () => resolve(null));
    const { password, token } = credentials;
    const name = encodeName(config.name);
    login.ref = this.#ref();
    this.link.send(
      token === null
        ? { type: "LOGIN", ref: login.ref, name, password }
        : { type: "REGISTER", ref: login.ref, name, password, token },
    );
    // Longer than a server waits for its database, even with others queued before us.
    const cancel = config.clock.after(acceptedDeadlineMs, () => this.link.drop({ how: "silent" }));
    const end = await Promise.race([accepted, ended]);
    cancel();
    if (end) throw this.#refusal(end, token !== null);
  }

  #refusal(end: LinkEnd, isRegistering: boolean): ChatError {
    const { host, port, name, token } = this.config;
    if (end.how === "peer closed") {
      return refusedBy(end.reason, { name, hadToken: token.length > 0, isRegistering });
    }
    return this.#login ? new LinkLost() : notChat(hostPort(host, port), false);
  }

  #dispatch(message: LinkMessage): void {
    if (this.#welcomed) {
      if (message.type !== "WELCOME") throw new Malformed("the server spoke before WELCOME");
      this.#clockDifference = seconds(this.config.clock) - message.time;
      this.#publicPlace = parsePlace(message.place);
      if ((message.flags & welcomeFlags.accounts) === 0) this.#receiver!.welcome(message);
      else this.#login = { welcome: message, ref: 0, accepted: () => {} };
      this.#welcomed();
      this.#welcomed = null;
      return;
    }
    if (this.#login) {
      const { welcome, ref, accepted } = this.#login;
      if (message.type !== "ACCEPTED" || message.ref !== ref || ref === 0) {
        throw new Malformed("the server spoke before ACCEPTED");
      }
      this.#login = null;
      this.#receiver!.welcome(welcome);
      return accepted();
    }
    if (message.type === "WELCOME") throw new Malformed("a second WELCOME");
    if (!("ref" in message) || message.ref === 0) return this.#receiver!.receive(message, null);
    const pending = this.#pending.get(message.ref);
    if (!pending) throw new Malformed("an answer to nothing");
    this.#pending.delete(message.ref);
    if ("stream" in pending) return this.#receiver!.receive(message, pending.stream);
    if (message.type === "ERROR") pending.reject(new RequestRefused(message.code));
    else pending.resolve(message);
  }

  #ref(): number {
    while (this.#pending.has(this.#nextRef) || this.#nextRef === 0) this.#nextRef = (this.#nextRef + 1) >>> 0;
    const ref = this.#nextRef;
    this.#nextRef = (this.#nextRef + 1) >>> 0;
    return ref;
  }

  /**
   * Sends a request and waits for its answer. What only looks something up is asked again while the server answers
   * LIMIT: it has too much to do for us, and will have less.
   *
   * @param expected the type that the answer must have
   * @throws RequestRefused, LinkLost
   */
  request<T extends Answer["type"]>(build: (ref: number) => LinkMessage, expected: T): Promise<MessageOf<T>> {
    if (!isLookup.has(expected)) return this.#requestOnce(build, expected);
    return retryWhileLimited(
      { clock: this.config.clock, signal: this.#overSignal.signal },
      () => this.#requestOnce(build, expected),
    );
  }

  #requestOnce<T extends Answer["type"]>(
    build: (ref: number) => LinkMessage,
    expected: T,
  ): Promise<MessageOf<T>> {
    if (this.link.isOver) return Promise.reject(new LinkLost());
    const ref = this.#ref();
    return new Promise((resolve, reject) => {
      this.#pending.set(ref, {
        resolve: (answer) => {
          if (answer.type === expected) return resolve(answer as MessageOf<T>);
          reject(new LinkLost());
          this.link.drop();
        },
        reject,
      });
      this.link.send(build(ref));
    });
  }

  /** Sends a SEND or COMMIT whose answer comes in the room's stream. @returns its ref */
  sendInStream(room: Bytes, build: (ref: number) => LinkMessage): number {
    const ref = this.#ref();
    if (this.link.isOver) return ref;
    this.#pending.set(ref, { stream: room, sinceMs: this.config.clock.now() });
    this.link.send(build(ref));
    return ref;
  }

  /** What was said is not taken: the server may be cut off from those that share its rooms, and another one is not. */
  #giveUpWhenStuck(): void {
    if (!this.config.isHurried) return;
    const since = this.config.clock.now() - hurried.answerMs;
    for (const pending of this.#pending.values()) {
      if ("stream" in pending && pending.sinceMs < since) return this.link.drop({ how: "silent" });
    }
  }

  /**
   * Waits until no other room is committing over this link: the server holds boxes for the link's next COMMIT,
   * so only one room may use the link from its first BOX_PUT to the answer to its COMMIT.
   *
   * @returns releases the lock; a second call does nothing
   * @throws LinkLost
   */
  async takeCommitLock(): Promise<() => void> {
    const before = this.#commitLock;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#commitLock = promise;
    await Promise.race([before, this.over]);
    if (!this.isOver) return resolve;
    resolve();
    throw new LinkLost();
  }

  /** Sends what needs no answer. */
  send(message: LinkMessage): void {
    this.link.send(message);
  }

  /** Says goodbye, once what waits is written. */
  close(reason: number): void {
    this.link.close(reason);
  }

  /** Whether nothing more can be sent. */
  get isOver(): boolean {
    return this.link.isOver;
  }

  /** Ends it at once, for another one, through no fault of the server. */
  renew(): void {
    this.link.drop({ how: "closed", reason: closeReasons.renewal });
  }

  /** Ends it at once: the server broke the protocol. */
  drop(): void {
    this.link.drop();
  }
}

async function dialInTime(
  { host, port, dial, isHurried, clock = systemClock }: ConnectionConfig,
  target: string,
): Promise<ByteConn> {
  let late = false;
  const dialled = dial(host, port).then((conn) => {
    if (late) closeQuietly(conn);
    return conn;
  });
  let cancel = () => {};
  const deadline = new Promise<never>((_, reject) => {
    cancel = clock.after(isHurried ? hurried.dialMs : dialDeadlineMs, () => {
      late = true;
      reject(timedOut(target));
    });
  });
  try {
    return await Promise.race([dialled, deadline]);
  } catch (error) {
    dialled.catch(() => {});
    throw error instanceof Unreachable ? error : dialError(target, host, error);
  } finally {
    cancel();
  }
}

/**
 * Server: puts the parts together and takes them apart again.
 *
 * Draining: accepting stops, what is staged is flushed, every client is told, and after at
 * most five seconds everything is closed.
 */

import { type Clock, sleep } from "../clock.ts";
import type { Bytes } from "../crypto/bytes.ts";
import type { Identity } from "../crypto/identity.ts";
import { oaepDecrypt } from "../crypto/oaep.ts";
import type { RandomSource } from "../crypto/random.ts";
import type { FrameWatcher, Link } from "../protocol/channel/link.ts";
import { WriteScheduler } from "../protocol/channel/write_scheduler.ts";
import { closeReasons } from "../protocol/channel/link_messages.ts";
import type { Accounts } from "./accounts/accounts.ts";
import type { Answering } from "./rooms/answering.ts";
import { siteOf } from "../protocol/group/site.ts";
import { type ServerEvents, tellAll } from "./events.ts";
import { Tally } from "./tally.ts";
import { ConnectionLimiter } from "./gate/connection_limiter.ts";
import type { Limits } from "./limits.ts";
import { acceptConnections, type Acceptor } from "./gate/listener.ts";
import type { Retention } from "./rooms/retention.ts";
import { Rooms } from "./rooms/rooms.ts";
import { RsaQueue } from "./work_queue.ts";
import { SignIn } from "./gate/sign_in.ts";
import { runSession, type SessionContext } from "./gate/session.ts";
import type { Journal } from "./store/journal.ts";
import { LocalJournal } from "./store/local_journal.ts";
import type { BlobBytes } from "./blobs/blob_bytes.ts";
import type { Store } from "./store/store.ts";
import type { OtherLink, Others, OthersHost, OwnLink } from "./others.ts";
import type { Peer } from "./rooms/peer.ts";
import { KeyFileLog } from "./rooms/key_file_log.ts";

const drainMs = 4_000;
const tickMs = 1_000;
/** How long a link has to show that it is alive. */
const aliveMs = 3_000;

/** What a server is made of. */
export interface ServerParts {
  /** Its keys. */
  readonly identity: Identity;
  /** Its card, role 2. */
  readonly card: Bytes;
  /** What it keeps. */
  readonly store: Store;
  /** What orders its changes; its own by default. */
  readonly journal?: Journal;
  /** Servers that share its rooms; none by default. */
  readonly others?: Others;
  /** Rates and counts. */
  readonly limits: Limits;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** What the operator sees. */
  readonly events: ServerEvents;
  /** Everybody who joins must know it, when set. */
  readonly accessToken?: Bytes | null;
  /** Who may enter, when people must log in; closed when the server stops. */
  readonly accounts?: Accounts | null;
  /** Addresses, as limits count them, of proxies: behind one are many people. */
  readonly proxies?: ReadonlySet<string>;
  /** Members see each sender's address. */
  readonly showAddresses?: boolean;
  /** Where others reach it, as an invite begins: `chat://HOST:PORT`. */
  readonly place?: string;
  /** How long sealed messages and files wait. */
  readonly retention?: Retention;
  /** Where chunks of files are kept; without it there are no files. */
  readonly blobBytes?: BlobBytes | null;
  /** Holds a room key file and answers (protocol §8.5). */
  readonly answering?: Answering | null;
  /** Told of what passes over each link, by its name in logs: for debugging. */
  readonly watchLink?: (session: string) => FrameWatcher;
  /** Runs something in a later turn of the event loop: when staged writes are flushed. */
  readonly defer: (act: () => void) => void;
  /** The same, past all that waits at the sockets: for long jobs and for links that ask for much; `defer` by default. */
  readonly deferPastIo?: (act: () => void) => void;
}

/** A running server. */
export class ChatServer implements OthersHost {
  /** Rooms and peers, for the console. */
  readonly rooms: Rooms;
  /** When it was started, milliseconds since 1970. */
  readonly startedMs: number;
  /** Logins, when there are accounts. */
  readonly signIn: SignIn | null;
  /** What has happened so far, in numbers. */
  readonly tally: Tally = new Tally();
  /** RSA decryptions done so far: the one costly thing a stranger can ask for. */
  decryptions = 0;
  #links = new Set<Link>();
  #connectionLimiter: ConnectionLimiter;
  #rsa: RsaQueue;
  #stopping = new AbortController();
  #sessions = new Set<Promise<void>>();
  #listener: Acceptor | null = null;
  #accepting: Promise<void> = Promise.resolve();
  #context: SessionContext;
  #cancelTick: () => void;
  #events: ServerEvents;

  /** Nobody comes in before {@link accept}. */
  constructor(private readonly parts: ServerParts) {
    const { clock, limits, identity } = parts;
    const events = this.#events = tellAll(this.tally, parts.events);
    this.startedMs = clock.now();
    this.rooms = new Rooms({
      ...parts,
      journal: parts.journal ?? new LocalJournal(parts.store, clock, events, parts.defer),
      site: siteOf(identity.id, parts.store.runId),
      signing: identity.signing,
      events,
    });
    parts.answering?.begin(this.rooms);
    this.rooms.others.begin(this);
    this.signIn = parts.accounts ? new SignIn(parts.accounts, clock, events, parts.others) : null;
    const connectionLimiter = this.#connectionLimiter = new ConnectionLimiter(limits, clock, parts.proxies);
    const rsa = this.#rsa = new RsaQueue(limits.rsaAtOnce, limits.rsaQueued);
    this.#context = {
      rooms: this.rooms,
      stopping: this.#stopping.signal,
      connectionLimiter,
      accessToken: parts.accessToken ?? null,
      signIn: this.signIn,
      writes: new WriteScheduler(parts.defer),
      defer: parts.deferPastIo ?? parts.defer,
      links: this.#links,
      watchLink: parts.watchLink,
      handshake: {
        identity,
        card: parts.card,
        random: parts.random,
        puzzleBits: () => rsa.puzzleBits(connectionLimiter.fill),
        decrypt: (label, ciphertext) =>
          rsa.run(() => {
            this.decryptions++;
            return oaepDecrypt(identity.rsa, label, ciphertext);
          }),
      },
    };
    const tick = () => {
      for (const link of this.#links) link.tick();
      this.#cancelTick = clock.after(tickMs, tick);
    };
    this.#cancelTick = clock.after(tickMs, tick);
  }

  // ---- for the others that share its rooms

  *ownLinks(): Iterable<OwnLink> {
    for (const peer of this.rooms.peers.values()) yield ownLinkOf(peer);
  }
  ownLink(key: string): OwnLink | undefined {
    const peer = this.rooms.peers.get(key);
    return peer && ownLinkOf(peer);
  }
  get messages(): number {
    return this.tally.messages;
  }
  changedElsewhere(id: Bytes, before: OtherLink | undefined, now: OtherLink | undefined): void {
    this.rooms.changedElsewhere(id, before, now);
  }
  putOut(by: "identity" | "account", what: string): void {
    if (by === "account") this.signIn?.putOut(what);
    else this.rooms.peers.get(what)?.link.close(closeReasons.putOut);
  }
  async answers(key: string): Promise<boolean> {
    return await this.rooms.peers.get(key)?.link.answers(aliveMs) ?? false;
  }

  /** Takes people in from now on. @param listener where connections come from; already listening */
  accept(listener: Acceptor): void {
    this.#listener = listener;
    this.#accepting = acceptConnections(
      listener,
      this.#connectionLimiter,
      this.#events,
      this.parts.clock,
      this.#stopping.signal,
      (conn, ends) => {
        const session = runSession(conn, ends, this.#context).finally(() => this.#sessions.delete(session));
        this.#sessions.add(session);
        return session;
      },
    );
  }

  /** Whether an address, as limits count it, is a proxy's. */
  get proxies(): readonly string[] {
    return [...this.parts.proxies ?? []];
  }
  /** How many are linked. */
  get linked(): number {
    return this.rooms.peers.size;
  }

  /** Links that are alive, whether let in or not. */
  get linkCount(): number {
    return this.#links.size;
  }

  /** Connections that have not proved who they are. */
  get pending(): number {
    return this.#connectionLimiter.pendingTotal;
  }

  /** RSA decryptions that wait. */
  get rsaWaiting(): number {
    return this.#rsa.waiting;
  }

  /** Bytes that wait for peers to read: of all, and of the slowest. */
  queues(): { sum: number; most: number } {
    let sum = 0, most = 0;
    for (const { waitingBytes } of this.#links) {
      sum += waitingBytes;
      most = Math.max(most, waitingBytes);
    }
    return { sum, most };
  }

  /** Bytes on all links since the start. */
  traffic(): { received: number; sent: number } {
    let { received, sent } = this.tally;
    for (const link of this.#links) {
      received += link.received;
      sent += link.sent;
    }
    return { received, sent };
  }

  /** Why it cannot serve as it should; null when it can. */
  trouble(): string | null {
    if (this.#stopping.signal.aborted) return "stopping";
    if (this.rooms.isLogAway) return "the log cannot be reached";
    return this.rooms.isStoreFailing ? "the disk refuses what is written" : null;
  }

  /** Shows everybody the operator's words. */
  notice(text: string): void {
    for (const peer of this.rooms.peers.values()) peer.send({ type: "NOTICE", text });
  }

  /** Drains and stops; 5 s at most. @throws StoreFailed when the last flush fails */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#cancelTick();
    this.#listener?.close();
    await this.rooms.barrier();
    for (const link of this.#links) link.close(closeReasons.shutdown);
    const patience = new AbortController();
    const all = Promise.all([this.#accepting, ...this.#sessionsOfLinks()]).then(() => patience.abort());
    await Promise.race([all, sleep(this.parts.clock, drainMs, patience.signal)]);
    for (const link of [...this.#links]) link.drop();
    try {
      await this.rooms.stop();
    } finally {
      await this.parts.accounts?.close();
      this.parts.store.close();
    }
  }

  /** Sessions that have no link yet are silent until their deadline; nobody waits for those. */
  #sessionsOfLinks(): Promise<unknown>[] {
    return this.#links.size === 0 ? [] : [waitUntilEmpty(this.#links, this.parts.clock)];
  }
}

function ownLinkOf({ card: { id }, address, claim, subscriptions }: Peer): OwnLink {
  const rooms = [...subscriptions].filter(([, { room }]) => room instanceof KeyFileLog).map(([key]) => key);
  return { id, address, claim, rooms };
}

async function waitUntilEmpty(links: Set<Link>, clock: Clock): Promise<void> {
  while (links.size > 0) await sleep(clock, 10);
}

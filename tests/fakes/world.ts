/**
 * A world on loopback: a real server on a real port with a real store, and clients as the real Chat with a
 * scripted view. Only the keys are recorded, since making them would take minutes.
 */

import { assert } from "@std/assert";
import { test } from "./test.ts";
import { setImmediate } from "node:timers";
import { join } from "@std/path";
import type { BlobBytes } from "../../lib/server/blobs/blob_bytes.ts";
import { DiskBlobs } from "../../lib/server/blobs/disk_blobs.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { Chat } from "../../lib/client/chat.ts";
import type { Seat } from "../../lib/client/seat.ts";
import type { ChatOptions } from "../../lib/client/chat_options.ts";
import { type EntryOptions, takeLines } from "../../lib/client/commands/line_entry.ts";
import { type Dial, dialTcp } from "../../lib/client/connection/dial.ts";
import { MemberRoom } from "../../lib/client/rooms/member_room.ts";
import type { RoomState } from "../../lib/client/rooms/room_state.ts";
import type { RoomHead } from "../../lib/protocol/group/commit_rules.ts";
import { openProfile, type Profile } from "../../lib/client/profile/profile.ts";
import { defaultLimits, type Limits } from "../../lib/server/limits.ts";
import { ChatServer } from "../../lib/server/server.ts";
import type { Accounts } from "../../lib/server/accounts/accounts.ts";
import type { Answering } from "../../lib/server/rooms/answering.ts";
import type { Retention } from "../../lib/server/rooms/retention.ts";
import { type ServerEvents, tellAll } from "../../lib/server/events.ts";
import { Status } from "../../lib/server/operator/status.ts";
import { type ByteConn, closeQuietly } from "../../lib/protocol/channel/conn.ts";
import { MemoryStore } from "../../lib/server/store/memory.ts";
import { SqliteStore } from "../../lib/server/store/sqlite.ts";
import type { Others } from "../../lib/server/others.ts";
import type { Journal } from "../../lib/server/store/journal.ts";
import type { Store } from "../../lib/server/store/store.ts";
import { exists, makePrivateDir, writeAtomically } from "../../lib/storage/private_file.ts";
import { makeCard, roles } from "../../lib/protocol/identity/card.ts";
import { JumpingClock } from "./jumping_clock.ts";
import { person } from "./people.ts";
import { listenOnOwnPort } from "./ports.ts";
import { runOf } from "./site.ts";
import { ScriptedView } from "./scripted_view.ts";

export interface ServerOptions {
  limits?: Partial<Limits>;
  store?: Store;
  port?: number;
  accessToken?: Uint8Array<ArrayBuffer> | null;
  /** Whose keys it has; those of the recorded server by default. */
  identity?: string;
  clock?: Clock;
  /** Where its files are made. */
  dir?: string;
  showAddresses?: boolean;
  proxies?: ReadonlySet<string>;
  place?: string;
  retention?: Retention;
  blobBytes?: BlobBytes;
  answering?: Answering | null;
  accounts?: Accounts | null;
  /** Runs something in a later turn of the event loop: when staged writes are flushed. */
  defer?: (act: () => void) => void;
  /** Told of what happens, beside the log. */
  events?: ServerEvents;
  /** What orders its changes, if not its own journal, and the view that belongs to it. */
  cluster?: (
    world: World,
    defer: (act: () => void) => void,
  ) => Promise<{ view: Store; journal: Journal; others: Others; blobs: BlobBytes }>;
}

export type JoinOptions = ChatOptions & EntryOptions;

export interface Client {
  readonly chat: Seat;
  readonly view: ScriptedView;
  readonly profile: Profile;
  /** Resolves with the exit code, or the error that ended it. */
  readonly done: Promise<number | Error>;
  /** Cuts its connection. */
  cut(): void;
}

export class World {
  server!: ChatServer;
  port = 0;
  /** The clock of whoever joins next, if it is not the server's. */
  clientClock: Clock | null = null;
  /** How clients reach a host: tests of names that are not loopback lead them here all the same. */
  dial: Dial = dialTcp;
  /** Ports of all servers that share the rooms; people begin at one after the other. */
  spread: readonly number[] = [];
  #spreadOver = 0;
  readonly log: string[] = [];
  readonly dir: string;
  /** Whose recorded keys somebody has; by default those of that name. */
  readonly keysOf = new Map<string, string>();
  #clients: Client[] = [];
  #conns = new Set<Deno.TcpConn>();
  #options: ServerOptions = {};
  #stores = 0;

  /** Somebody of another world comes here, with her profile there. */
  async elsewhereWith(from: World, name: string): Promise<Client> {
    return await from.enter(name, { port: this.port });
  }

  /** Another machine, whose people join the same server; close it before. */
  elsewhere(): World {
    const other = new World();
    other.server = this.server;
    other.port = this.port;
    return other;
  }

  private constructor(dir?: string) {
    this.dir = Deno.makeTempDirSync({ prefix: "chat-test-", dir });
  }

  static async open(options: ServerOptions = {}): Promise<World> {
    const world = new World(options.dir);
    world.#options = options;
    await world.startServer();
    return world;
  }

  /** The server's time, in milliseconds since 1970. */
  clockNow(): number {
    return (this.#options.clock ?? systemClock).now();
  }

  get storePath(): string {
    return join(this.dir, "rooms.db");
  }

  async startServer(options: ServerOptions = this.#options): Promise<void> {
    const { identity } = await person(options.identity ?? "server");
    const card = { bytes: makeCard(identity, roles.server, "server", 1_700_000_000) };
    const port = this.port || options.port;
    const listener = port ? Deno.listen({ hostname: "127.0.0.1", port }) : listenOnOwnPort();
    this.port = (listener.addr as Deno.NetAddr).port;
    this.#conns.clear();
    const accept = listener.accept.bind(listener);
    listener.accept = async () => {
      const conn = await accept();
      this.#conns.add(conn);
      return conn;
    };
    const defer = options.defer ?? ((act) => void setImmediate(act));
    const shared = await options.cluster?.(this, defer);
    const store = shared?.view ?? options.store ?? this.openStore();
    this.server = new ChatServer({
      identity,
      card: card.bytes,
      store,
      journal: shared?.journal,
      others: shared?.others,
      limits: { ...defaultLimits, ...options.limits },
      clock: options.clock ?? systemClock,
      random: systemRandom,
      events: tellAll(
        new Status((line) => void this.log.push(line), true),
        ...(options.events ? [options.events] : []),
      ),
      accessToken: options.accessToken ?? null,
      showAddresses: options.showAddresses,
      proxies: options.proxies,
      place: options.place,
      retention: options.retention,
      blobBytes: options.blobBytes ??
        (options.store?.memoryOnly ? null : shared?.blobs ?? new DiskBlobs(join(this.dir, "blobs"))),
      answering: options.answering,
      accounts: options.accounts,
      defer,
    });
    if (shared) await shared.journal.caughtUp();
    this.server.accept(listener);
  }

  /** A durable store of its own. */
  openStore(): SqliteStore {
    return new SqliteStore(this.storePath, () => runOf(++this.#stores));
  }

  /** All connections are cut at once, nobody is told anything; what was not flushed is lost. */
  async crashServer(): Promise<void> {
    for (const conn of this.#conns) closeQuietly(conn);
    await this.server.stop();
    for (const conn of this.#conns) closeQuietly(conn); // whoever has come meanwhile: no process is left to serve them
  }

  /** The open profile of a recorded person. */
  async profile(name: string): Promise<Profile> {
    const keys = await person(this.keysOf.get(name) ?? name);
    const profiles = join(this.dir, "profiles");
    const own = join(profiles, name);
    makePrivateDir(own);
    if (!exists(join(own, "client_private_key.pem"))) {
      writeAtomically(join(own, "client_private_key.pem"), new TextEncoder().encode(keys.privatePem));
      const card = keys.name === name
        ? keys.card.bytes
        : makeCard(keys.identity, roles.user, name, 1_700_000_000);
      writeAtomically(join(own, "card"), card);
    }
    const clock = this.clientClock ?? this.#options.clock ?? systemClock;
    return await openProfile(profiles, name, {
      passphrase: () => Promise.reject(new Error("no passphrase")),
      making: () => {
        throw new Error("keys are there");
      },
      moved: () => {},
    }, { clock, random: systemRandom });
  }

  /** Where somebody begins, and where else she may go. */
  #addresses(): { port: number; others: JoinOptions["others"] } {
    const { spread } = this;
    if (spread.length === 0) return { port: this.port, others: [] };
    const at = this.#spreadOver++ % spread.length;
    const [port, ...others] = [...spread.slice(at), ...spread.slice(0, at)];
    return { port, others: others.map((each) => ({ host: "127.0.0.1", port: each })) };
  }

  /** What a command line would say. */
  options(over: Partial<JoinOptions> = {}, interactive = true): JoinOptions {
    return {
      host: "127.0.0.1",
      ...this.#addresses(),
      tls: false,
      room: "lobby",
      to: null,
      token: new Uint8Array(0),
      expectServer: null,
      acceptNew: false,
      trust: null,
      joinTimeoutMs: 20_000,
      message: null,
      send: [],
      downloadDir: null,
      take: null,
      listen: false,
      history: { days: 0, isPersons: interactive },
      roomKey: null,
      fernetKey: null,
      pins: null,
      login: { register: false, password: null, registrationToken: null },
      ...over,
    };
  }

  /** A client by a recorded person; `chat join` without the command line. @param isBlind as with -m */
  async join(
    name: string,
    options: Partial<JoinOptions> = {},
    interactive = true,
    isBlind = false,
  ): Promise<Client> {
    const profile = await this.profile(name);
    const clock = this.clientClock ?? this.#options.clock ?? systemClock;
    let conn: ByteConn | null = null;
    const dial: Dial = async (host, port) => conn = await this.dial(host, port);
    const view = new ScriptedView(interactive);
    view.holds = view.isBlind = isBlind;
    const all = this.options(options, interactive);
    const whole = new Chat(profile, all, { clock, random: systemRandom, dial });
    const chat = whole.seat(view);
    takeLines(chat, view, all);
    const done = whole.run().then(() => chat.ended).catch((error: Error) => error).finally(() =>
      profile.close()
    );
    const cut = () => conn && closeQuietly(conn);
    const client = { chat, view, profile, done, cut };
    this.#clients.push(client);
    return client;
  }

  /** Joins and waits until the room is entered. */
  async enter(name: string, options: Partial<JoinOptions> = {}): Promise<Client> {
    const client = await this.join(name, options);
    await client.view.until((event) => event.type === "entered");
    return client;
  }

  /** All clients go; their memberships stay. */
  async leaveAll(): Promise<void> {
    for (const { chat } of this.#clients) chat.quit();
    for (const { done } of this.#clients) await done;
  }

  async close(): Promise<void> {
    await this.leaveAll();
    await this.server.stop().catch(() => {});
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** Runs a test in a world of its own. */
export async function inWorld(
  act: (world: World) => Promise<void>,
  options: ServerOptions = {},
): Promise<void> {
  const world = await World.open(options);
  try {
    await act(world);
  } finally {
    await world.close();
  }
}

/** For memory-only servers. */
export const memoryStore = () => new MemoryStore(systemRandom);

/** A test that touches real sockets and timers: it cleans up by itself, within `timeoutMs`. */
export function worldTest(
  name: string,
  act: (world: World) => Promise<void>,
  options: ServerOptions = {},
  ignore = false,
): void {
  test({ name, ignore, sanitizeOps: false, sanitizeResources: false, fn: () => inWorld(act, options) });
}

/** What a client keeps of the room on its screen. */
export function stateIn({ chat: { conversation: { room } } }: Client): RoomState {
  assert(room instanceof MemberRoom);
  return room.state;
}

/** The room on a client's screen, as its last valid commit left it. */
export function headIn(client: Client): RoomHead | null {
  const { room } = client.chat.conversation;
  return room instanceof MemberRoom ? room.state.head : null;
}

/** The names of its members, with commas; empty while there is no such room. */
export function rosterIn(client: Client): string {
  return headIn(client)?.roster.map(({ name }) => name).join() ?? "";
}

/** Ends a client as its user does, and waits for the end. */
export async function quits({ chat, done }: Client): Promise<void> {
  chat.quit();
  await done;
}

/** The same with a clock that jumps, for server and clients alike. */
export function clockTest(
  name: string,
  act: (world: World, clock: JumpingClock) => Promise<void>,
  options: ServerOptions = {},
): void {
  test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () => {
      const clock = new JumpingClock();
      return inWorld((world) => act(world, clock), { ...options, clock });
    },
  });
}

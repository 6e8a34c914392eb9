/**
 * A hostile server: the real one, behind a relay that holds its keys. What each side says is decoded, bent as a
 * test wants, and said on, over real links on both sides; so it can do all that a server can, and nothing more.
 */

import { test } from "./test.ts";
import { encodeHex } from "@std/encoding/hex";
import { systemClock } from "../../lib/clock.ts";
import { oaepDecrypt } from "../../lib/crypto/oaep.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { closeQuietly } from "../../lib/protocol/channel/conn.ts";
import { FrameReader } from "../../lib/protocol/channel/frames.ts";
import { driveHandshake, type Established } from "../../lib/protocol/channel/handshake.ts";
import { advanceClient, startClient } from "../../lib/protocol/channel/handshake_client.ts";
import { advanceServer, startServer } from "../../lib/protocol/channel/handshake_server.ts";
import { Link } from "../../lib/protocol/channel/link.ts";
import { closeReasons, type LinkMessage, type MessageOf } from "../../lib/protocol/channel/link_messages.ts";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { entryHash, History } from "../../lib/protocol/group/history.ts";
import { person } from "./people.ts";
import { signedBy } from "./site.ts";
import { defaultLimits } from "../../lib/server/limits.ts";
import { inWorld, type World } from "./world.ts";

/** What is said on in a message's place. */
export type Bend = (message: LinkMessage, name: string) => LinkMessage[];

const honest: Bend = (message) => [message];

export class HostileServer {
  /** What a client is told. */
  down: Bend = honest;
  /** What the real server is told. */
  up: Bend = honest;
  readonly port: number;
  #listener: Deno.TcpListener;
  #links = new Map<string, { client: Link; server: Link }>();

  constructor(private readonly world: World) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    void this.#accept();
  }

  /** Bends the logs of these people from now on, and of nobody else. */
  bends<Name extends string>(...names: Name[]): Record<Name, BentLog> {
    const logs = new Map<string, BentLog>(
      names.map((name) => [name, new BentLog(() => this.world.server.rooms.site)]),
    );
    this.down = (message, name) => logs.get(name)?.down(message) ?? [message];
    this.up = (message, name) => logs.get(name)?.up(message) ?? [message];
    return Object.fromEntries(logs) as Record<Name, BentLog>;
  }

  async #accept(): Promise<void> {
    try {
      for await (const conn of this.#listener) {
        conn.setNoDelay(true);
        this.#relay(conn).catch(() => closeQuietly(conn));
      }
    } catch {
      // Closed.
    }
  }

  async #relay(conn: Deno.TcpConn): Promise<void> {
    const reader = new FrameReader(conn);
    const established = await this.#asServer(conn, reader);
    const { name } = established.peer;
    const client = new Link(conn, reader, established, "server", systemClock);
    const server = await this.#asClient(name);
    this.#links.set(name, { client, server });
    const fromClient = client.run((messages) => {
      for (const message of messages) this.tellServer(name, ...this.up(message, name));
    });
    const fromServer = server.run((messages) => {
      for (const message of messages) this.tell(name, ...this.down(message, name));
    });
    void fromServer.then((end) => client.close(end.how === "peer closed" ? end.reason : closeReasons.bye));
    await fromClient;
    server.close(closeReasons.bye);
  }

  async #asServer(conn: Deno.TcpConn, reader: FrameReader): Promise<Established> {
    const { identity, card } = await person("server");
    const config = {
      identity,
      card: card.bytes,
      random: systemRandom,
      puzzleBits: () => 0,
      decrypt: (label: Uint8Array<ArrayBuffer>, text: Uint8Array<ArrayBuffer>) =>
        oaepDecrypt(identity.rsa, label, text),
    };
    const done = await driveHandshake(
      conn,
      reader,
      startServer(),
      (state, frame) => advanceServer(state, frame, config),
      () => {},
    );
    if (done.step !== "done") throw new Error("no handshake");
    return done.established;
  }

  /** The real server sees the same person: the relay holds everybody's recorded keys. */
  async #asClient(name: string): Promise<Link> {
    const { identity, card } = await person(name);
    const config = {
      identity,
      card: card.bytes,
      random: systemRandom,
      token: new Uint8Array(0),
      minVersion: 2,
      checkServer: () => {},
    };
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: this.world.port });
    const reader = new FrameReader(conn);
    const done = await driveHandshake(
      conn,
      reader,
      await startClient(config),
      (state, frame) => advanceClient(state, frame, config),
      () => {},
    );
    if (done.step !== "done") throw new Error("no handshake");
    return new Link(conn, reader, done.established, "client", systemClock);
  }

  /** Says something to a client. */
  tell(name: string, ...messages: LinkMessage[]): void {
    for (const message of messages) this.#links.get(name)?.client.send(message);
  }
  /** Says something to the real server in a client's name. */
  tellServer(name: string, ...messages: LinkMessage[]): void {
    for (const message of messages) this.#links.get(name)?.server.send(message);
  }
  /** Cuts somebody off. */
  cut(name: string): void {
    this.#links.get(name)?.client.drop({ how: "cut" });
  }

  close(): void {
    this.#listener.close();
    for (const { client, server } of this.#links.values()) {
      client.drop();
      server.drop();
    }
  }
}

/**
 * Lies about one person's log that fit in themselves: after each of them the positions are shifted, and the server
 * signs what it has shown, so that nothing but what others have seen gives them away.
 */
export class BentLog {
  #shift = new Map<string, number>();
  #held: LinkMessage | null = null;
  /** What that person has been shown, by room. */
  #shown = new Map<string, History>();
  /** What that person has sent, by ref. */
  #sent = new Map<number, { kind: number; bytes: Uint8Array }>();
  /** What is done to the next entry. */
  next: "nothing" | "drop" | "duplicate" | "swap" = "nothing";
  done = 0;

  /** @param site of the server whose key signs */
  constructor(private readonly site: () => Bytes) {}

  /** For `HostileServer.down`. */
  down(message: LinkMessage): LinkMessage[] {
    const bent = this.#bend(message);
    for (const each of bent) this.#show(each);
    return bent.flatMap((each) => each.type === "HEAD" ? this.#signed(each) : [each]);
  }

  #show(message: LinkMessage): void {
    if (!("room" in message)) return;
    const key = encodeHex(message.room);
    const history = this.#shown.get(key);
    if (message.type === "ROOM_INFO" && (!history || message.start > history.view.pos)) {
      this.#shown.set(key, new History({ pos: message.start, hash: message.startHash }));
    }
    const own = message.type === "STORED" ? this.#sent.get(message.ref) : undefined;
    const entry = message.type === "ENTRY" ? message : own;
    if (!history || !entry || !("pos" in message) || message.pos !== history.view.pos + 1) return;
    this.#shown.set(key, history.after(entryHash(entry.kind, entry.bytes)));
  }

  /** The head of what was shown; while something is held back, none. */
  #signed(head: MessageOf<"HEAD">): LinkMessage[] {
    const view = this.#shown.get(encodeHex(head.room))?.view;
    if (!view || this.#held) return this.#held ? [] : [head];
    return [{ ...head, pos: view.pos, signature: signedBy(head.room, view, this.site()).headSig }];
  }

  #bend(message: LinkMessage): LinkMessage[] {
    if (!("room" in message)) return [message];
    const key = encodeHex(message.room);
    const shift = this.#shift.get(key) ?? 0;
    if (message.type === "ROOM_INFO") return [{ ...message, last: message.last + shift }];
    if (message.type === "STORED") return [{ ...message, pos: message.pos + shift }];
    if (message.type === "HASHES") return [{ ...message, first: message.first + shift }];
    if (message.type !== "ENTRY") return [message];
    const entry = { ...message, pos: message.pos + shift };
    if (this.#held && this.#held.type === "ENTRY") {
      const held = this.#held;
      this.#held = null;
      return [{ ...entry, pos: held.pos }, { ...held, pos: entry.pos }];
    }
    const what = entry.kind === 2 ? this.next : "nothing"; // a missing commit shows at once
    if (what === "nothing") return [entry];
    this.next = "nothing";
    this.done++; // what is held back is a lie already
    if (what === "swap") {
      this.#held = entry;
      return [];
    }
    this.#shift.set(key, shift + (what === "drop" ? -1 : 1));
    return what === "drop" ? [] : [entry, { ...entry, pos: entry.pos + 1 }];
  }

  /** For `HostileServer.up`: positions that the client names are its own. */
  up(message: LinkMessage): LinkMessage[] {
    if (message.type === "ACK") return [];
    if (message.type === "SEND") this.#sent.set(message.ref, { kind: 2, bytes: message.message });
    if (message.type === "COMMIT") this.#sent.set(message.ref, { kind: 1, bytes: message.commit });
    if (message.type !== "HELLO") return [message];
    const rooms = message.rooms.map((r) => ({
      ...r,
      pos: r.pos - (this.#shift.get(encodeHex(r.room)) ?? 0),
    }));
    return [{ ...message, rooms }];
  }
}

/** Limits that no test of lies comes up against. */
export const generousLimits = {
  ...defaultLimits,
  handshakeBurst: 1000,
  sendBurst: 10_000,
  sendsPerSecond: 10_000,
  commitEveryMs: 1,
};

/** A test in a world with a hostile server in front of the real one. */
export function hostileTest(name: string, act: (world: World, server: HostileServer) => Promise<void>): void {
  test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () =>
      inWorld(async (world) => {
        const server = new HostileServer(world);
        try {
          await act(world, server);
        } finally {
          server.close();
        }
      }, { limits: generousLimits }),
  });
}

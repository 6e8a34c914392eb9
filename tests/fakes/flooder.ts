/**
 * Flooder: somebody with a proven identity who says as much as the link takes, reads what comes only to throw it away,
 * and keeps to no rate. Any number of them: they share one RSA key, which costs them nothing, and have a key to sign
 * with each.
 */

import { encodeHex } from "@std/encoding/hex";
import { identityFrom } from "../../lib/crypto/identity.ts";
import { type Bytes, concat } from "../../lib/crypto/bytes.ts";
import type { ByteConn } from "../../lib/protocol/channel/conn.ts";
import { FrameReader, fromServer, isTransit } from "../../lib/protocol/channel/frames.ts";
import { driveHandshake, type Established } from "../../lib/protocol/channel/handshake.ts";
import { advanceClient, startClient } from "../../lib/protocol/channel/handshake_client.ts";
import {
  decodeMessages,
  encodeMessage,
  errorCodes,
  type LinkMessage,
} from "../../lib/protocol/channel/link_messages.ts";
import { maxRecordBytes } from "../../lib/protocol/channel/records.ts";
import { makeCard, parseCard, roles } from "../../lib/protocol/identity/card.ts";
import { makePrekey } from "../../lib/protocol/identity/prekey.ts";
import { clientConfig } from "./handshakes.ts";
import { type Person, person } from "./people.ts";
import { until } from "./until.ts";

/** Somebody new who has mallory's RSA key. @param n another person for each */
export async function another(n: number): Promise<Person> {
  const { secrets, privatePem } = await person("mallory");
  const seed = new Uint8Array(32).fill(77);
  new DataView(seed.buffer).setUint32(0, n);
  const all = { ...secrets, seed };
  const identity = await identityFrom(all);
  const name = `mallory-${n}`;
  const card = parseCard(makeCard(identity, roles.user, name, 1_700_000_000));
  return { name, identity, card, secrets: all, privatePem };
}

/** A link of somebody's. */
export class Flooder {
  /** How many answers of each kind have come: a type, or the name of an error. */
  readonly answers = new Map<string, number>();
  isOver = false;
  #ref = 1;

  private constructor(
    readonly who: Person,
    private readonly conn: ByteConn,
    private readonly established: Established,
  ) {}

  /** Shakes hands, says HELLO, and is welcomed. @param conn to the server */
  static async open(who: Person, conn: ByteConn): Promise<Flooder> {
    const reader = new FrameReader(conn);
    const config = await clientConfig({ identity: who.identity, card: who.card.bytes });
    const done = await driveHandshake(
      conn,
      reader,
      await startClient(config),
      (state, frame) => advanceClient(state, frame, config),
    );
    if (done.step !== "done") throw new Error("the handshake did not end");
    const flooder = new Flooder(who, conn, done.established);
    await flooder.write([{ type: "HELLO", runId: new Uint8Array(16), rooms: [] }]);
    void flooder.#read(reader);
    await until("WELCOME", () => flooder.answers.has("WELCOME") || flooder.isOver);
    return flooder;
  }

  async #read(reader: FrameReader): Promise<void> {
    try {
      for (let frame; (frame = await reader.next(fromServer)) !== null;) {
        if (isTransit(frame)) this.established.opener.checkTransit(frame);
        else decodeMessages(this.established.opener.open(frame), "server").forEach((m) => this.#count(m));
      }
    } catch {
      // Over.
    }
    this.isOver = true;
  }

  #count(message: LinkMessage): void {
    const name = message.type === "ERROR" ? errorNames[message.code] : message.type;
    this.answers.set(name, (this.answers.get(name) ?? 0) + 1);
  }

  /** The ref of the next request. */
  get ref(): number {
    return this.#ref++;
  }

  /** How many have come of all that are answers. */
  get answered(): number {
    return [...this.answers].reduce((sum, [name, n]) => isAnswer(name) ? sum + n : sum, 0);
  }

  /** Writes messages, as many to a record as fit, and waits until the system has taken them. */
  async write(messages: readonly LinkMessage[]): Promise<void> {
    const { sealer } = this.established;
    const records: Bytes[] = [];
    let waiting: Bytes[] = [], length = 0, pings = 0;
    const close = () => {
      if (length > 0) records.push(sealer.seal(concat(...waiting)).slice());
      [waiting, length, pings] = [[], 0, 0];
    };
    for (const message of messages) {
      const bytes = encodeMessage(message);
      // More of them in one record would end the link.
      if (length + bytes.length > maxRecordBytes || pings === 16) close();
      if (message.type === "PING") pings++;
      waiting.push(bytes);
      length += bytes.length;
    }
    close();
    const wire = concat(...records);
    try {
      for (let at = 0; at < wire.length;) at += await this.conn.write(wire.subarray(at));
    } catch {
      this.isOver = true;
    }
  }

  /** Says it again and again, until told to stop or put out. @param make some messages */
  async flood(make: () => LinkMessage[], signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.close(), { once: true }); // also while a write waits
    while (!signal.aborted && !this.isOver) await this.write(make());
  }

  /** Publishes a prekey: who has none is let in nowhere. */
  async publish(): Promise<void> {
    const { id, signing } = this.who.identity;
    const { published } = await makePrekey(id, signing, 0, Math.floor(Date.now() / 1000));
    await this.write([{ type: "PREKEY_PUT", ref: this.ref, prekey: published }]);
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
      // Closed by the server.
    }
  }

  /** For maps and messages. */
  get key(): string {
    return encodeHex(this.who.card.id);
  }
}

const errorNames = Object.fromEntries(Object.entries(errorCodes).map(([name, code]) => [code, name]));
const answerTypes = ["DONE", "CARD", "PREKEY", "ROOM_INFO", "BOX", "STORED", ...Object.keys(errorCodes)];
const isAnswer = (name: string) => answerTypes.includes(name);

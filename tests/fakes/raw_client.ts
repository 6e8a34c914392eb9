/** A client that says exactly what a test wants, over a real link to a real server. */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import type { Connection, Receiver } from "../../lib/client/connection/connection.ts";
import { makePrekey, type PrekeySecrets } from "../../lib/protocol/identity/prekey.ts";
import { errorCodes, type LinkMessage, type MessageOf } from "../../lib/protocol/channel/link_messages.ts";
import { dialled } from "./dialled.ts";
import { person } from "./people.ts";
import { until } from "./until.ts";

export class RawClient implements Receiver {
  readonly received: LinkMessage[] = [];
  prekey!: PrekeySecrets;
  ended = false;
  private constructor(readonly connection: Connection, readonly card: Bytes) {}

  static async open(
    port: number,
    name: string,
    rooms: MessageOf<"HELLO">["rooms"] = [],
    runId = new Uint8Array(16),
    cardBytes?: Bytes,
  ): Promise<RawClient> {
    const { identity, card } = await person(name);
    const connection = await dialled(port, { name, identity, card: cardBytes ?? card.bytes });
    const client = new RawClient(connection, card.bytes);
    const { ended } = await connection.enter({ runId, rooms }, client);
    void ended.then(() => client.ended = true);
    return client;
  }

  async publishPrekey(name: string): Promise<void> {
    const { identity } = await person(name);
    this.prekey = await makePrekey(identity.id, identity.signing, 0, Math.floor(Date.now() / 1000));
    await this.connection.request(
      (ref) => ({ type: "PREKEY_PUT", ref, prekey: this.prekey.published }),
      "DONE",
    );
  }

  welcome(message: MessageOf<"WELCOME">): void {
    this.received.push(message);
  }
  receive(message: LinkMessage): void {
    this.received.push(message);
  }

  /** Sends a SEND or COMMIT; its answer: "STORED 3", or the error's name. */
  async inStream(build: (ref: number) => LinkMessage): Promise<string> {
    const ref = this.connection.sendInStream(new Uint8Array(32), build);
    const find = () =>
      this.received.find((m) => (m.type === "STORED" || m.type === "ERROR") && m.ref === ref);
    await until("an answer", () => find() !== undefined || this.ended);
    const answer = find();
    if (!answer) return "closed";
    return answer.type === "STORED" ? `STORED ${answer.pos}` : nameOf((answer as MessageOf<"ERROR">).code);
  }

  /** A request's answer type, or the error's name. */
  async ask(
    build: (ref: number) => LinkMessage,
    expected: Parameters<Connection["request"]>[1],
  ): Promise<string> {
    try {
      const answer = await this.connection.request(build, expected);
      return answer.type === "DONE" ? `DONE ${answer.info}` : answer.type;
    } catch (error) {
      return "code" in (error as object) ? nameOf((error as { code: number }).code) : "closed";
    }
  }

  types(): string[] {
    return this.received.map((m) => m.type);
  }
  close(): void {
    this.connection.drop();
  }
}

function nameOf(code: number): string {
  return Object.entries(errorCodes).find(([, value]) => value === code)?.[0] ?? String(code);
}

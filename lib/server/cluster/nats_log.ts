/**
 * NatsLog: a shared log in a stream of NATS JetStream, which orders, replicates and keeps it. What is stored is heard of
 * by republishing, and read by direct gets: an entry that was missed, or came before the others, is fetched in its order.
 */

import { jetstream, type JetStreamClient, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError } from "../../errors.ts";
import { LogAway, type LogEntry, type LogReader, type SharedLog } from "./shared_log.ts";

const stream = "CHAT";
/** A number, so that it can be divided by room one day. */
const subject = "chat.log.0", live = "chat.live.0";
const appendMs = 5_000;
/** How often the log is asked how far it has come: what was republished may not have been heard. */
const askMs = 1_000;
/** The log knows an entry that comes again for so long. */
const repeatNs = 600 * 1_000_000_000;
const batch = 256;
const againMs = 50;
const oldest = [2, 12];

/** Where the log is. */
export interface NatsOptions {
  /** `host:port` of each node. */
  readonly servers: readonly string[];
  /** How many nodes keep each entry. */
  readonly replicas: number;
  /** Time. */
  readonly clock: Clock;
  /** A fault of ours. */
  fault(error: unknown): void;
}

/** NATS is not there, or does not do. */
export class NatsUnfit extends ChatError {}

/** One server's end of the log. */
export class NatsLog implements SharedLog {
  #next = 1;
  /** The last that is known to be there. */
  #last = 0;
  #reader: LogReader | null = null;
  #isReading = false;
  #isClosed = false;
  #isAway = false;
  #cancelAsk: () => void = () => {};

  private constructor(
    private readonly connection: NatsConnection,
    private readonly manager: JetStreamManager,
    private readonly client: JetStreamClient,
    private readonly options: NatsOptions,
  ) {
    void this.#watch();
    void this.#hear();
    this.#ask();
  }

  /** Connects, and makes the stream if it is not there. @throws NatsUnfit */
  static async open(options: NatsOptions): Promise<NatsLog> {
    const servers = [...options.servers];
    let connection: NatsConnection;
    try {
      connection = await connect({ servers, name: "chat", maxReconnectAttempts: -1, reconnectTimeWait: 250 });
    } catch (error) {
      throw new NatsUnfit(
        `NATS cannot be reached at ${servers.join(", ")}: ${(error as Error).message}`,
        "start it, and check the addresses",
      );
    }
    try {
      checkVersion(connection.info?.version ?? "");
      const manager = await jetstreamManager(connection);
      await manager.streams.add({
        name: stream,
        subjects: [subject],
        storage: "file",
        num_replicas: options.replicas,
        allow_direct: true,
        duplicate_window: repeatNs,
        republish: { src: subject, dest: live },
      });
      return new NatsLog(connection, manager, jetstream(connection), options);
    } catch (error) {
      await connection.close();
      if (error instanceof ChatError) throw error;
      throw new NatsUnfit(
        `NATS does not keep a log for us: ${(error as Error).message}`,
        "it needs JetStream, and as many nodes as replicas",
      );
    }
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  async append(id: string, data: Bytes): Promise<void> {
    try {
      const { seq } = await this.client.publish(subject, data, { msgID: id, timeout: appendMs });
      this.#isThere(seq);
    } catch (error) {
      throw new LogAway((error as Error).message);
    }
  }

  follow(seq: number, reader: LogReader): void {
    this.#next = seq + 1;
    this.#reader = reader;
    this.#readSoon();
  }

  // ---- hearing of it

  async #watch(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (type === "disconnect") this.#isAway = true;
      if (type === "reconnect") this.#isAway = false;
    }
  }

  async #hear(): Promise<void> {
    for await (const message of this.connection.subscribe(live)) {
      const { headers, data } = message;
      const seq = Number(headers?.get("Nats-Sequence"));
      const timeMs = Date.parse(headers?.get("Nats-Time-Stamp") ?? "");
      if (!Number.isSafeInteger(seq) || Number.isNaN(timeMs)) continue;
      this.#last = Math.max(this.#last, seq);
      if (this.#reader && !this.#isReading && seq === this.#next) {
        this.#give({ seq, timeMs, data: copy(data) });
      } else this.#isThere(seq);
    }
  }

  #ask(): void {
    this.#cancelAsk = this.options.clock.after(askMs, () => {
      this.manager.streams.info(stream).then(({ state }) => this.#isThere(state.last_seq), () => {})
        .finally(() => this.#isClosed || this.#ask());
    });
  }

  #isThere(seq: number): void {
    this.#last = Math.max(this.#last, seq);
    if (this.#next <= this.#last) this.#readSoon();
  }

  // ---- reading what was missed

  #readSoon(): void {
    if (this.#isReading || this.#isClosed || !this.#reader) return;
    this.#isReading = true;
    this.#read().catch((error) => this.options.fault(error)).finally(() => {
      this.#isReading = false;
      if (this.#next <= this.#last) this.options.clock.after(againMs, () => this.#readSoon());
    });
  }

  async #read(): Promise<void> {
    do {
      const before = this.#next;
      for (const entry of await this.#fetch(before)) {
        if (this.#isClosed) return;
        if (entry.seq === this.#next) this.#give(entry);
      }
      if (this.#next === before) return; // a node that is behind, or away: again in a moment
    } while (this.#next <= this.#last && !this.#isClosed);
  }

  /** The next ones that a node has; none while it cannot be asked. */
  async #fetch(seq: number): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    try {
      for await (
        const { seq: at, time, data } of await this.manager.direct.getBatch(stream, { seq, batch })
      ) {
        entries.push({ seq: at, timeMs: time.getTime(), data: copy(data) });
      }
    } catch {
      // The node went in the middle: what came is good, and the rest is asked for again.
    }
    return entries;
  }

  #give(entry: LogEntry): void {
    this.#next = entry.seq + 1;
    this.#reader!.take(entry);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelAsk();
    await this.connection.close();
  }
}

function copy(data: Uint8Array): Bytes {
  return new Uint8Array(data);
}

/** @throws NatsUnfit */
function checkVersion(version: string): void {
  const [major, minor] = version.split(".").map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  throw new NatsUnfit(
    `NATS there is ${version || "of no version"}, which is too old`,
    `run ${oldest.join(".")} or newer: what Debian's stable has loses what it has confirmed`,
  );
}

/**
 * NatsLog: a shared log in a stream of NATS JetStream, which orders, replicates and keeps it. What is stored is heard of
 * by republishing, and read by direct gets: an entry that was missed, or came before the others, is fetched in its order.
 */

import { jetstream, type JetStreamClient, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError } from "../../errors.ts";
import { streams, subjects } from "./nats_names.ts";
import { ensureStream } from "./nats_stream.ts";
import { LogAway, type LogEntry, type LogReader, type SharedLog } from "./shared_log.ts";

const stream = streams.log;
const { log: subject, live } = subjects;
const appendMs = 5_000;
/** How often the log is asked how far it has come: what was republished may not have been heard. */
const askMs = 1_000;
/** Without an answer for so long it counts as away. */
const silentMs = 6_000;
/** The log knows an entry that comes again for so long. */
const repeatNs = 600 * 1_000_000_000;
const batch = 256, batchBytes = 8 * 1024 * 1024;
const againMs = 50;
/** What is confirmed and does not come by itself within so long is read. */
const lateMs = 50;

/** What a log in NATS is made of. */
export interface NatsLogParts {
  /** The way there; {@link NatsLog.close} ends it. */
  readonly connection: NatsConnection;
  /** How many nodes keep each entry. */
  readonly replicas: number;
  /** Time. */
  readonly clock: Clock;
  /** A fault of ours. */
  fault(error: unknown): void;
}

/** This server was away for longer than the log is kept. */
class PurgedBeyond extends ChatError {
  constructor(next: number, first: number) {
    super(
      `This server has not applied entry ${next}, and the log begins at ${first} by now: it was away for too long`,
      "start it again: it goes on from a snapshot",
    );
  }
}

/** NATS does not want us any more. */
class NatsEnded extends ChatError {
  constructor() {
    super("NATS has ended the connection for good", "see its log; then start this server again");
  }
}

/** One server's end of the log. */
export class NatsLog implements SharedLog {
  #next = 1;
  /** The last that is known to be there. */
  #last = 0;
  #reader: LogReader | null = null;
  #isReading = false;
  #isClosed = false;
  #isAway = false;
  /** When the log has answered last. */
  #heardMs: number;
  #cancelAsk: () => void = () => {};

  private constructor(
    private readonly manager: JetStreamManager,
    private readonly client: JetStreamClient,
    private readonly parts: NatsLogParts,
  ) {
    this.#heardMs = parts.clock.now();
    this.#watch().catch((error) => parts.fault(error));
    this.#hear().catch((error) => parts.fault(error));
    void parts.connection.closed().then(() => {
      if (!this.#isClosed) this.#reader?.lost(new NatsEnded());
    });
    this.#ask();
  }

  /** Makes the stream if it is not there. @throws what the library says */
  static async open(parts: NatsLogParts): Promise<NatsLog> {
    const { connection, replicas } = parts;
    const manager = await jetstreamManager(connection);
    await ensureStream(manager, {
      name: stream,
      subjects: [subject],
      storage: "file",
      num_replicas: replicas,
      allow_direct: true,
      duplicate_window: repeatNs,
      republish: { src: subject, dest: live },
    });
    return new NatsLog(manager, jetstream(connection), parts);
  }

  get last(): number {
    return this.#last;
  }
  get isAway(): boolean {
    return this.#isAway || this.parts.clock.now() - this.#heardMs > silentMs;
  }

  async append(id: string, data: Bytes): Promise<void> {
    const options = { msgID: id, timeout: appendMs };
    const { seq } = await orAway(this.client.publish(subject, data, options));
    this.#last = Math.max(this.#last, seq);
    // It is on its way here as well: what was republished comes with it, or a moment after.
    if (this.#next <= seq) this.parts.clock.after(lateMs, () => this.#isThere(seq));
  }

  follow(seq: number, reader: LogReader): void {
    this.#next = seq + 1;
    this.#reader = reader;
    this.#readSoon();
  }

  async read(seq: number): Promise<LogEntry | null> {
    const found = await orAway(this.manager.direct.getMessage(stream, { seq }));
    return found && { seq, timeMs: found.time.getTime(), data: copy(found.data) };
  }

  async range(): Promise<{ first: number; last: number; bytes: number }> {
    const { state } = await orAway(this.manager.streams.info(stream));
    return { first: state.first_seq, last: state.last_seq, bytes: state.bytes };
  }

  async purge(upTo: number): Promise<void> {
    await orAway(this.manager.streams.purge(stream, { seq: upTo + 1 }));
  }

  redial(): void {
    this.parts.connection.reconnect().catch(() => {}); // it goes on trying
  }

  // ---- hearing of it

  async #watch(): Promise<void> {
    for await (const { type } of this.parts.connection.status()) {
      if (type === "disconnect") this.#isAway = true;
      if (type === "reconnect") this.#isAway = false;
    }
  }

  async #hear(): Promise<void> {
    for await (const message of this.parts.connection.subscribe(live)) {
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
    this.#cancelAsk = this.parts.clock.after(askMs, () => {
      this.manager.streams.info(stream).then(({ state }) => {
        this.#heardMs = this.parts.clock.now();
        if (this.#reader && this.#next < state.first_seq && !this.#isClosed) {
          this.#reader.lost(new PurgedBeyond(this.#next, state.first_seq));
        }
        this.#isThere(state.last_seq);
      }, () => {})
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
    this.#read().catch((error) => this.parts.fault(error)).finally(() => {
      this.#isReading = false;
      if (this.#next <= this.#last) this.parts.clock.after(againMs, () => this.#readSoon());
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
        const { seq: at, time, data } of await this.manager.direct.getBatch(stream, {
          seq,
          batch,
          max_bytes: batchBytes,
        })
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
    await this.parts.connection.close();
  }
}

function copy(data: Uint8Array): Bytes {
  return new Uint8Array(data);
}

/** @throws LogAway in NATS's words */
async function orAway<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw new LogAway((error as Error).message);
  }
}

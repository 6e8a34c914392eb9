/**
 * Metrics: what the server counts, in the form that Prometheus reads. Numbers are taken when they are asked for; only
 * how long flushes and turns of the event loop take is watched as it happens.
 */

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Clock } from "../../clock.ts";
import type { ServerEvent, ServerEvents } from "../events.ts";
import type { ChatServer } from "../server.ts";

const lagEveryMs = 500;
const lagBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const confirmBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const flushBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1];

/** The metrics of one server. */
export class Metrics implements ServerEvents {
  readonly #registry = new Registry();
  readonly #flush: Histogram;
  /** Of a server that shares a log with others. */
  #confirmed: Histogram | null = null;

  /** Makes them. @param version of the program */
  constructor(version: string) {
    this.#flush = new Histogram({
      name: "chat_store_flush_seconds",
      help: "How long it takes until a batch of writes is on disk",
      buckets: flushBuckets,
      registers: [this.#registry],
    });
    this.#gauge("chat_info", "The program's version", ["version"], () => [[{ version }, 1]]);
  }

  tell(event: ServerEvent): void {
    if (event.type === "flushed") this.#flush.observe(event.ms / 1000);
    if (event.type === "confirmed") this.#confirmed?.observe(event.ms / 1000);
  }

  /** Reads from a server from now on, and watches the event loop. @returns ends the watching */
  watch(server: ChatServer, clock: Clock, rssBytes: () => number): () => void {
    const { tally, rooms } = server;
    this.#gauge("chat_connections", "Links that are alive", [], () => server.linkCount);
    this.#gauge(
      "chat_pending_connections",
      "Connections that have not proved who they are",
      [],
      () => server.pending,
    );
    this.#gauge("chat_members", "People who are in", [], () => server.linked);
    this.#gauge("chat_rooms", "Rooms", ["kind"], () => [
      [{ kind: "ordinary" }, rooms.all().filter((room) => !room.isDirect).length],
      [{ kind: "direct" }, rooms.all().filter((room) => room.isDirect).length],
      [{ kind: "key-file" }, rooms.keyFileRooms().length],
    ]);
    this.#gauge("chat_queue_bytes", "Bytes that wait for members to read", ["of"], () => {
      const { sum, most } = server.queues();
      return [[{ of: "all" }, sum], [{ of: "the slowest" }, most]];
    });
    this.#gauge("chat_rsa_queue", "RSA decryptions that wait", [], () => server.rsaWaiting);
    this.#gauge(
      "chat_store_failing",
      "Whether the disk refused the last batch",
      [],
      () => Number(rooms.isStoreFailing),
    );
    this.#gauge("chat_store_bytes", "Bytes of all rooms on disk", [], () => rooms.quota.storedBytes);
    this.#gauge("chat_store_bytes_most", "The same, at most", [], () => rooms.limits.storeBytes);
    this.#gauge("chat_blobs", "Files that are kept", [], () => rooms.blobs.totals.files);
    this.#gauge("chat_blob_bytes", "What they count as on disk", [], () => rooms.blobs.totals.bytes);
    this.#gauge("process_resident_memory_bytes", "Resident memory", [], rssBytes);
    this.#gauge(
      "process_start_time_seconds",
      "When the server was started",
      [],
      () => server.startedMs / 1000,
    );
    this.#counter("chat_messages_total", "Messages stored and shown", [], () => tally.messages);
    this.#counter("chat_message_bytes_total", "Their bytes, sealed", [], () => tally.messageBytes);
    this.#counter("chat_bytes_total", "Bytes on links", ["direction"], () => {
      const { received, sent } = server.traffic();
      return [[{ direction: "in" }, received], [{ direction: "out" }, sent]];
    });
    this.#counter("chat_handshakes_total", "Handshakes that let somebody in", [], () => tally.connected);
    this.#counter(
      "chat_handshake_failures_total",
      "Handshakes that came to nothing",
      ["why"],
      () => byKind("why", tally.handshakesFailed),
    );
    this.#counter(
      "chat_turned_away_total",
      "Connections closed at once",
      ["why"],
      () => byKind("why", tally.turnedAway),
    );
    this.#counter("chat_refused_total", "People refused after their handshake", [], () => tally.refused);
    this.#counter(
      "chat_limited_total",
      "Requests refused because of a limit",
      ["flag"],
      () => byKind("flag", tally.limited),
    );
    this.#counter(
      "chat_dropped_links_total",
      "Links that were ended",
      ["why"],
      () => byKind("why", tally.dropped),
    );
    this.#counter("chat_rsa_decryptions_total", "RSA decryptions", [], () => server.decryptions);
    this.#counter(
      "chat_store_failures_total",
      "Batches that the disk refused",
      [],
      () => tally.storeFailures,
    );
    this.#counter("chat_faults_total", "Faults of the program", [], () => tally.bugs);
    if (rooms.isShared) this.#watchLog(rooms);
    return this.#watchEventLoop(clock);
  }

  #watchLog(rooms: ChatServer["rooms"]): void {
    this.#confirmed = new Histogram({
      name: "chat_log_confirm_seconds",
      help: "How long it takes until what was proposed has come back from the shared log, and is on disk",
      buckets: confirmBuckets,
      registers: [this.#registry],
    });
    this.#gauge(
      "chat_log_away",
      "Whether the shared log cannot be reached",
      [],
      () => Number(rooms.isLogAway),
    );
    this.#gauge(
      "chat_log_applied",
      "The last entry of it that is applied here",
      [],
      () => rooms.log!.applied,
    );
    this.#gauge(
      "chat_log_behind",
      "Entries that it has and that are not applied here",
      [],
      () => rooms.log!.behind,
    );
    this.#gauge(
      "chat_log_waiting",
      "Changes of this server that have not come back",
      [],
      () => rooms.log!.waiting,
    );
    this.#gauge(
      "chat_servers",
      "Servers that share the log and are there, this one included",
      [],
      () => rooms.others.servers().length + 1,
    );
  }

  #watchEventLoop(clock: Clock): () => void {
    const lag = new Histogram({
      name: "chat_event_loop_lag_seconds",
      help: "How much later than asked for a timer runs",
      buckets: lagBuckets,
      registers: [this.#registry],
    });
    let cancel = () => {};
    const ask = () => {
      const due = performance.now() + lagEveryMs;
      cancel = clock.after(lagEveryMs, () => {
        lag.observe(Math.max(0, performance.now() - due) / 1000);
        ask();
      });
    };
    ask();
    return () => cancel();
  }

  #gauge(name: string, help: string, labelNames: string[], read: () => number | Labelled[]): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => set(read(), (labels, value) => gauge.set(labels, value)),
    });
  }

  #counter(name: string, help: string, labelNames: string[], read: () => number | Labelled[]): void {
    const counter: Counter = new Counter({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        set(read(), (labels, value) => counter.inc(labels, value));
      },
    });
  }

  /** The text that Prometheus reads, and its content type. */
  async text(): Promise<{ body: string; contentType: string }> {
    return { body: await this.#registry.metrics(), contentType: this.#registry.contentType };
  }
}

type Labelled = [Record<string, string>, number];

function set(
  values: number | Labelled[],
  put: (labels: Record<string, string>, value: number) => void,
): void {
  for (const [labels, value] of typeof values === "number" ? [[{}, values] as Labelled] : values) {
    put(labels, value);
  }
}

function byKind(label: string, counts: Record<string, number>): Labelled[] {
  return Object.entries(counts).map(([kind, value]) => [{ [label]: kind }, value]);
}

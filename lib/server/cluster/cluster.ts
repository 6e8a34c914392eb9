/**
 * Cluster: one server's part in several that share a log in NATS: its view, the journal through which all changes go, and
 * the way there. What has to be so before it may serve is made sure of here.
 */

import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import type { ServerEvents } from "../events.ts";
import type { Settings } from "../settings.ts";
import { SqliteStore } from "../store/sqlite.ts";
import { BegunAnew } from "./begun_anew.ts";
import { joinLog, setAside } from "./join_log.ts";
import { dialNats, type NatsOptions, whileElecting } from "./nats_connection.ts";
import { cautionsOf, faultsOf, nodesOf, replicasOf } from "./nats_fitness.ts";
import { NatsBlobs } from "./nats_blobs.ts";
import { NatsLog } from "./nats_log.ts";
import { Presence } from "./presence.ts";
import { appliedOf, SharedJournal } from "./shared_journal.ts";
import { StateDiffers } from "./standing.ts";
import { SnapshotKeeper } from "./snapshot_keeper.ts";
import { Snapshots } from "./snapshots.ts";

/** What a server's part is made of. */
export interface ClusterParts {
  /** Where NATS is. */
  readonly nats: NatsOptions;
  /** The file of this server's view. */
  readonly path: string;
  /** The log is an old copy: this server's view is made anew from it. */
  readonly isRestored?: boolean;
  /** The id of the server's key. */
  readonly server: Bytes;
  /** This server's name for people: where it can be reached. */
  readonly name: string;
  /** With which a new log begins. */
  readonly settings: Settings;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** What the operator sees. */
  readonly events: ServerEvents;
  /** Runs something in a later turn of the event loop. */
  readonly defer: (act: () => void) => void;
  /** It must not go on. */
  stop(error: Error): void;
  /** A fault of ours. */
  fault(error: unknown): void;
}

/** See above. */
export class Cluster {
  private constructor(
    /** This server's view. */
    readonly view: SqliteStore,
    /** What orders all changes. */
    readonly journal: SharedJournal,
    /** Who is where. */
    readonly others: Presence,
    /** Takes snapshots. */
    readonly keeper: SnapshotKeeper,
    /** Chunks of files. */
    readonly blobs: NatsBlobs,
    private readonly log: NatsLog,
    private readonly parts: Pick<ClusterParts, "random" | "stop" | "path">,
    /** What its operator should know of NATS, in words. */
    readonly cautions: readonly string[],
  ) {}

  /** Connects, checks, and opens the view. @throws NatsUnfit, LogRefused, StoreFailed */
  static async open(parts: ClusterParts): Promise<Cluster> {
    const { nats, clock, random, server, settings, events, defer } = parts;
    const connection = await dialNats(nats);
    let opened: { close(): Promise<void> } = connection;
    try {
      const nodes = await nodesOf(connection);
      const [unfit] = faultsOf(connection, nodes, nats.isUnsafe);
      if (unfit) throw unfit;
      const replicas = replicasOf(connection);
      const { fault } = parts;
      const log = await whileElecting(
        clock,
        "keep a log for us",
        () => NatsLog.open({ connection, replicas, clock, fault }),
      );
      opened = log;
      const snapshots = await whileElecting(
        clock,
        "keep snapshots for us",
        () => Snapshots.open(connection, replicas),
      );
      const blobs = await whileElecting(
        clock,
        "keep files for us",
        () => NatsBlobs.open(connection, replicas),
      );
      const { path } = parts;
      if (parts.isRestored) await setAside(path);
      const open = () => new SqliteStore(path, random, true);
      const view = await whileElecting(
        clock,
        "let us join the log",
        () => joinLog({ log, path, open, snapshots, server, settings, random }),
      );
      const keeper = new SnapshotKeeper({ log, snapshots, path, clock, random, events });
      const run = random(16);
      const journal: SharedJournal = new SharedJournal({
        log,
        store: view,
        clock,
        proposer: run,
        events,
        defer,
        stop: (error) => cluster.#stopped(error),
        closing: () => {
          keeper.close();
          return others.close();
        },
      });
      const others = new Presence({
        connection,
        run,
        name: parts.name,
        clock,
        standing: () => journal.standing,
        heard: (by, standing) => journal.hear(by, standing),
        fault: parts.fault,
      });
      const cluster: Cluster = new Cluster(
        view,
        journal,
        others,
        keeper,
        blobs,
        log,
        parts,
        cautionsOf(nats, replicas),
      );
      return cluster;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** The log is an old copy: all servers drop their rooms, and another run begins. */
  async beginAnew(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#begunAnew = resolve;
    void this.journal.propose({ kind: "anew", runId: this.parts.random(16) });
    await promise;
  }
  #begunAnew: (() => void) | null = null;

  /** After the view is closed: one that has gone another way than the others' is not gone on with. */
  async putAside(): Promise<void> {
    if (this.#differs) await setAside(this.parts.path, "differs");
  }
  #differs = false;

  #stopped(error: Error): void {
    this.#differs ||= error instanceof StateDiffers;
    if (error instanceof BegunAnew && this.#begunAnew) this.#begunAnew();
    else this.parts.stop(error);
  }

  /** Which entries the log has. @throws LogAway */
  range(): Promise<{ readonly first: number; readonly last: number }> {
    return this.log.range();
  }

  /** How many entries this server has not applied yet. */
  async behind(): Promise<number> {
    const { last } = await this.log.range();
    return last - (appliedOf(this.view)?.seq ?? 0);
  }
}

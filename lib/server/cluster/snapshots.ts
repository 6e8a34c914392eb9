/**
 * Snapshots: views as some server had them at an entry of the log, in an object bucket of JetStream: who has no view, or
 * one from before the log begins, goes on from the newest. What is in them is sealed, as the log is.
 */

import { jetstreamManager, StorageType } from "@nats-io/jetstream";
import { type ObjectInfo, type ObjectStore, Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { createPrivateFile } from "../../storage/private_file.ts";
import { streams } from "./nats_names.ts";
import { keepOnMore } from "./nats_stream.ts";

const putMs = 20_000;
const prefix = "view-";

/** One of them. */
export interface Snapshot {
  /** In the bucket. */
  readonly name: string;
  /** The entry of the log that it has applied last. */
  readonly seq: number;
  /** Bytes. */
  readonly size: number;
}

/** The bucket. */
export class Snapshots {
  private constructor(private readonly bucket: ObjectStore) {}

  /** Opens it, and makes it if it is not there. @throws what the library says */
  static async open(connection: NatsConnection, replicas: number): Promise<Snapshots> {
    const options = { replicas, storage: StorageType.File };
    const bucket = await new Objm(connection).create(streams.snapshots, options);
    const { streamInfo: { config } } = await bucket.status();
    await keepOnMore(await jetstreamManager(connection), config, replicas);
    return new Snapshots(bucket);
  }

  /** All of them, the newest first. */
  async all(): Promise<Snapshot[]> {
    const infos = await this.bucket.list();
    return infos.filter(({ name, deleted }) => !deleted && name.startsWith(prefix))
      .map(asSnapshot).toSorted((a, b) => b.seq - a.seq);
  }
  /** What a server alone had when it began to share; null: it began with nothing. @param runId in hex */
  async base(runId: string): Promise<Snapshot | null> {
    const info = await this.bucket.info(baseName(runId));
    return info && !info.deleted ? asSnapshot(info) : null;
  }

  /**
   * Puts a file there, and reads it again: the log is purged behind it.
   *
   * @param seq the entry that it has applied last
   * @throws Error when it cannot be read as it was written
   */
  async put(path: string, seq: number): Promise<Snapshot> {
    return await this.#put(path, `${prefix}${String(seq).padStart(16, "0")}`, seq);
  }
  /** The same for what a server alone had. @param runId in hex */
  async putBase(path: string, runId: string): Promise<Snapshot> {
    return await this.#put(path, baseName(runId), 0);
  }
  async #put(path: string, name: string, seq: number): Promise<Snapshot> {
    const { size } = await Deno.stat(path);
    const file = await Deno.open(path);
    const metadata = { seq: String(seq) };
    await this.bucket.put({ name, metadata }, file.readable, { timeout: putMs });
    let read = 0;
    for await (const part of await this.#partsOf(name)) read += part.length;
    if (read !== size) throw new Error(`a snapshot of ${size} bytes came back as ${read}`);
    return { name, seq, size };
  }

  /** The bytes of one, held against its digest at their end. */
  async #partsOf(name: string): Promise<AsyncIterable<Uint8Array>> {
    const found = await this.bucket.get(name);
    if (!found) throw new Error(`there is no snapshot ${name}`);
    return (async function* () {
      yield* found.data;
      const error = await found.error;
      if (error) throw error;
    })();
  }

  /** Writes one into a file of its own, which is on the disk after it. @throws Error, FileTrouble */
  async fetch({ name, size }: Snapshot, path: string): Promise<void> {
    await Deno.remove(path).catch(() => {});
    createPrivateFile(path);
    using file = await Deno.open(path, { write: true, truncate: true });
    const writer = file.writable.getWriter();
    let written = 0;
    for await (const part of await this.#partsOf(name)) {
      await writer.write(new Uint8Array(part));
      written += part.length;
    }
    if (written !== size) throw new Error(`a snapshot of ${size} bytes came as ${written}`);
    await file.sync();
  }

  /** Takes all but the newest ones away. @param kept how many */
  async drop(kept: number): Promise<void> {
    for (const { name } of (await this.all()).slice(kept)) await this.bucket.delete(name);
  }
}

function baseName(runId: string): string {
  return `base-${runId}`;
}

function asSnapshot({ name, size, metadata }: ObjectInfo): Snapshot {
  return { name, seq: Number(metadata?.seq ?? 0), size };
}

/**
 * NatsBlobs: chunks of files in a stream of JetStream, one subject for each chunk: whoever brings a file may go on at
 * another server, and every server gives it.
 */

import { jetstream, type JetStreamClient, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Bytes } from "../../crypto/bytes.ts";
import { type BlobBytes, BlobsFailed } from "../blobs/blob_bytes.ts";
import { streams, subjects } from "./nats_names.ts";
import { ensureStream } from "./nats_stream.ts";

const writeMs = 5_000;
/** A node that is away, or a leader that is being elected, costs a few of them. */
const tries = 4;
const stream = streams.blobs;

/** The chunks of one cluster. */
export class NatsBlobs implements BlobBytes {
  private constructor(private readonly manager: JetStreamManager, private readonly client: JetStreamClient) {}

  /** Makes the stream if it is not there. @throws what the library says */
  static async open(connection: NatsConnection, replicas: number): Promise<NatsBlobs> {
    const manager = await jetstreamManager(connection);
    await ensureStream(manager, {
      name: stream,
      subjects: [`${subjects.blob}.*.*`],
      storage: "file",
      num_replicas: replicas,
      max_msgs_per_subject: 1, // a chunk that comes again takes its place
      allow_direct: true,
    });
    return new NatsBlobs(manager, jetstream(connection));
  }

  async write(name: string, index: number, bytes: Uint8Array): Promise<void> {
    await failing(() => this.client.publish(subjectOf(name, index), bytes, { timeout: writeMs }));
  }

  /** What was written was confirmed, and so is on the disks. */
  sync(): Promise<void> {
    return Promise.resolve();
  }

  async read(name: string, index: number, length: number): Promise<Bytes | null> {
    const query = { last_by_subj: subjectOf(name, index) };
    const found = await failing(async () =>
      await this.manager.direct.getMessage(stream, query) ??
        // A node that is behind has it later than those that have confirmed it.
        await this.manager.streams.getMessage(stream, query)
    );
    return found?.data.length === length ? new Uint8Array(found.data) : null;
  }

  async remove(name: string): Promise<void> {
    await failing(() => this.manager.streams.purge(stream, { filter: `${subjects.blob}.${name}.*` }));
  }

  async names(): Promise<string[]> {
    const { state } = await failing(() =>
      this.manager.streams.info(stream, { subjects_filter: `${subjects.blob}.>` })
    );
    const first = subjects.blob.length + 1;
    return [...new Set(Object.keys(state.subjects ?? {}).map((each) => each.slice(first, first + 32)))];
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function subjectOf(name: string, index: number): string {
  return `${subjects.blob}.${name}.${index}`;
}

/** Tries a few times. @throws BlobsFailed in NATS's words */
async function failing<T>(act: () => Promise<T>): Promise<T> {
  for (let n = 1;; n++) {
    try {
      return await act();
    } catch (error) {
      if (n === tries) throw new BlobsFailed((error as Error).message);
      await new Promise((resolve) => setTimeout(resolve, 250 * n));
    }
  }
}

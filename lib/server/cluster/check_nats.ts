/** CheckNats: tells what NATS has and lacks for servers that want to share a log there, and changes nothing. */

import { jetstreamManager } from "@nats-io/jetstream";
import { fingerprint } from "../../crypto/identity.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { decodeRecord } from "../store/record_codec.ts";
import { decodeGathered } from "./log_entry.ts";
import { dialNats, type NatsOptions, NatsUnfit } from "./nats_connection.ts";
import { cautionsOf, faultsOf, nodesOf, replicasOf } from "./nats_fitness.ts";
import { streams, subjects } from "./nats_names.ts";

/** What was found. */
export interface NatsFindings {
  /** What is there. */
  readonly lines: readonly string[];
  /** What an operator should know of it, though it does. */
  readonly cautions: readonly string[];
  /** What stands against it; empty: nothing. */
  readonly faults: readonly NatsUnfit[];
}

/** Looks. @throws NatsUnfit when it cannot be reached at all */
export async function checkNats(options: NatsOptions): Promise<NatsFindings> {
  const connection = await dialNats(options);
  const lines: string[] = [];
  try {
    const nodes = await nodesOf(connection);
    const faults = faultsOf(connection, nodes, options.isUnsafe);
    for (const { name, version, isSynced } of nodes ?? []) {
      lines.push(
        `${name}: version ${version}, ${
          isSynced ? "writes before it confirms" : "confirms before it writes"
        }`,
      );
    }
    const wanted = replicasOf(connection);
    if (nodes && nodes.length < wanted) {
      faults.push(
        new NatsUnfit(
          `Only ${nodes.length} of its nodes answer, and ${wanted} are to keep each entry`,
          "start the others, and check that they reach each other",
        ),
      );
    }
    if (options.tls) lines.push("TLS, and both sides have shown who they are");
    faults.push(...await checkStream(connection, lines));
    return { lines, cautions: cautionsOf(options, wanted), faults };
  } finally {
    await connection.close();
  }
}

async function checkStream(
  connection: Awaited<ReturnType<typeof dialNats>>,
  lines: string[],
): Promise<NatsUnfit[]> {
  try {
    const manager = await jetstreamManager(connection);
    const found = await manager.streams.info(streams.log).catch((error: Error) => {
      if (/not found/i.test(error.message)) return null;
      throw error;
    });
    if (!found) {
      lines.push(`There is no log yet: the first server makes the stream ${streams.log}`);
      return [];
    }
    const { state: { messages, first_seq, last_seq }, config } = found;
    if (!config.subjects.includes(subjects.log)) {
      return [
        new NatsUnfit(
          `The stream ${streams.log} belongs to another program`,
          "give the servers an account of their own in NATS",
        ),
      ];
    }
    lines.push(
      `The log has ${messages} entries, ${first_seq} to ${last_seq}, each on ${config.num_replicas} nodes`,
    );
    const first = first_seq === 1 ? await manager.direct.getMessage(streams.log, { seq: 1 }) : null;
    const record = first && decodeRecord(decodeGathered(new Uint8Array(first.data) as Bytes).records[0]);
    if (record?.kind === "begin") lines.push(`Its servers have the key ${fingerprint(record.server)}`);
    return [];
  } catch (error) {
    return [
      new NatsUnfit(
        `JetStream cannot be used: ${(error as Error).message}`,
        "turn it on for this account, with the rights that the page about servers lists",
      ),
    ];
  }
}

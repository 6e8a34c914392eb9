/**
 * JoinLog: what a server makes sure of before it follows a shared log: that it has the key of those who share it, that
 * its view is of this log, and that it is not further than the log itself. A log that nobody has begun is begun.
 */

import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import { fingerprint } from "../../crypto/identity.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import { beginNote } from "../rooms/apply.ts";
import type { Settings } from "../settings.ts";
import { decodeRecord, encodeRecord } from "../store/record_codec.ts";
import type { LogRecord } from "../store/journal.ts";
import type { Store } from "../store/store.ts";
import { decodeGathered, encodeGathered } from "./log_entry.ts";
import { appliedOf } from "./shared_journal.ts";
import type { SharedLog } from "./shared_log.ts";
import { beginning } from "./standing.ts";

/** Whoever begins at the same time begins the same log. */
const beginId = "begin";

/** The view and the log do not belong together. */
export class LogRefused extends ChatError {}

/** A view, as far as this file needs it. */
export type JoiningStore = Pick<Store, "note" | "rooms" | "runId"> & { adoptRun(runId: Bytes): void };

/** What is joined, and as whom. */
export interface Joining {
  /** The log. */
  readonly log: SharedLog;
  /** This server's view. */
  readonly store: JoiningStore;
  /** The id of this server's key. */
  readonly server: Bytes;
  /** Those with which a new log begins. */
  readonly settings: Settings;
  /** For the run id of a new log. */
  readonly random: RandomSource;
}

/**
 * Joins. The view has the log's run id after it.
 *
 * @throws LogRefused, LogAway, StoreFailed, UnknownRecord
 */
export async function joinLog({ log, store, server, settings, random }: Joining): Promise<void> {
  const begun = store.note(beginNote);
  const range = await log.range();
  if (begun) {
    checkKey(begun.slice(0, 32), server);
    return checkView(appliedOf(store)!.seq, range);
  }
  if (store.rooms().length > 0) {
    throw new LogRefused(
      "The data directory has rooms that are not of this cluster",
      "give another one with --data, or move rooms.db out of it: a server of a cluster makes its own from the log",
    );
  }
  if (range.last === 0) {
    const record: LogRecord = { kind: "begin", server, runId: random(16), settings };
    const entry = { proposer: random(16), n: 0, standing: beginning, records: [encodeRecord(record)] };
    await log.append(beginId, encodeGathered(entry));
  }
  const first = await log.read(1);
  const record = first && decodeRecord(decodeGathered(first.data).records[0]);
  if (record?.kind !== "begin") {
    throw new LogRefused(
      "The log does not begin with its beginning",
      "wait until all nodes of NATS are there, and try again; a stream CHAT of another program must go elsewhere",
    );
  }
  checkKey(record.server, server);
  store.adoptRun(record.runId);
}

function checkKey(theirs: Bytes, own: Bytes): void {
  if (equals(theirs, own)) return;
  throw new LogRefused(
    `The servers of this cluster have another key: ${fingerprint(theirs)}, and here it is ${
      fingerprint(own)
    }`,
    "bring server_private_key.pem of one of them into this data directory, as a file; or give the right --data",
    exitCodes.trust,
  );
}

function checkView(applied: number, { first, last }: { first: number; last: number }): void {
  if (applied > last) {
    throw new LogRefused(
      `This server has seen ${applied} entries of the log, and it has only ${last}: it is an old copy, or another log`,
      "if NATS was put back from a copy, read about that in the page about servers first; nobody may serve from it as it is",
    );
  }
  if (applied + 1 < first) {
    throw new LogRefused(
      `The log begins at entry ${first}, and this server's view ends at ${applied}`,
      "move rooms.db out of the data directory: it is made anew from a snapshot",
    );
  }
}

/**
 * JoinLog: what a server makes sure of before it follows a shared log: that it has the key of those who share it, that
 * its view is of this log, and that it is not further than the log itself. A log that nobody has begun is begun, with the
 * rooms that this server had alone; who has no view, or an old one, begins with a snapshot.
 */

import { equals } from "@std/bytes/equals";
import { dirname } from "@std/path";
import type { Bytes } from "../../crypto/bytes.ts";
import { fingerprint } from "../../crypto/identity.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import { encodeHex } from "../../hex.ts";
import { syncDirectory } from "../../storage/private_file.ts";
import type { Settings } from "../settings.ts";
import { decodeRecord, encodeRecord } from "../store/record_codec.ts";
import type { LogRecord } from "../store/journal.ts";
import type { SqliteStore } from "../store/sqlite.ts";
import { sharedNotes } from "../store/store.ts";
import { copyView } from "./copy_view.ts";
import { decodeGathered, encodeGathered } from "./log_entry.ts";
import { appliedOf } from "./shared_journal.ts";
import { LogAway, type SharedLog } from "./shared_log.ts";
import type { Snapshot, Snapshots } from "./snapshots.ts";
import { beginning } from "./standing.ts";

/** Whoever begins at the same time begins the same log. */
const beginId = "begin";

/** The view and the log do not belong together. */
export class LogRefused extends ChatError {}

/** What is joined, and as whom. */
export interface Joining {
  /** The log. */
  readonly log: SharedLog;
  /** The file of this server's view, there or not. */
  readonly path: string;
  /** Opens it, and makes it if it is not there. @throws StoreFailed */
  open(): SqliteStore;
  /** What others have kept of it. */
  readonly snapshots: Pick<Snapshots, "all" | "base" | "putBase" | "fetch">;
  /** The id of this server's key. */
  readonly server: Bytes;
  /** Those with which a new log begins. */
  readonly settings: Settings;
  /** For the run id of a new log. */
  readonly random: RandomSource;
}

/**
 * Joins.
 *
 * @returns this server's view, from which it follows the log
 * @throws LogRefused, LogAway, StoreFailed, UnknownRecord, and what fetching a snapshot does
 */
export async function joinLog(joining: Joining): Promise<SqliteStore> {
  const view = joining.open();
  try {
    return await (view.note(sharedNotes.begin) ? goOn(joining, view) : begin(joining, view));
  } catch (error) {
    if (!view.isClosed) view.close();
    throw error;
  }
}

/** With a view that has followed the log before. */
async function goOn(joining: Joining, view: SqliteStore): Promise<SqliteStore> {
  const { log, server, snapshots } = joining;
  const { first, last } = await log.range();
  const known = view.note(sharedNotes.begin)!;
  checkKey(known.slice(0, 32), server);
  const begun = first === 1 && last > 0 ? await beginningOf(log) : null;
  if (begun && !equals(begun.runId, known.slice(32))) {
    throw new LogRefused(
      "The log has been begun again since this server followed it",
      "move rooms.db out of the data directory: it is made anew from the log",
    );
  }
  const { seq } = appliedOf(view)!;
  if (seq > last) {
    throw new LogRefused(
      `This server has seen ${seq} entries of the log, and it has only ${last}: it is an old copy, or another log`,
      "if NATS was put back from a copy, read about that in the page about servers first; nobody may serve from it as it is",
    );
  }
  if (seq + 1 >= first) return view;
  const [newest] = await snapshots.all();
  if (!newest || newest.seq + 1 < first) throw nothingToGoOnFrom(first);
  return checked(joining, await replaced(joining, view, newest));
}

/** With a view that has followed no log yet. */
async function begin(joining: Joining, view: SqliteStore): Promise<SqliteStore> {
  const { log, server, settings, random, snapshots } = joining;
  const hasBase = !view.isEmpty;
  const before = await log.range();
  if (before.last === 0) {
    const runId = hasBase ? view.runId : random(16);
    if (hasBase) await putBase(joining, runId);
    const record: LogRecord = { kind: "begin", server, runId, settings, hasBase };
    const entry = { proposer: random(16), n: 0, standing: beginning, records: [encodeRecord(record)] };
    await log.append(beginId, encodeGathered(entry));
  }
  const { first } = await log.range();
  const begun = first === 1 ? await beginningOf(log) : null;
  if (begun) checkKey(begun.server, server);
  if (hasBase) {
    if (begun?.hasBase && equals(begun.runId, view.runId)) return view;
    throw new LogRefused(
      "The data directory has people or rooms that are not of this cluster",
      "give another one with --data, or move rooms.db out of it: a server of a cluster makes its own from the log",
    );
  }
  const [newest] = await snapshots.all();
  if (newest && newest.seq + 1 >= first) return checked(joining, await replaced(joining, view, newest));
  if (!begun) throw nothingToGoOnFrom(first);
  if (begun.hasBase) {
    const base = await snapshots.base(encodeHex(begun.runId));
    if (!base) throw nothingToGoOnFrom(first);
    return await replaced(joining, view, base);
  }
  view.adoptRun(begun.runId);
  return view;
}

async function beginningOf(log: SharedLog): Promise<LogRecord & { kind: "begin" }> {
  const entry = await log.read(1);
  if (!entry) throw new LogAway("the first entry is not at this node yet");
  const record = decodeRecord(decodeGathered(entry.data).records[0]);
  if (record.kind === "begin") return record;
  throw new LogRefused(
    "The log does not begin with its beginning",
    "a stream CHAT of another program must go elsewhere: give the servers an account of their own in NATS",
  );
}

/** What this server had alone goes on with all others. */
async function putBase({ path, snapshots }: Joining, runId: Bytes): Promise<void> {
  const copy = `${path}.base`;
  await Deno.remove(copy).catch(() => {});
  try {
    await copyView(path, copy, sharedNotes.begin);
    await snapshots.putBase(copy, encodeHex(runId));
  } finally {
    await Deno.remove(copy).catch(() => {});
  }
}

/** Puts a snapshot in place of a view; the one before stays beside it until the next time. */
async function replaced(
  { path, open, snapshots }: Joining,
  view: SqliteStore,
  snapshot: Snapshot,
): Promise<SqliteStore> {
  const fresh = `${path}.new`;
  await snapshots.fetch(snapshot, fresh);
  view.close();
  await setAside(path);
  await Deno.rename(fresh, path);
  syncDirectory(dirname(path));
  return open();
}

/** Keeps a view that is not gone on with beside the new one. */
export async function setAside(path: string, as = "old"): Promise<void> {
  try {
    await Deno.rename(path, `${path}.${as}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const rest of ["-wal", "-shm"]) await Deno.remove(path + rest).catch(() => {});
}

function checked({ server }: Joining, view: SqliteStore): SqliteStore {
  checkKey(view.note(sharedNotes.begin)!.slice(0, 32), server);
  return view;
}

function nothingToGoOnFrom(first: number): LogRefused {
  return new LogRefused(
    `The log begins at entry ${first}, and there is no snapshot to go on from`,
    "put back the bucket CHAT_SNAP of NATS from a copy, or begin with the rooms.db of another server",
  );
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

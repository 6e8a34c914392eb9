/**
 * LogEntry: what a server appends to the shared log: records that were gathered, with who proposes them, and what that
 * server's own state was.
 *
 *   entry = u8 1 ‖ proposer[16] ‖ u64 n ‖ u64 applied ‖ digest[16] ‖ u16 count ‖ vec32(record) …
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { Malformed } from "../../errors.ts";
import { Reader, Writer } from "../../protocol/codec/wire.ts";
import { UnknownRecord } from "../store/record_codec.ts";
import { digestBytes, type Standing } from "./standing.ts";

const version = 1;

/** Records that came together. */
export interface Gathered {
  /** 16 bytes: a run of a server. */
  readonly proposer: Bytes;
  /** Counts what that run has proposed. */
  readonly n: number;
  /** How far that server's view had come. */
  readonly standing: Standing;
  /** As bytes: whoever has proposed them has them already. */
  readonly records: readonly Bytes[];
}

/** As bytes. */
export function encodeGathered({ proposer, n, standing, records }: Gathered): Bytes {
  const w = new Writer(128 + records.reduce((sum, record) => sum + record.length + 4, 0));
  w.u8(version).raw(proposer).u64(n).u64(standing.seq).raw(standing.digest).u16(records.length);
  for (const record of records) w.vec32(record);
  return w.done();
}

/** Reads it. @throws UnknownRecord for what a newer server has written, Malformed */
export function decodeGathered(data: Bytes): Gathered {
  const r = new Reader(data);
  const kind = r.u8();
  if (kind !== version) throw kind === 0 ? new Malformed("an entry of no version") : new UnknownRecord(kind);
  const [proposer, n] = [r.take(16), r.u64()];
  const standing = { seq: r.u64(), digest: r.take(digestBytes) };
  const records: Bytes[] = [];
  for (let left = r.u16(); left > 0; left--) records.push(r.vec32());
  r.end();
  return { proposer, n, standing, records };
}

/**
 * LogEntry: what a server appends to the shared log: records that were gathered, with who proposes them.
 *
 *   entry = u8 1 ‖ proposer[16] ‖ u64 n ‖ u16 count ‖ vec32(record) …
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { Malformed } from "../../errors.ts";
import { Reader, Writer } from "../../protocol/codec/wire.ts";
import { UnknownRecord } from "../store/record_codec.ts";

const version = 1;

/** Records that came together. */
export interface Gathered {
  /** 16 bytes: a run of a server. */
  readonly proposer: Bytes;
  /** Counts what that run has proposed. */
  readonly n: number;
  /** As bytes: whoever has proposed them has them already. */
  readonly records: readonly Bytes[];
}

/** As bytes. */
export function encodeGathered({ proposer, n, records }: Gathered): Bytes {
  const w = new Writer(64 + records.reduce((sum, record) => sum + record.length + 4, 0));
  w.u8(version).raw(proposer).u64(n).u16(records.length);
  for (const record of records) w.vec32(record);
  return w.done();
}

/** Reads it. @throws UnknownRecord for what a newer server has written, Malformed */
export function decodeGathered(data: Bytes): Gathered {
  const r = new Reader(data);
  const kind = r.u8();
  if (kind !== version) throw kind === 0 ? new Malformed("an entry of no version") : new UnknownRecord(kind);
  const [proposer, n, count] = [r.take(16), r.u64(), r.u16()];
  const records: Bytes[] = [];
  for (let i = 0; i < count; i++) records.push(r.vec32());
  r.end();
  return { proposer, n, records };
}

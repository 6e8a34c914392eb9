/**
 * RecordCodec: records of the journal as bytes, for a log that several servers share. A kind keeps its number for good: a
 * server that does not know one must not go on, since it would come to another state than the others.
 *
 *   record = u8 kind ‖ fields      part of a log's entry = vec32(record)
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError, Malformed } from "../../errors.ts";
import { decodeUtf8 } from "../../protocol/codec/layout.ts";
import { Reader, Writer } from "../../protocol/codec/wire.ts";
import { decodeSettings, encodeSettings } from "../settings.ts";
import type { LogRecord } from "./journal.ts";
import type { StoredBan } from "./store.ts";

/** A newer server has written it. */
export class UnknownRecord extends ChatError {
  /** @param kind its number */
  constructor(readonly kind: number) {
    super(
      `The log has a record of a kind (${kind}) that this version does not know`,
      "a newer server writes to it: run the same version here",
    );
  }
}

/** Numbers of kinds; they are never given anew. */
const kinds = {
  card: 1,
  prekey: 2,
  join: 3,
  unjoin: 4,
  leave: 5,
  commit: 6,
  message: 7,
  "key-file message": 8,
  "key-file room": 9,
  retire: 10,
  reap: 11,
  sweep: 12,
  want: 13,
  ban: 14,
  unban: 15,
  expire: 16,
  blob: 17,
  "blob at": 18,
  "blob drop": 19,
  note: 20,
  begin: 21,
  settings: 22,
  link: 23,
  anew: 24,
} as const satisfies Record<LogRecord["kind"], number>;
const names = new Map<number, LogRecord["kind"]>(
  Object.entries(kinds).map(([name, number]) => [number, name as LogRecord["kind"]]),
);
const banKinds: readonly StoredBan["kind"][] = ["name", "address", "network"];
/** No end: seconds that no ban lasts until. */
const never = Number.MAX_SAFE_INTEGER;

const utf8 = (text: string) => new TextEncoder().encode(text);

/** A record as bytes. */
export function encodeRecord(record: LogRecord): Bytes {
  const w = new Writer(512).u8(kinds[record.kind]);
  switch (record.kind) {
    case "card":
      return w.u8(record.takesName ? 1 : 0).vec32(record.card).done();
    case "prekey":
    case "message":
    case "key-file message":
      return w.vec32(record.bytes).done();
    case "join":
    case "unjoin":
    case "want":
      return w.raw(record.room).raw(record.id).done();
    case "leave":
      return w.raw(record.room).raw(record.leave.id).u32(record.leave.epoch).raw(record.leave.signature)
        .done();
    case "commit":
      w.vec32(record.bytes).u16(record.boxes.length);
      for (const box of record.boxes) w.vec32(box);
      return w.done();
    case "key-file room":
      return w.raw(record.room).raw(record.maker).done();
    case "retire":
    case "reap":
      return w.raw(record.room).done();
    case "sweep":
      return w.done();
    case "ban":
    case "unban": {
      const { kind, value, shown, until, reason } = record.ban;
      w.u8(banKinds.indexOf(kind)).vec16(utf8(value)).vec16(utf8(shown)).u64(until ?? never);
      return w.vec16(utf8(reason)).done();
    }
    case "expire":
      w.raw(record.room).u64(record.expiredUpTo).u32(record.ranges.length);
      for (const { first, last } of record.ranges) w.u64(first).u64(last);
      return w.done();
    case "blob": {
      const { id, room, owner, chunks, lastBytes } = record.blob;
      return w.raw(id).raw(room).raw(owner).u32(chunks).u32(lastBytes).done();
    }
    case "blob at":
      return w.raw(record.id).u32(record.next).done();
    case "blob drop":
      return w.raw(record.id).done();
    case "note":
      return w.vec16(utf8(record.key)).vec32(record.value).done();
    case "begin":
      return w.raw(record.server).raw(record.runId).vec32(encodeSettings(record.settings)).u8(
        record.hasBase ? 1 : 0,
      ).done();
    case "link":
      return w.raw(record.id).raw(record.link).done();
    case "anew":
      return w.raw(record.runId).done();
    case "settings":
      return w.vec32(encodeSettings(record.settings)).done();
  }
}

/** Reads one. @throws UnknownRecord, Malformed */
export function decodeRecord(bytes: Bytes): LogRecord {
  const r = new Reader(bytes);
  const number = r.u8();
  const kind = names.get(number);
  if (kind === undefined) throw new UnknownRecord(number);
  const record = fieldsOf(kind, r);
  r.end();
  return record;
}

function fieldsOf(kind: LogRecord["kind"], r: Reader): LogRecord {
  switch (kind) {
    case "card":
      return { kind, takesName: flag(r), card: r.vec32() };
    case "prekey":
    case "message":
    case "key-file message":
      return { kind, bytes: r.vec32() };
    case "join":
    case "unjoin":
    case "want":
      return { kind, room: r.take(32), id: r.take(32) };
    case "leave":
      return { kind, room: r.take(32), leave: { id: r.take(32), epoch: r.u32(), signature: r.take(64) } };
    case "commit":
      return { kind, bytes: r.vec32(), boxes: times(r.u16(), () => r.vec32()) };
    case "key-file room":
      return { kind, room: r.take(32), maker: r.take(32) };
    case "retire":
    case "reap":
      return { kind, room: r.take(32) };
    case "sweep":
      return { kind };
    case "ban":
    case "unban":
      return { kind, ban: banOf(r) };
    case "expire": {
      const [room, expiredUpTo] = [r.take(32), r.u64()];
      const ranges = times(r.u32(), () => ({ first: r.u64(), last: r.u64() }));
      return { kind, room, expiredUpTo, ranges };
    }
    case "blob": {
      const blob = {
        id: r.take(16),
        room: r.take(32),
        owner: r.take(32),
        chunks: r.u32(),
        lastBytes: r.u32(),
      };
      return { kind, blob };
    }
    case "blob at":
      return { kind, id: r.take(16), next: r.u32() };
    case "blob drop":
      return { kind, id: r.take(16) };
    case "note":
      return { kind, key: decodeUtf8(r.vec16()), value: r.vec32() };
    case "begin":
      return {
        kind,
        server: r.take(32),
        runId: r.take(16),
        settings: decodeSettings(r.vec32()),
        hasBase: flag(r),
      };
    case "link":
      return { kind, id: r.take(32), link: r.take(16) };
    case "anew":
      return { kind, runId: r.take(16) };
    case "settings":
      return { kind, settings: decodeSettings(r.vec32()) };
  }
}

function banOf(r: Reader): StoredBan {
  const kind = banKinds[r.u8()];
  if (kind === undefined) throw new Malformed("a ban of no kind");
  const [value, shown, until] = [decodeUtf8(r.vec16()), decodeUtf8(r.vec16()), r.u64()];
  return { kind, value, shown, until: until === never ? null : until, reason: decodeUtf8(r.vec16()) };
}

function flag(r: Reader): boolean {
  const value = r.u8();
  if (value > 1) throw new Malformed("a flag is 0 or 1");
  return value === 1;
}

/** Reads one after the other: what is missing throws before much is made. */
function times<T>(count: number, read: () => T): T[] {
  const all: T[] = [];
  for (let i = 0; i < count; i++) all.push(read());
  return all;
}

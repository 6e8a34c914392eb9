/** Records as bytes: what is read is what was written, and nothing else is read. */

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { Malformed } from "../../lib/errors.ts";
import { type Settings, sharedLimits } from "../../lib/server/settings.ts";
import type { LogRecord } from "../../lib/server/store/journal.ts";
import { decodeRecord, encodeRecord, UnknownRecord } from "../../lib/server/store/record_codec.ts";
import { test } from "../fakes/test.ts";

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value) => new Uint8Array(value) as Bytes);
const some = fc.uint8Array({ maxLength: 300 }).map((value) => new Uint8Array(value) as Bytes);
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u53 = fc.maxSafeNat();
const text = fc.string({ unit: "grapheme", maxLength: 40 });
const [id, file] = [bytes(32), bytes(16)];
const ban = fc.record({
  kind: fc.constantFrom("name", "address", "network"),
  value: text,
  shown: text,
  until: fc.option(fc.integer({ min: 0, max: 2 ** 40 })),
  reason: text,
});

const settings = fc.record(
  Object.fromEntries(
    sharedLimits.map((name) => [name, fc.nat()]),
  ),
).map((limits) => ({
  limits: limits as unknown as Settings["limits"],
  retention: { seconds: 1, bytes: 2, filesSeconds: 3 },
}));
const records: { readonly [Kind in LogRecord["kind"]]: fc.Arbitrary<Record<string, unknown>> } = {
  card: fc.record({ card: some, takesName: fc.boolean() }),
  prekey: fc.record({ bytes: some }),
  join: fc.record({ room: id, id }),
  unjoin: fc.record({ room: id, id }),
  leave: fc.record({ room: id, leave: fc.record({ id, epoch: u32, signature: bytes(64) }) }),
  commit: fc.record({ bytes: some, boxes: fc.array(some, { maxLength: 4 }) }),
  message: fc.record({ bytes: some }),
  "key-file message": fc.record({ bytes: some }),
  "key-file room": fc.record({ room: id, maker: id }),
  retire: fc.record({ room: id }),
  reap: fc.record({ room: id }),
  sweep: fc.record({}),
  want: fc.record({ room: id, id }),
  ban: fc.record({ ban }),
  unban: fc.record({ ban }),
  expire: fc.record({
    room: id,
    expiredUpTo: u53,
    ranges: fc.array(fc.record({ first: u53, last: u53 }), { maxLength: 4 }),
  }),
  blob: fc.record({ blob: fc.record({ id: file, room: id, owner: id, chunks: u32, lastBytes: u32 }) }),
  "blob at": fc.record({ id: file, next: u32 }),
  "blob drop": fc.record({ id: file }),
  note: fc.record({ key: text, value: some }),
  begin: fc.record({ server: id, runId: file, settings, hasBase: fc.boolean() }),
  settings: fc.record({ settings }),
  link: fc.record({ id, link: file }),
  anew: fc.record({ runId: file }),
};
const record = fc.oneof(
  ...Object.entries(records).map(([kind, fields]) => fields.map((each) => ({ kind, ...each }) as LogRecord)),
);

test("property: a record of any kind is read as it was written", () => {
  fc.assert(fc.property(record, (each) => assertEquals(decodeRecord(encodeRecord(each)), each)), {
    numRuns: 2_000,
  });
});

test("property: a record that is cut, or has more at its end, is refused", () => {
  fc.assert(fc.property(record, fc.nat(), (each, at) => {
    const whole = encodeRecord(each);
    assertThrows(() => decodeRecord(whole.slice(0, at % whole.length)), Malformed);
    assertThrows(() => decodeRecord(Uint8Array.of(...whole, 0)), Malformed);
  }));
});

test("a kind that is not known yet is told as that, with what to do", () => {
  const error = assertThrows(() => decodeRecord(Uint8Array.of(200, 1, 2)), UnknownRecord);
  assertEquals(error.kind, 200);
});

test("numbers of kinds are those that logs were written with", () => {
  const numbers = Object.keys(records).map((kind) => {
    const [sample] = fc.sample(records[kind as LogRecord["kind"]], { numRuns: 1, seed: 1 });
    return encodeRecord({ kind, ...sample } as LogRecord)[0];
  });
  assertEquals(numbers, Array.from({ length: 24 }, (_, i) => i + 1));
});

import { test } from "../fakes/test.ts";
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { CfbEncryptor } from "../../lib/crypto/cfb.ts";
import { TagMismatch } from "../../lib/crypto/seal.ts";
import { RecordOpener, RecordSealer } from "../../lib/protocol/channel/records.ts";
import { countedDecrypts } from "../fakes/counted_decrypts.ts";
import { unhex, vectors } from "../fakes/vectors.ts";

const { records } = vectors("link");
const secret = unhex(records.secret);
const plaintext = unhex(records.plaintext);

test("records are the frozen ones, across the rekey boundary 65 535 → 0", () => {
  const sealer = new RecordSealer(secret);
  const opener = new RecordOpener(secret);
  for (let n = 0; n <= 65_537; n++) {
    const wire = sealer.seal(plaintext);
    if (records.wire[n]) assertEquals(encodeHex(wire), records.wire[n], `record ${n}`);
    assertEquals(opener.open(wire), plaintext);
  }
});

function three() {
  const sealer = new RecordSealer(secret);
  return [1, 2, 3].map((n) => sealer.seal(Uint8Array.of(n)));
}
const attacks: [string, (w: Uint8Array[]) => Uint8Array[]][] = [
  ["a replayed", ([a]) => [a, a]],
  ["a reordered", ([a, b]) => [b, a]],
  ["a dropped", ([a, , c]) => [a, c]],
  ["a truncated", ([a]) => [a.slice(0, -1)]],
  ["a shortened", ([a]) => [Uint8Array.from([...a.slice(0, 4), ...a.slice(5)])]],
];
for (const [what, change] of attacks) {
  test(`property 7: ${what} record is refused`, () => {
    const opener = new RecordOpener(secret);
    const wires = change(three());
    assertThrows(() => wires.forEach((wire) => opener.open(wire)), TagMismatch);
  });
}
test("property 7: a reflected record is refused, as each direction has its own keys", () => {
  const [c2s, s2c] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  assertThrows(() => new RecordOpener(s2c).open(new RecordSealer(c2s).seal(plaintext)), TagMismatch);
});
test("property 9: nothing of a record is decrypted before its whole tag holds", () =>
  countedDecrypts((calls) => {
    const wire = new RecordSealer(secret).seal(plaintext);
    for (const at of [4, wire.length - 32, wire.length - 1]) {
      assertThrows(
        () => new RecordOpener(secret).open(wire.map((b, i) => i === at ? b ^ 1 : b)),
        TagMismatch,
      );
    }
    assertEquals(calls(), 0);
  }));
test("property 8: no pair of key and IV is used twice, rekeying included", () => {
  const encrypt = CfbEncryptor.prototype.encrypt;
  const pairs = new Set<string>();
  const keys = new Map<CfbEncryptor, number>();
  let uses = 0;
  CfbEncryptor.prototype.encrypt = function (iv, text) {
    if (!keys.has(this)) keys.set(this, keys.size);
    pairs.add(`${keys.get(this)} ${encodeHex(iv)}`);
    uses++;
    return encrypt.call(this, iv, text);
  };
  try {
    const [a, b] = [new RecordSealer(secret), new RecordSealer(new Uint8Array(32))];
    for (let n = 0; n < 66_000; n++) for (const sealer of [a, b]) sealer.seal(Uint8Array.of(0));
    assertEquals(pairs.size, uses);
    assertEquals(keys.size, 4);
  } finally {
    CfbEncryptor.prototype.encrypt = encrypt;
  }
});
test("equal texts give unequal records", () => {
  const [a, b] = [new RecordSealer(secret), new RecordSealer(secret)];
  a.seal(plaintext);
  assertNotEquals(a.seal(plaintext), b.seal(plaintext));
});
test("a record holds 1 to 65 536 bytes", () => {
  assertThrows(() => new RecordSealer(secret).seal(new Uint8Array(0)), Error);
  assertThrows(() => new RecordSealer(secret).seal(new Uint8Array(65_537)), Error);
  assertEquals(new RecordSealer(secret).seal(new Uint8Array(65_536)).length, 65_572);
});

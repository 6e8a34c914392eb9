import { test } from "../fakes/test.ts";
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { openToken, sealToken, TokenRefused } from "../../lib/crypto/fernet.ts";
import { decodeRoomKey } from "../../lib/crypto/room_key.ts";
import { vectors } from "../fakes/vectors.ts";

const { generate, verify, invalid, python } = vectors("fernet");
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (b: Uint8Array) => new TextDecoder().decode(b);
const key = (secret: string) => decodeRoomKey(bytes(secret));
const seconds = (iso: string) => Date.parse(iso) / 1000;

for (const row of generate) {
  test(`the specification's generate.json: "${row.src}"`, () => {
    const token = sealToken(key(row.secret), seconds(row.now), Uint8Array.from(row.iv), bytes(row.src));
    assertEquals(text(token), row.token);
  });
}
for (const row of verify) {
  test(`the specification's verify.json: "${row.src}"`, () => {
    const opened = openToken(key(row.secret), bytes(row.token), { now: seconds(row.now), ttl: row.ttl_sec });
    assertEquals(text(opened.plaintext), row.src);
  });
}
for (const row of invalid) {
  test(`the specification's invalid.json: ${row.desc}`, () => {
    const within = { now: seconds(row.now), ttl: row.ttl_sec };
    assertThrows(() => openToken(key(row.secret), bytes(row.token), within), TokenRefused);
  });
}
for (const row of python) {
  test(`a token that Python made opens: ${JSON.stringify(row.src)}`, () => {
    const opened = openToken(key(row.secret), bytes(row.token));
    assertEquals([opened.time, text(opened.plaintext)], [row.time, row.src]);
  });
}

const secret = Uint8Array.from({ length: 32 }, (_, i) => i);

test("every changed character of a token, and every truncation, is refused", () => {
  const token = sealToken(secret, 1_700_000_000, new Uint8Array(16), bytes("pay 1000"));
  for (let i = 0; i < token.length; i++) {
    const bent = token.slice();
    bent[i] = bent[i] === 65 ? 66 : 65;
    if (text(bent) !== text(token)) assertThrows(() => openToken(secret, bent), TokenRefused);
    assertThrows(() => openToken(secret, token.slice(0, i)), TokenRefused);
  }
});

test("a token in another spelling of the same bytes is refused: one token has one text", () => {
  const token = text(sealToken(secret, 1, new Uint8Array(16), bytes("a".repeat(40))));
  const spellings = [
    token.replace(/=+$/, ""),
    `${token}\n`,
    ` ${token}`,
    token.replace(/_|-/, "+"),
    `${token}====`,
  ];
  const last = token.replace(/=+$/, "").length - 1;
  if (token.endsWith("=")) {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const next = alphabet[alphabet.indexOf(token[last]) + 1];
    spellings.push(token.slice(0, last) + next + token.slice(last + 1));
  }
  for (const other of spellings.filter((s) => s !== token)) {
    assertThrows(() => openToken(secret, bytes(other)), TokenRefused);
  }
});

test("any text survives, and any bytes at all give only the typed error", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (plaintext, time) => {
    const opened = openToken(secret, sealToken(secret, time, new Uint8Array(16), plaintext));
    assertEquals([opened.time, [...opened.plaintext]], [time, [...plaintext]]);
  }));
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string().map(bytes)), (token) => {
    assertThrows(() => openToken(secret, token), TokenRefused);
  }));
});

/** The frozen vectors of rooms, read by a program in another language that was written from the protocol's text. */

import { assertEquals, assertThrows } from "@std/assert";
import { unlessRefused } from "../../lib/errors.ts";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { verifyingKey, verifyLabelled } from "../../lib/crypto/ed25519.ts";
import { tagBytes } from "../../lib/crypto/seal.ts";
import { importMlkem } from "../../lib/crypto/mlkem.ts";
import { boxDecryptor, openBox } from "../../lib/protocol/group/box.ts";
import { epochCheck, senderChains } from "../../lib/protocol/group/epoch.ts";
import { digestHash, entryHash, History } from "../../lib/protocol/group/history.ts";
import { isMessageSigned, openMessage, parseMessage } from "../../lib/protocol/group/sealed_message.ts";
import { isHeadSigned } from "../../lib/protocol/group/signed_head.ts";
import { siteOf } from "../../lib/protocol/group/site.ts";
import { TransitOpener, TransitSealer } from "../../lib/protocol/channel/transit.ts";
import { RecordOpener } from "../../lib/protocol/channel/records.ts";
import { isCommitSigned, makeCommit, parseCommit } from "../../lib/protocol/group/commit.ts";
import {
  type BrokenRule,
  checkGenesis,
  checkSuccessor,
  headAfter,
  type RoomHead,
} from "../../lib/protocol/group/commit_rules.ts";
import { sha256 } from "../../lib/crypto/hash.ts";
import { TagMismatch } from "../../lib/crypto/seal.ts";
import { decodeMessages } from "../../lib/protocol/channel/link_messages.ts";
import { chunkBytes, lastChunkBytes, openChunk, sealChunk } from "../../lib/protocol/file/file_chunk.ts";
import { decodeFileMessage } from "../../lib/protocol/file/file_message.ts";
import { cardBook } from "../fakes/commits.ts";
import { person } from "../fakes/people.ts";
import { test } from "../fakes/test.ts";
import { run } from "../fakes/tools.ts";
import { unhex, vectors } from "../fakes/vectors.ts";

const python = "/usr/bin/python3";
const path = (name: string) => new URL(name, import.meta.url).pathname;

test("the vectors of rooms are read through by Python's cryptography, from the text alone", async () => {
  const { ok, text } = await run(python, [path("../fakes/vector_reader.py"), path("../vectors")]);
  assertEquals(
    text.trim().split("\n"),
    ["head", "entries", "box", "commits", "message", "transit", "file"].map((name) => `ok ${name}`),
  );
  assertEquals(ok, true);
});

test("vectors: a head is of its site, room, position and history, and of nothing else", () => {
  const v = vectors("head");
  const key = verifyingKey(unhex(v.serverEd));
  const place = { site: siteOf(unhex(v.serverId), unhex(v.runId)), room: unhex(v.room) };
  const view = { pos: v.pos, hash: unhex(v.history) };
  const holds = (at = place, of = view) => isHeadSigned(at, of, unhex(v.signature), key);
  assertEquals(encodeHex(place.site), v.site);
  assertEquals([holds(), holds({ ...place, room: place.site }), holds({ ...place, site: place.room })], [
    true,
    false,
    false,
  ]);
  assertEquals([holds(place, { ...view, pos: 259 }), holds(place, { ...view, hash: place.room })], [
    false,
    false,
  ]);
});

test("vectors: entries are hashed by kind and digest, and each moves the history", () => {
  const v = vectors("entries");
  let history = new History({ pos: 0, hash: unhex(v.room) });
  for (const { kind, bytes, digest, e, history: after } of v.entries) {
    assertEquals(encodeHex(entryHash(kind, unhex(bytes))), e);
    assertEquals(encodeHex(digestHash(kind, unhex(digest))), e);
    history = history.after(unhex(e));
    assertEquals(encodeHex(history.view.hash), after);
  }
});

test("vectors: a box opens for its recipient, and its secret fits the check", async () => {
  const v = vectors("box");
  const sam = await person(v.recipient);
  const context = {
    room: unhex(v.context.room),
    epoch: v.context.epoch,
    prev: unhex(v.context.prev),
    author: unhex(v.context.author),
  };
  const published = unhex(v.prekey.bytes);
  const prekeyId = new DataView(published.buffer).getUint32(33);
  const secrets = {
    prekeyId,
    notAfter: 0,
    published,
    x25519: unhex(v.prekey.x25519),
    mlkemSeed: unhex(v.prekey.mlkemSeed),
  };
  await importMlkem(secrets.mlkemSeed);
  const opened = await openBox(
    unhex(v.bytes),
    unhex(v.hash),
    context,
    sam.card.id,
    (id) => id === prekeyId ? secrets : undefined,
    boxDecryptor(sam.identity.rsa),
  );
  assertEquals(encodeHex(opened), v.secret);
  assertEquals(encodeHex(epochCheck(opened, unhex(v.roomKey), context)), v.check);
});

const kinds = vectors("commits");
const book = await cardBook();
test("vectors: commits of each kind are read, are written to the same bytes, and follow by the rules", async () => {
  const site = unhex(kinds.site);
  const facts = { site, cards: book };
  let head: RoomHead | null = null;
  for (const { bytes, hash, epoch, pos, author } of kinds.commits) {
    const commit = parseCommit(unhex(bytes));
    const { identity } = await person(author);
    assertEquals([commit.epoch, encodeHex(commit.hash)], [epoch, hash]);
    assertEquals(encodeHex(makeCommit(commit, site, identity.signing)), bytes);
    const broken: BrokenRule | null = epoch === 0
      ? checkGenesis(commit, pos, facts)
      : checkSuccessor(commit, pos, head!, facts);
    assertEquals(broken, null);
    head = headAfter(commit, pos);
  }
});
for (const { what, bytes, author } of kinds.commits) {
  test(`vectors: ${what}: with any byte changed, its author has not signed it`, async () => {
    const { card } = await person(author);
    for (let at = 0; at < bytes.length / 2; at += 7) {
      const changed = unhex(bytes);
      changed[at] ^= 1;
      const commit = unlessRefused(() => parseCommit(changed));
      assertEquals(commit !== null && isCommitSigned(commit, unhex(kinds.site), card.verifying), false);
    }
  });
}

test("vectors: a message is signed for its commit, and opens with the key of its place", async () => {
  const v = vectors("message");
  const ira = await person(v.sender);
  const commitHash = unhex(v.commitHash);
  const chains = senderChains(unhex(v.secret), new Uint8Array(32), commitHash, v.members.map(unhex));
  assertEquals(chains.map((chain) => encodeHex(chain)), v.chains);
  const message = parseMessage(unhex(v.bytes));
  assertEquals(isMessageSigned(message, commitHash, ira.card.verifying), true);
  assertEquals(isMessageSigned(message, new Uint8Array(32), ira.card.verifying), false);
  const { body, timeMs } = openMessage(message, unhex(v.messageKey), commitHash);
  assertEquals([new TextDecoder().decode(body), timeMs], [v.text, v.timeMs]);
  assertEquals(unlessRefused(() => openMessage(message, unhex(v.messageKey), message.salt)), null);
});

test("vectors: transit frames take the numbers of records, and are sealed with the room's key", () => {
  const v = vectors("transit");
  const link = new RecordOpener(unhex(v.traffic));
  assertEquals(encodeHex(link.open(unhex(v.record.wire))), v.record.plaintext);
  const opener = new TransitOpener();
  opener.take({ type: "TRANSIT", room: unhex(v.room), key: v.key, secret: unhex(v.secret) });
  const sealer = new TransitSealer(unhex(v.room), v.key, unhex(v.secret));
  for (const { plaintext, digest, wire } of v.frames) {
    link.checkTransit(unhex(wire));
    const frame = sealer.seal(unhex(plaintext));
    assertEquals([encodeHex(frame.shared), encodeHex(frame.digest)], [wire.slice(0, -2 * tagBytes), digest]);
    assertEquals(unlessRefused(() => opener.open(decodeHex(wire) as Bytes)), null, "noise is no message");
  }
});

test("vectors: chunks of files are sealed and opened as frozen, and so is what tells of one", async () => {
  const v = vectors("file");
  const [fileId, key] = [unhex(v.fileId), unhex(v.key)];
  for (const { size, sha256: whole, chunks } of v.cases) {
    const content = Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 255);
    assertEquals(encodeHex(sha256(content)), whole);
    for (const [i, { salt, sha256: digest }] of chunks.entries()) {
      const of = { fileId, key, chunks: chunks.length };
      const plain = new Uint8Array(i === chunks.length - 1 ? lastChunkBytes(size) : chunkBytes);
      plain.set(content.subarray(i * chunkBytes, (i + 1) * chunkBytes));
      const chunk = await sealChunk(of, i, plain, () => unhex(salt));
      assertEquals(encodeHex(sha256(chunk)), digest);
      assertEquals(openChunk(of, i, chunk, size), content.subarray(i * chunkBytes, (i + 1) * chunkBytes));
    }
  }
  const { body, ...told } = v.message;
  const { fileId: id, key: fk, sha256: digest, ...rest } = decodeFileMessage(unhex(body));
  assertEquals({ ...rest, fileId: encodeHex(id), key: encodeHex(fk), sha256: encodeHex(digest) }, told);
});
test("vectors: a carried frame holds one chunk in clear, under the link's own tag", () => {
  const { traffic, ref, index, chunk, wire } = vectors("file").carried;
  new RecordOpener(unhex(traffic)).checkTransit(unhex(wire));
  const [put] = decodeMessages(unhex(wire).subarray(4, -tagBytes), "client");
  assertEquals(put, {
    type: "BLOB_PUT",
    ref,
    file: unhex(vectors("file").fileId),
    index,
    chunk: unhex(chunk),
  });
  const changed = unhex(wire);
  changed[20] ^= 1;
  assertThrows(() => new RecordOpener(unhex(traffic)).checkTransit(changed), TagMismatch);
});

for (const { what, publicKey, message, signature, isValid } of vectors("ed25519").cases) {
  test(`vectors: Ed25519, ${what}: ${isValid ? "holds" : "does not hold"}`, () => {
    const key = verifyingKey(unhex(publicKey));
    assertEquals(verifyLabelled(key, "edge", unhex(message).subarray(5), unhex(signature)), isValid);
  });
}

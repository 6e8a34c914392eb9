/**
 * Conviction (protocol §9): what shows anybody that a server's key has signed two histories of one room, as a text that
 * needs no program of ours: two signed heads, and the hashes of the entries between them.
 */

import { encodeBase64 } from "@std/encoding/base64";
import { encodeHex } from "../../hex.ts";
import { type Bytes, concat } from "../../crypto/bytes.ts";
import { spkiFromEd25519 } from "../../crypto/ed25519.ts";
import { type HeadPlace, headText } from "../../protocol/group/signed_head.ts";
import type { Card } from "../../protocol/identity/card.ts";
import type { SignedView } from "../../protocol/group/history.ts";

/** What convicts a server. */
export interface Evidence {
  /** The server's card, as it was shown at the handshake. */
  readonly card: Card;
  /** 16 bytes. */
  readonly runId: Bytes;
  /** Which room. */
  readonly place: HeadPlace;
  /** What was signed for another member. */
  readonly theirs: SignedView;
  /** L that we were shown at that position. */
  readonly ours: Bytes;
  /** What was signed for us, there or later. */
  readonly head: SignedView;
  /** `e` of the positions after it, up to our head. */
  readonly entries: readonly Bytes[];
}

/** Where a card has its Ed25519 key, counted from its end: before the signature (protocol §4.2). */
const edPublicAt = [-96, -64] as const;

/** The text of the file. */
export function convictionText({ card, runId, place, theirs, ours, head, entries }: Evidence): string {
  const between = entries.length === 0
    ? ""
    : `\nThe second head is of a later position. From what was shown here at position ${theirs.pos},\n` +
      `  L ${
        encodeHex(ours)
      }\nit follows by L(p) = SHA-256(L(p-1) || e(p)), with these e, one for each position:\n` +
      entries.map((e) => `  e ${encodeHex(e)}\n`).join("");
  return `The key of a chat server has signed two histories of one room (protocol 2, section 9).

server id  ${encodeHex(card.id)}
run id     ${encodeHex(runId)}
room id    ${encodeHex(place.room)}
card       ${encodeHex(card.bytes)}

It has signed for another member that the room stood at
  position ${theirs.pos}
  L ${encodeHex(theirs.hash)}
and here that it stood at
  position ${head.pos}
  L ${encodeHex(head.hash)}
${between}
What is signed is "chat2 head", a zero byte, site, room id, position (8 bytes) and L, where
site = H("chat2 site", server id, run id). To check both signatures with OpenSSL 3, by its three commands:

echo ${
    encodeBase64(spkiFromEd25519(card.bytes.subarray(...edPublicAt)))
  } | openssl base64 -d -A -out server.der
${check("first", place, theirs)}
${check("second", place, head)}
`;
}

/** One command: its files, and the check. */
function check(name: string, place: HeadPlace, view: SignedView): string {
  const label = new TextEncoder().encode("chat2 head\0");
  const message = encodeBase64(concat(label, headText(place, view)));
  return `echo ${message} | openssl base64 -d -A -out ${name}.head && ` +
    `echo ${encodeBase64(view.headSig)} | openssl base64 -d -A -out ${name}.sig && ` +
    `openssl pkeyutl -verify -pubin -keyform DER -inkey server.der -rawin -in ${name}.head -sigfile ${name}.sig`;
}

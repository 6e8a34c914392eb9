/**
 * PEM (RFC 7468): text blocks around DER, read strictly.
 *
 * A private key file holds two blocks and nothing else; text between or after blocks, missing or
 * mismatched lines and odd base64 are refused, so that two readers cannot see two different keys.
 */

import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { Malformed } from "../errors.ts";
import type { Bytes } from "./bytes.ts";

/** One block: the word between BEGIN and the dashes, and the bytes. */
export interface PemBlock {
  /** For example "PRIVATE KEY". */
  readonly label: string;
  /** The decoded content. */
  readonly der: Bytes;
  /** The block as it stands in the text, for readers that want PEM. */
  readonly text: string;
}

/** Not PEM as RFC 7468 §3 has it. */
export class MalformedPem extends Malformed {}

/** Writes one block with lines of 64 characters. */
export function encodePem(label: string, der: Uint8Array): string {
  const lines = encodeBase64(der).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/**
 * Reads all blocks of a text.
 *
 * OpenSSL's "Proc-Type" headers of encrypted PKCS#1 are let through: the block's `der` is then empty and
 * only its `text` is of use.
 *
 * @throws MalformedPem when anything but blocks and blank lines is there, or no block at all
 */
export function decodePem(text: string): PemBlock[] {
  if (text.length > 65_536) throw new MalformedPem("the text is too long for a key file");
  const blocks: PemBlock[] = [];
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  for (let i = 0; i < lines.length; i++) {
    if (lines[i].trim() === "") continue;
    const begin = /^-----BEGIN ([A-Z0-9 ]{1,40})-----$/.exec(lines[i]);
    if (!begin) throw new MalformedPem(`line ${i + 1} is outside any PEM block`);
    const label = begin[1];
    const end = lines.indexOf(`-----END ${label}-----`, i + 1);
    if (end < 0) throw new MalformedPem(`the block "${label}" has no closing line`);
    const body = lines.slice(i + 1, end);
    const block = lines.slice(i, end + 1).join("\n") + "\n";
    const headers = body.findIndex((line) => line === "");
    if (headers > 0 && body.slice(0, headers).every((line) => /^[A-Za-z-]+: \S+$/.test(line))) {
      blocks.push({ label, der: new Uint8Array(0), text: block });
    } else {
      blocks.push({ label, der: decodeBody(label, body), text: block });
    }
    i = end;
  }
  if (blocks.length === 0) throw new MalformedPem("there is no PEM block");
  return blocks;
}

/**
 * Reads the blocks of a file of another program: whatever stands around them, with any line ends and blanks.
 *
 * @throws MalformedPem when a block is not whole, or there is none
 */
export function decodeForeignPem(text: string): PemBlock[] {
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/).map((line) => line.trim());
  const kept: string[] = [];
  let label: string | null = null;
  for (const line of lines) {
    label ??= /^-----BEGIN ([A-Z0-9 ]{1,40})-----$/.exec(line)?.[1] ?? null;
    if (label === null) continue;
    // The blank line after OpenSSL's headers ends them; others mean nothing.
    if (line !== "" || kept.at(-1)?.includes(": ")) {
      kept.push(/^-----|: /.test(line) ? line : line.replaceAll(/\s/g, ""));
    }
    if (line === `-----END ${label}-----`) label = null;
  }
  return decodePem(kept.join("\n"));
}

function decodeBody(label: string, body: string[]): Bytes {
  const joined = body.join("");
  if (joined === "" || joined.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(joined)) {
    throw new MalformedPem(`the block "${label}" is not base64`);
  }
  const der = decodeBase64(joined);
  // Bits left over in the last character would let two texts stand for one key.
  if (encodeBase64(der) !== joined) throw new MalformedPem(`the block "${label}" has stray bits`);
  return der;
}

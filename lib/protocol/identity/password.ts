/**
 * Passwords as they travel (protocol §8.4): UTF-8 in NFC, at least 10 characters, at most 1024 bytes.
 *
 * NFC, so that the same password typed on another keyboard gives the same bytes.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError } from "../../errors.ts";

/** Fewest characters (code points). */
export const minPasswordCharacters = 10;
/** Most bytes. */
const maxPasswordBytes = 1024;

/** What was typed cannot be a password. */
export class BadPassword extends ChatError {}

/**
 * A password as bytes.
 *
 * @throws BadPassword when it is too short or too long; it never says what was typed
 */
export function encodePassword(text: string): Bytes {
  const normal = text.normalize("NFC");
  const bytes = new TextEncoder().encode(normal);
  if ([...normal].length < minPasswordCharacters) {
    throw new BadPassword(
      `A password needs at least ${minPasswordCharacters} characters`,
      "several words in a row are easy to remember and hard to guess",
    );
  }
  if (normal.trim() === "") throw new BadPassword("A password of blanks alone is none", "choose another one");
  if (bytes.length > maxPasswordBytes) {
    throw new BadPassword(`A password has at most ${maxPasswordBytes} bytes`, "choose a shorter one");
  }
  return bytes;
}

/** Whether bytes from a peer are a password. */
export function isPassword(bytes: Uint8Array): boolean {
  if (bytes.length > maxPasswordBytes) return false;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return [...text].length >= minPasswordCharacters && text.normalize("NFC") === text;
  } catch {
    return false;
  }
}

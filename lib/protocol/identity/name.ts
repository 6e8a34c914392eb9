/**
 * Names of people and rooms (protocol §4.2): ASCII, shown as typed, compared by skeleton, so that no name
 * can pass for another on a terminal where `l`, `I` and `1` look alike.
 */

import { ascii, type Bytes } from "../../crypto/bytes.ts";
import { ChatError, exitCodes, Malformed } from "../../errors.ts";

const pattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,23}$/;

/** A name that a person typed and that cannot be one. */
export class BadName extends ChatError {
  /** Makes one. @param what "name" or "room name" */
  constructor(what: string, name: string) {
    super(
      `"${name.slice(0, 60).replace(/[^\x20-\x7e]/g, "?")}" cannot be a ${what}`,
      "use 1 to 24 letters, digits, - and _, starting with a letter or digit",
      exitCodes.usage,
    );
  }
}

/** Whether this can be the name of a person or a room. */
export function isName(name: string): boolean {
  return pattern.test(name);
}

/** Two names with one skeleton are one name: lower case, then i and 1 to l, 0 to o. */
export function skeleton(name: string): string {
  return name.toLowerCase().replace(/[i1]/g, "l").replaceAll("0", "o");
}

/** A name's bytes. */
export function encodeName(name: string): Bytes {
  return ascii(name);
}

/** A name from the wire. @throws Malformed */
export function decodeName(bytes: Uint8Array): string {
  const name = String.fromCharCode(...bytes.subarray(0, 25));
  if (!isName(name)) throw new Malformed("a name has characters that no name may have");
  return name;
}

/** A name and the id of the key that goes by it. */
export interface Named {
  /** As on the card. */
  readonly name: string;
  /** 32 bytes. */
  readonly id: Bytes;
}

/** StateFormat: every file of our state begins with the number of its format, so that none is read as another. */

import { type Bytes, concat } from "../crypto/bytes.ts";
import { FileTrouble } from "./file_trouble.ts";

/** As the protocol's version. */
export const stateFormat = 2;

/** The content of a file with its number before it. */
export function withFormat(content: Uint8Array): Bytes {
  return concat(Uint8Array.of(stateFormat), content);
}

/** What follows the number. @param path for the error @throws FileTrouble for another number */
export function withoutFormat(path: string, bytes: Bytes): Bytes {
  checkFormat(path, bytes[0]);
  return bytes.subarray(1);
}

/** @param found the number that a file begins with @throws FileTrouble when it is not ours */
export function checkFormat(path: string, found: unknown): void {
  if (found === stateFormat) return;
  if (typeof found === "number" && found > stateFormat) {
    throw new FileTrouble(
      `Cannot read "${path}": a newer version of this program has written it (format ${found})`,
      "use that version",
    );
  }
  throw new FileTrouble(
    `Cannot read "${path}": it was changed or is damaged`,
    "restore it from a copy, or move it away",
  );
}

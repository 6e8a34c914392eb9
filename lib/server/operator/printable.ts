/** Printable: what somebody has typed, as the console repeats it. */

import { sanitizeLine } from "../../sanitize.ts";

/** Cut, and what is no printable ASCII as "?". */
export function printable(word: string, most = 40): string {
  return sanitizeLine(word).slice(0, most).replace(/[^\x20-\x7e]/g, "?");
}

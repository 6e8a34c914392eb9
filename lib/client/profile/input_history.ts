/** InputHistory: what the person has entered lately, for the arrow keys; kept per profile, sealed. */

import { decodeState, encodeState } from "../../storage/state_json.ts";
import type { SealedFiles } from "../../storage/sealed_files.ts";

const file = "lines.state";
const most = 200;
const maxCharacters = 32 * 1024;

/** The last lines, oldest first. */
export class InputHistory {
  #lines: string[];

  /** @param files the profile's */
  constructor(private readonly files: SealedFiles) {
    const bytes = files.read(file);
    this.#lines = bytes ? decodeState<string[]>(bytes) : [];
  }

  /** All of them. */
  get all(): readonly string[] {
    return this.#lines;
  }

  /** Adds one, unless it repeats the last. @throws FileTrouble */
  add(line: string): void {
    if (line === this.#lines.at(-1)) return;
    const lines = [...this.#lines.slice(1 - most), line];
    // The file is rewritten at each Enter, so it is bounded by size: long lines push out old ones.
    let from = lines.length - 1;
    for (let left = maxCharacters - line.length; from > 0; from--) {
      left -= lines[from - 1].length;
      if (left < 0) break;
    }
    this.#lines = lines.slice(from);
    this.files.write(file, encodeState(this.#lines));
  }

  /** Wipes them. @throws FileTrouble */
  forget(): void {
    this.#lines = [];
    this.files.remove(file);
  }
}

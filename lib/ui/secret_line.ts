/**
 * SecretLine: a secret while it is typed: nothing is shown, and the keys that edit a line in a room edit it here, or do
 * nothing; none leaves a byte.
 */

import { emptyLine, press } from "./terminal/editor.ts";
import type { Key } from "./terminal/keys.ts";

const maxBytes = 64 * 1024;
/** What has no meaning where nothing is shown and nothing is remembered. */
const others = new Set(["up", "down", "c-p", "c-n", "c-r", "tab", "s-tab", "c-z", "c-l", "c-c", "c-d"]);

/** One secret. */
export class SecretLine {
  #line = emptyLine();

  /** Takes a key. @returns the secret when it is entered; null when the person gives up; undefined while it goes on */
  take(key: Key): string | null | undefined {
    if (key.kind === "key") {
      if (key.name === "enter") return this.#line.text;
      if (key.name === "c-c" || (key.name === "c-d" && this.#line.text === "")) return null;
      if (others.has(key.name)) return undefined;
    }
    // A pasted password may end with a line feed; the person still presses Enter.
    const pressed: Key = key.kind === "paste" ? { kind: "text", text: key.text.split("\n", 1)[0] } : key;
    this.#line = press(this.#line, pressed, maxBytes).state;
    return undefined;
  }
}

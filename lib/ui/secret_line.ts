/** SecretLine: a secret while it is typed: nothing is shown, and keys that edit do, or nothing; none leaves a byte. */

import { boundaryBefore } from "./graphemes.ts";
import type { Key } from "./terminal/keys.ts";

/** One secret. */
export class SecretLine {
  #typed = "";

  /** Takes a key. @returns the secret when it is entered; null when the person gives up; undefined while it goes on */
  take(key: Key): string | null | undefined {
    if (key.kind === "text") this.#typed += key.text;
    // A pasted password may end with a line feed; the person still presses Enter.
    else if (key.kind === "paste") this.#typed += key.text.split("\n", 1)[0];
    else if (key.name === "enter") return this.#typed;
    else if (key.name === "c-c" || (key.name === "c-d" && this.#typed === "")) return null;
    else if (key.name === "c-u" || key.name === "c-w") this.#typed = "";
    else if (key.name === "backspace") {
      this.#typed = this.#typed.slice(0, boundaryBefore(this.#typed, this.#typed.length));
    }
  }
}

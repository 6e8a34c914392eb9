/** Tty: a terminal that can move its cursor, as the prompt uses it; passed in, so that tests hold an emulator. */

import type { ScreenOutput } from "./screen.ts";

/** One terminal. */
export interface Tty extends ScreenOutput {
  /** What its keys send. */
  readonly input: ReadableStream<Uint8Array>;
  /** Takes over key by key, with pasted text marked as such; or gives the terminal back. */
  edit(on: boolean): void;
  /** Shows the terminal's second screen, or gives the first one back as it was. */
  alternate(on: boolean): void;
  /** Calls `act` when its size changes. @returns undoes it */
  onResize(act: () => void): () => void;
  /** Stops this program until it is continued, as Ctrl+Z does; where nobody could continue it, nothing happens. */
  suspend(): void;
  /** Calls `act` when the program goes on after a stop. @returns undoes it */
  onContinue(act: () => void): () => void;
}

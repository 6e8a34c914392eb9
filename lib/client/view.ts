/**
 * View: what a chat shows and what a person types. The chat knows nothing of terminals, pipes or JSON;
 * lib/ui implements this.
 */

import type { RoomEvent } from "./room_events.ts";

/** One way of showing a chat. */
export interface View {
  /** Whether a person is there who can be asked. */
  readonly interactive: boolean;
  /** Lines as they are typed; ends with the input. */
  lines(): AsyncIterable<string>;
  /** Something happened in a room. */
  event(event: RoomEvent): void;
  /** A step on the way in; shown to a person who watches only. */
  progress(text: string): void;
  /** News that are no room's. */
  notice(text: string): void;
  /** Something that the person must know. */
  warning(text: string): void;
  /** An answer to what the person asked for. */
  answer(lines: readonly string[]): void;
  /** The room on the screen: lines of others say which. */
  current(room: string): void;
  /** What the prompt shall say. */
  prompt(text: string): void;
  /** Asks for a secret, which is not shown while it is typed. @returns null when nobody is there, or Ctrl+C */
  secret(question: string): Promise<string | null>;
  /** Gives the terminal back. */
  close(): void;
}

/**
 * ResumableView: a view that goes on when the program that held the profile has ended: the steps of the way in, and what
 * stands on its screen already, are not told again.
 */

import type { ChatOutput } from "../client/chat_view.ts";
import type { KeptMessage, RoomEvent } from "../client/room_events.ts";
import type { Status } from "../client/status.ts";

/** Passes on all that is new. */
export class ResumableView implements ChatOutput {
  readonly interactive: boolean;
  readonly holds: boolean;
  readonly isBlind: boolean;
  /** Rooms that were entered, and those of them that are entered again. */
  #entered = new Set<string>();
  #again = new Set<string>();
  #isComingBack = false;
  #isRecallDue = false;
  #wasResumed = false;
  /** The room on the screen; null before there is one. */
  room: string | null = null;
  /** The last position that was shown, by room. */
  readonly seen: Record<string, number> = {};

  /** @param view that goes on */
  constructor(private readonly view: ChatOutput) {
    this.interactive = view.interactive;
    this.holds = view.holds;
    this.isBlind = view.isBlind ?? false;
  }

  /** Somebody else shows what follows, from its beginning. */
  resume(): void {
    this.#again = new Set([
      ...this.#entered,
      ...Object.keys(this.seen),
      ...this.room === null ? [] : [this.room],
    ]);
    this.#isComingBack = this.#isRecallDue = this.#wasResumed = true;
    this.view.question(null); // whoever asked is gone
  }

  event(event: RoomEvent): void {
    if (event.type === "entered") {
      this.#entered.add(event.room);
      if (this.#again.delete(event.room)) return;
    }
    if (event.type === "message") this.seen[event.room] = Math.max(this.seen[event.room] ?? 0, event.pos);
    this.view.event(event);
  }
  progress(text: string): void {
    if (!this.#wasResumed) this.view.progress(text);
  }
  recalled(title: string, lines: readonly KeptMessage[]): void {
    if (!this.#isRecallDue) this.view.recalled(title, lines);
    this.#isRecallDue = false;
  }
  status(status: Status): void {
    // The room stays on the screen while it is entered again.
    if (status.room === "" && this.#isComingBack) return;
    this.#isComingBack = false;
    this.room = status.room === "" ? null : status.room;
    this.view.status(status);
  }
  answer(lines: readonly string[]): void {
    this.#isRecallDue = false; // something was asked for since
    this.view.answer(lines);
  }
  notice(text: string): void {
    this.view.notice(text);
  }
  warning(text: string): void {
    this.view.warning(text);
  }
  question(text: string | null): void {
    this.view.question(text);
  }
  secret(question: string): Promise<string | null> {
    return this.view.secret(question);
  }
  clear(): void {
    this.view.clear();
  }
  forgetTyped(): void {
    this.view.forgetTyped();
  }
}

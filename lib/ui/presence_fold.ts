/**
 * PresenceFold: comings and goings of people who have not spoken lately, as one line for many. Of somebody who has
 * just spoken one wants to know at once.
 */

import type { Clock } from "../clock.ts";
import type { RoomEvent } from "../client/room_events.ts";
import { newsPrefix, presenceText } from "./lines.ts";

const latelyMs = 10 * 60 * 1000;
const foldMs = 10_000;
const maxNames = 8;
const sameMs = 3000;

interface Change {
  readonly who: string;
  readonly here: boolean;
  /** Before all that was not shown yet. */
  readonly wasHere: boolean;
  /** Only the server says so. */
  readonly isClaim: boolean;
  /** Of the last coming; null for none. */
  readonly cameMs: number | null;
}

/** What was not shown yet. */
export class PresenceFold {
  #spoke = new Map<string, number>();
  #last = new Map<string, { here: boolean; atMs: number }>();
  #changed = new Map<string, Change>();
  #cancel: (() => void) | null = null;

  /** @param show prints a line */
  constructor(private readonly clock: Clock, private readonly show: (line: string) => void) {}

  /** Takes what happened. @returns whether it has been shown, or will be with others, later */
  take(event: RoomEvent): boolean {
    const now = this.clock.now();
    if (event.type === "message") this.#spoke.set(event.from, now);
    if (event.type !== "presence") return false;
    const { who, here } = event;
    // The server says it once per shared room.
    const last = this.#last.get(who);
    if (last?.here === here && now - last.atMs < sameMs) return true;
    this.#last.set(who, { here, atMs: now });
    const before = this.#changed.get(who);
    // Somebody whose coming was not shown needs no line for leaving: who comes to say one thing is no news.
    if (!before && !here && now - (this.#spoke.get(who) ?? -Infinity) < latelyMs) {
      this.show(`${newsPrefix} ${presenceText(event)}`);
      return true;
    }
    const isClaim = event.isClaim === true && before?.isClaim !== false;
    const cameMs = here ? now : before?.cameMs ?? null;
    this.#changed.set(who, { who, here, wasHere: before?.wasHere ?? !here, isClaim, cameMs });
    this.#cancel ??= this.clock.after(foldMs, () => this.#flush());
    return true;
  }

  #flush(): void {
    this.#cancel = null;
    // Who came and went again has changed nothing; but where nobody lets anybody in, a silent visit is news.
    const all = [...this.#changed.values()];
    const changed = all.filter(({ here, wasHere }) => here !== wasHere);
    const visited = all.filter(({ who, here, wasHere, isClaim, cameMs }) =>
      isClaim && !here && !wasHere && cameMs !== null && (this.#spoke.get(who) ?? -Infinity) < cameMs
    );
    this.#changed.clear();
    const some = (isHere: boolean, claimed: boolean) =>
      changed.filter(({ here, isClaim }) => here === isHere && isClaim === claimed);
    const told = (people: readonly { readonly who: string }[], one: string, many: string) =>
      people.length > 0 ? [`${namesOf(people)} ${people.length === 1 ? one : many}.`] : [];
    const parts = [
      ...told(some(true, false), "is here", "are here"),
      ...told(some(false, false), "left the server", "left the server"),
      ...told(some(true, true), "has come, says the server", "have come, says the server"),
      ...told(some(false, true), "has gone, says the server", "have gone, says the server"),
      ...told(visited, "has come and gone, says the server", "have come and gone, says the server"),
    ];
    if (parts.length > 0) this.show(`${newsPrefix} ${parts.join(" ")}`);
  }

  /** Nothing more is shown. */
  close(): void {
    this.#cancel?.();
    this.#cancel = () => {};
  }
}

function namesOf(people: readonly { readonly who: string }[]): string {
  const names = people.slice(0, maxNames).map(({ who }) => who);
  const more = people.length - names.length;
  if (more > 0) return `${names.join(", ")} and ${more} more`;
  return names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

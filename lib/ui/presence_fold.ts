/**
 * PresenceFold: comings and goings of people who have not spoken lately, as one line for many. Of somebody who has
 * just spoken one wants to know at once.
 */

import type { Clock } from "../clock.ts";
import type { RoomEvent } from "../client/room_events.ts";
import { newsPrefix } from "./lines.ts";

const latelyMs = 10 * 60 * 1000;
const foldMs = 10_000;
const namesMost = 8;

/** What was not shown yet. */
export class PresenceFold {
  #spoke = new Map<string, number>();
  #changed = new Map<string, { room: string; who: string; here: boolean; wasHere: boolean }>();
  #cancel: (() => void) | null = null;

  /** @param show prints a line */
  constructor(private readonly clock: Clock, private readonly show: (line: string) => void) {}

  /** Takes what happened. @returns whether it will be shown with others, later */
  take(event: RoomEvent): boolean {
    if (event.type === "message") this.#spoke.set(`${event.room} ${event.from}`, this.clock.now());
    if (event.type !== "presence") return false;
    const { room, who, here } = event;
    const key = `${room} ${who}`;
    const before = this.#changed.get(key);
    // Who has not been told to be here need not be told to have left.
    const hasSpoken = this.clock.now() - (this.#spoke.get(key) ?? -Infinity) < latelyMs;
    if (hasSpoken && !before) return false;
    this.#changed.set(key, { room, who, here, wasHere: before?.wasHere ?? !here });
    this.#cancel ??= this.clock.after(foldMs, () => this.#flush());
    return true;
  }

  #flush(): void {
    this.#cancel = null;
    // Who came and went again has changed nothing.
    const changed = [...this.#changed.values()].filter(({ here, wasHere }) => here !== wasHere);
    this.#changed.clear();
    for (const room of new Set(changed.map((change) => change.room))) {
      const there = changed.filter((change) => change.room === room);
      const came = there.filter(({ here }) => here), went = there.filter(({ here }) => !here);
      const parts = [
        ...(came.length > 0 ? [`${namesOf(came)} ${came.length === 1 ? "is" : "are"} here.`] : []),
        ...(went.length > 0 ? [`${namesOf(went)} left the server.`] : []),
      ];
      this.show(`${newsPrefix} ${room.startsWith("@") ? "" : `[${room}] `}${parts.join(" ")}`);
    }
  }

  /** Nothing more is shown. */
  close(): void {
    this.#cancel?.();
    this.#cancel = () => {};
  }
}

function namesOf(people: readonly { readonly who: string }[]): string {
  const names = people.slice(0, namesMost).map(({ who }) => who);
  const more = people.length - names.length;
  if (more > 0) return `${names.join(", ")} and ${more} more`;
  return names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** Bell: when a terminal rings. It says that there is something, and never what. */

import type { RoomEvent } from "../client/room_events.ts";

/** For nothing, for mentions and direct messages, or for all that others say. */
export const bells = ["off", "mentions", "all"] as const;
/** One of {@link bells}. */
export type Bell = typeof bells[number];

/** Whether something is worth it. @param name ours */
export function rings(event: RoomEvent, bell: Bell, name: string): boolean {
  if (bell === "off" || event.type !== "message" || event.own || event.late) return false;
  return bell === "all" || event.room.startsWith("@") || mentions(event.text, name);
}

function mentions(text: string, name: string): boolean {
  return text.toLowerCase().split(/[^a-z0-9_-]+/).includes(name.toLowerCase());
}

/** Prompt: a status in words, for the line that is typed into. */

import type { Status } from "../client/status.ts";

const maxOthers = 3;

/** As `lobby (key changed: bob) [2:dev 3 new]> `. @param nowMs milliseconds since 1970 */
export function promptOf({ room, worry, rooms, offline }: Status, nowMs: number): string {
  const worries = [offlineText(offline, nowMs), worry].filter((text) => text !== "").join(", ");
  const unread = rooms.flatMap(({ label, unread }, i) =>
    unread > 0 && label !== room ? [`${i < 9 ? `${i + 1}:` : ""}${label} ${unread} new`] : []
  );
  const more = unread.length - maxOthers;
  const shown = more > 0 ? [...unread.slice(0, maxOthers), `${more} more`] : unread;
  return `${room}${worries === "" ? "" : `${room === "" ? "" : " "}(${worries})`}${
    shown.length === 0 ? "" : ` [${shown.join(", ")}]`
  }> `;
}

function offlineText(offline: Status["offline"], nowMs: number): string {
  if (!offline) return "";
  if (offline.retryMs === null) return "offline, trying";
  return `offline, trying again in ${Math.max(0, Math.ceil((offline.retryMs - nowMs) / 1000))} s`;
}

/** Lines: room events as text, one wording for terminals, pipes and screen readers. */

import type { RoomEvent } from "../client/room_events.ts";
import { timestamp } from "../timestamp.ts";
import { sanitize } from "../sanitize.ts";

/** What kind of line it is: messages are data, the rest is not. */
export interface Line {
  /** `message` goes to stdout even when it is piped. */
  readonly kind: "message" | "notice" | "warning";
  /** Without its line feed; may have several lines. */
  readonly text: string;
}

/** How a name looks. @param id of its key, in hex */
export type Paint = (name: string, id: string) => string;
const plain: Paint = (name) => name;

/** The prefix of news; no message can begin with it, since all begin with their time. */
export const newsPrefix = "[+]";
/** The prefix of warnings. */
export const warningPrefix = "[!]";

/**
 * The line of an event, or null for one that is not shown by itself.
 *
 * @param currentRoom lines of other rooms say which
 * @param paint how names look
 */
export function lineOf(event: RoomEvent, currentRoom: string, paint: Paint = plain): Line | null {
  const where = event.room === currentRoom || event.room === "" ? "" : `[${event.room}] `;
  const news = (text: string): Line => ({ kind: "notice", text: `${newsPrefix} ${where}${text}` });
  switch (event.type) {
    case "message": {
      const address = event.address === "" ? "" : `${sanitize(event.address)} `;
      // No name has brackets: nobody can pass for the server.
      const name = paint(event.from, event.fromId);
      const from = event.answer ? `(${name})` : name;
      const said = event.action ? `* ${from} ${sanitize(event.text)}` : `${from}: ${sanitize(event.text)}`;
      return { kind: "message", text: `${timestamp(event.timeMs)} ${where}${address}${said}` };
    }
    case "pending":
    case "withdrawn":
    case "held":
      return null;
    case "failed":
      return {
        kind: "warning",
        text:
          `${warningPrefix} ${where}A line of yours was not delivered (${event.why}); /retry sends it again`,
      };
    case "unread":
      return news("---- unread begins here ----");
    case "entered":
      if (event.room.startsWith("@")) return null;
      return news(
        `${event.speakers ? "You, and who has spoken here" : "In the room"}: ${event.members.join(", ")}`,
      );
    case "added":
      return news(
        `New person joined the room. Username: ${event.who} (added by ${event.by}, ${
          event.verified ? "verified" : "not verified"
        })`,
      );
    case "removed":
      return news(
        event.left ? `${event.who} left the room.` : `${event.by} removed ${event.who} from the room.`,
      );
    case "presence":
      return news(event.here ? `${event.who} is here.` : `${event.who} left the server.`);
    case "notice":
      return news(sanitize(event.text));
    case "warning":
      return { kind: "warning", text: `${warningPrefix} ${where}${sanitize(event.text)}` };
  }
}

/** Lines: room events as text, one wording for terminals, pipes and screen readers. */

import type { KeptMessage, MessageEvent, RoomEvent } from "../client/room_events.ts";
import { timestamp } from "../timestamp.ts";
import { sanitize } from "../sanitize.ts";
import { fileText, savedText } from "./transfer_text.ts";

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

/** The prefix of news; no message can begin with it: all begin with their time, or with a name or room. */
export const newsPrefix = "[+]";
/** The prefix of warnings. */
export const warningPrefix = "[!]";
/** The prefix of what was said before and is shown again. */
const keptPrefix = "|";

/** How lines look. */
export interface Look {
  /** On the screen: lines of other rooms say which. */
  readonly room: string;
  /** How names look. */
  readonly paint?: Paint;
  /** What stands before a message, with the blank after it. @param timeMs milliseconds since 1970 */
  time?(timeMs: number): string;
}

const fullTime = (timeMs: number) => `${timestamp(timeMs)} `;

/** The line of an event, or null for one that is not shown by itself. */
export function lineOf(
  event: RoomEvent,
  { room: currentRoom, paint = plain, time = fullTime }: Look,
): Line | null {
  const where = placeOf(event.room, currentRoom);
  const news = (text: string): Line => ({ kind: "notice", text: `${newsPrefix} ${where}${text}` });
  switch (event.type) {
    case "message":
      return { kind: "message", text: messageText(event, where, time(event.timeMs), paint) };
    case "pending":
    case "withdrawn":
    case "held":
    case "progress":
    case "cancelled":
      return null;
    case "saved":
      return news(savedText(event));
    case "download failed":
      return { kind: "warning", text: `${warningPrefix} ${where}${sanitize(event.why)}.` };
    case "failed":
      return {
        kind: "warning",
        text: event.file === undefined
          ? `${warningPrefix} ${where}A line of yours was not delivered (${event.why}); /retry sends it again`
          : `${warningPrefix} ${where}${event.file} was not sent: ${sanitize(event.why)}.`,
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
        `New person joined the room. Username: ${event.who} (${
          event.by === event.who ? "entered by herself" : `added by ${event.by}`
        }, ${event.verified ? "verified" : "not verified"})`,
      );
    case "removed":
      return news(
        event.left ? `${event.who} left the room.` : `${event.by} removed ${event.who} from the room.`,
      );
    case "presence":
      return news(presenceText(event));
    case "notice":
      return news(sanitize(event.text));
    case "warning":
      return { kind: "warning", text: `${warningPrefix} ${where}${sanitize(event.text)}` };
  }
}

/** Who came or went, in words. */
export function presenceText(event: Extract<RoomEvent, { readonly type: "presence" }>): string {
  const { who, here, isClaim } = event;
  if (isClaim) return `${who} ${here ? "has come" : "has gone"}, says the server.`;
  return here ? `${who} is here.` : `${who} left the server.`;
}

function placeOf(room: string, currentRoom: string): string {
  return room === currentRoom || room === "" ? "" : `[${room}] `;
}

function messageText(event: MessageEvent, where: string, time: string, paint: Paint): string {
  // An address is the server's claim and may be anything: without a time before it, it must not begin the line.
  const shown = sanitize(event.address);
  const address = shown === "" ? "" : time === "" ? `(${shown}) ` : `${shown} `;
  // No name has brackets: nobody can pass for the server.
  const name = paint(event.from, event.fromId);
  const from = event.answer ? `(${name})` : name;
  return `${time}${where}${address}${saidText(from, event)}`;
}

type SaidPart = Pick<MessageEvent, "action" | "text" | "file"> & { readonly own?: boolean };

function saidText(from: string, { action, text, file, own = false }: SaidPart): string {
  if (file) return fileText(from, file, text, own);
  return action ? `* ${from} ${sanitize(text)}` : `${from}: ${sanitize(text)}`;
}

/** The line above lines that were said before. */
export function keptTitle(title: string): string {
  return `${newsPrefix} ---- ${sanitize(title)} ----`;
}

/** A line that was said before. @param time before it, with the blank after it */
export function keptLine(message: KeptMessage, currentRoom: string, time: string): string {
  return `${keptPrefix} ${time}${placeOf(message.room, currentRoom)}${saidText(message.from, message)}`;
}

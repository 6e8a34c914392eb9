/** FileCommands: /send, /get, /files and /cancel. */

import { ChatError } from "../../errors.ts";
import { sizeInWords } from "../../size_in_words.ts";
import { splitWords } from "../../shell_word.ts";
import { dayInWords } from "../../timestamp.ts";
import type { FileOffer } from "../files/file_offer.ts";
import { MemberRoom } from "../rooms/member_room.ts";
import type { ChatApi } from "./chat_api.ts";

/** `/send FILE…`: the whole line, if it names a file; else its words. @throws ChatError */
export function send(chat: ChatApi, rest: string): void {
  if (rest === "") throw new ChatError("Which file? /send FILE", "Tab completes its path");
  const { room } = chat;
  if (!room) throw new ChatError("You are in no room yet", "a file is sent into the room on the screen");
  for (const path of pathsOf(rest, chat.pathOf)) chat.sendFile(room, { path });
}

/** What a line names. @param pathOf makes a path whole */
export function pathsOf(line: string, pathOf: (path: string) => string): string[] {
  if (isThere(pathOf(line))) return [pathOf(line)];
  return splitWords(line).map(pathOf);
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** The files of the room on the screen, the newest first, with their ids. */
function offersOf(chat: ChatApi): [string, FileOffer][] {
  const { room } = chat;
  if (!(room instanceof MemberRoom)) return [];
  return Object.entries(room.files).toReversed();
}

/** `/get [NAME|N]`: the newest file, or the one that is meant. @throws ChatError */
export function get(chat: ChatApi, rest: string): void {
  const offers = offersOf(chat);
  if (offers.length === 0) {
    throw new ChatError("There is no file to get in this room", "/files shows what there is");
  }
  const byNumber = /^\d+$/.test(rest) ? offers[Number(rest) - 1] : undefined;
  const found = rest === "" ? offers[0] : offers.find(([, { name }]) => name === rest) ?? byNumber ??
    offers.find(([, { name }]) => name.toLowerCase().startsWith(rest.toLowerCase()));
  if (!found) throw new ChatError(`There is no file "${rest}" here`, "/files shows what there is");
  const [id, { until, name, from }] = found;
  if (until * 1000 <= chat.context.clock.now()) {
    throw new ChatError(`"${name}" has expired`, `ask ${from} to send it again`);
  }
  chat.getFile(id, { room: chat.room as MemberRoom });
}

/** `/files`: what can be had, and what is on its way. */
export function files(chat: ChatApi): readonly string[] {
  const { room } = chat;
  if (!room) return ["You are in no room yet."];
  const moving = chat.movingFiles(room);
  const now = chat.context.clock.now();
  const offers = offersOf(chat).map(([, { name, size, from, until, part, isStopped }], i) => {
    const when = until * 1000 <= now ? "expired" : `until ${dayInWords(until * 1000)}`;
    const way = part === undefined ? "" : isStopped ? ", stopped: /get goes on" : ", on its way";
    return `${String(i + 1).padStart(3)}  ${name}  ${sizeInWords(size)}, from ${from}, ${when}${way}`;
  });
  const sent = moving.filter(({ way }) => way === "up").map(({ name }) => `  ↑  ${name}, on its way`);
  if (offers.length + sent.length === 0) {
    return [`There are no files in ${room.label}: /send FILE sends one.`];
  }
  return [...sent, ...offers];
}

/** `/cancel [NAME]`: ends what is on its way. @throws ChatError */
export function cancel(chat: ChatApi, rest: string): void {
  const { room } = chat;
  const moving = room ? chat.movingFiles(room) : [];
  if (moving.length === 0) throw new ChatError("No file is on its way here", "/files shows what there is");
  if (rest === "" && moving.length > 1) {
    throw new ChatError(
      `Which one? /cancel ${moving.map(({ name }) => name).join(", ")}`,
      "nothing was done",
    );
  }
  const meant = rest === "" ? moving[0] : moving.find(({ name }) => name === rest) ??
    moving.find(({ name }) => name.toLowerCase().startsWith(rest.toLowerCase()));
  if (!meant) throw new ChatError(`"${rest}" is not on its way`, "/files shows what is");
  chat.cancelFile(meant.id);
  chat.view.notice(`${meant.name} is not ${meant.way === "up" ? "sent" : "fetched"} any more.`);
}

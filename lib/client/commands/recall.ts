/** Recall: /history, /search and /forget, over what is kept on this machine. */

import { ChatError } from "../../errors.ts";
import { timestamp } from "../../timestamp.ts";
import type { ChatApi } from "./chat_api.ts";
import type { KeptMessage } from "../profile/local_history.ts";

const lastLines = 20;
const maxLines = 1000;
const maxFound = 50;

/** `/history [N]`: the last lines of the room on the screen. @throws ChatError */
export function recall(chat: ChatApi, rest: string): string[] {
  const n = rest === "" ? lastLines : Number(rest);
  if (!Number.isInteger(n) || n < 1 || n > maxLines) {
    throw new ChatError(`How many lines? /history, or /history N with N up to ${maxLines}`, "/history 50");
  }
  const { room } = chat;
  if (!room) throw new ChatError("You are in no room yet", "/rooms shows where you are");
  return told(chat, chat.history.last(room.state.id, n), `Nothing of ${room.label} is kept here.`);
}

/** `/search WORDS`: lines of all rooms in which all of the words occur. @throws ChatError */
export function search(chat: ChatApi, rest: string): string[] {
  if (rest === "") {
    throw new ChatError("For what? /search WORDS", "lines are shown in which all of them occur");
  }
  const found = chat.history.search(rest.split(/\s+/), maxFound);
  const lines = told(chat, found, `No line that is kept here has "${rest}" in it.`);
  return found.length < maxFound
    ? lines
    : [...lines, `These are the last ${maxFound}; more words find fewer.`];
}

/** `/forget`: wipes it, and the lines that the arrow keys bring back. */
export async function forget(chat: ChatApi): Promise<void> {
  const { view } = chat;
  const question =
    "Lines kept on this machine, of all rooms here, and those you have typed are wiped. Go on?";
  if (view.interactive && !await chat.questions.ask(question)) return view.notice("Nothing was done.");
  chat.forgetHistory();
  chat.forgetTyped();
  view.notice(
    chat.history.isOn ? "They are wiped; what is said from now on is kept again." : "They are wiped.",
  );
}

function told(chat: ChatApi, lines: readonly KeptMessage[], nothing: string): string[] {
  if (lines.length > 0) return lines.map((line) => lineOf(line, chat.room?.label ?? ""));
  return chat.history.isOn ? [nothing] : [nothing, "Lines are kept with chat join --history."];
}

function lineOf({ timeMs, room, from, text, action }: KeptMessage, here: string): string {
  const where = room === here ? "" : `[${room}] `;
  return `${timestamp(timeMs)} ${where}${action ? `* ${from} ${text}` : `${from}: ${text}`}`;
}

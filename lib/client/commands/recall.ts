/** Recall: /history, /search and /forget, over what is kept on this machine. */

import { command } from "../../program.ts";
import { ChatError, inWords } from "../../errors.ts";
import type { KeptMessage } from "../room_events.ts";
import type { ChatApi } from "./chat_api.ts";

const lastLines = 20;
const maxLines = 1000;
const maxFound = 50;

/** `/history [N]`: the last lines of the room on the screen. @throws ChatError */
export function recall(chat: ChatApi, rest: string): void {
  const n = rest === "" ? lastLines : Number(rest);
  if (!Number.isInteger(n) || n < 1 || n > maxLines) {
    throw new ChatError(`How many lines? /history, or /history N with N up to ${maxLines}`, "/history 50");
  }
  const { room } = chat;
  if (!room) throw new ChatError("You are in no room yet", "/rooms shows where you are");
  const lines = chat.history.last(room.state.id, n);
  if (lines.length === 0) return nothing(chat, `Nothing of ${room.label} is kept here.`);
  chat.view.recalled(`${room.label}: the last ${lines.length} kept here`, lines);
}

/** PageUp: the last `n` lines of the room on the screen; null when they cannot be read, which is said. */
export function kept(chat: ChatApi, n: number): readonly KeptMessage[] | null {
  const { room, view } = chat;
  if (!room) return null;
  try {
    return chat.history.last(room.state.id, n);
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    view.warning(inWords(error));
    return null;
  }
}

/** `/search WORDS`: lines of all rooms in which all of the words occur. @throws ChatError */
export function search(chat: ChatApi, rest: string): void {
  if (rest === "") {
    throw new ChatError("For what? /search WORDS", "lines are shown in which all of them occur");
  }
  const found = chat.history.search(rest.split(/\s+/), maxFound);
  if (found.length === 0) return nothing(chat, `No line that is kept here has "${rest}" in it.`);
  const isAll = found.length < maxFound;
  chat.view.recalled(
    isAll ? `found: ${rest}` : `the last ${maxFound} of: ${rest}; more words find fewer`,
    found,
  );
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

function nothing(chat: ChatApi, text: string): void {
  chat.view.answer(
    chat.history.isOn
      ? [text]
      : [text, `Nothing is kept now; "${command("join --history 30d")}" keeps what is said.`],
  );
}

/** Commands: what a person can type in a room, as one table that drives parsing and /help. */

import { closestString } from "@std/text/closest-string";
import { encodeHex } from "@std/encoding/hex";
import type { Chat } from "./chat.ts";

/** One command of the table. */
export interface Command {
  /** The word after the slash. */
  readonly name: string;
  /** What follows it. */
  readonly args: string;
  /** What it does. */
  readonly help: string;
  /** Does it. */
  run(chat: Chat, rest: string): void | Promise<void>;
}

/** All commands. */
export const commands: readonly Command[] = [
  {
    name: "help",
    args: "[COMMAND]",
    help: "Show the commands",
    run: (chat, rest) => chat.view.answer(help(rest)),
  },
  {
    name: "who",
    args: "",
    help: "Who is in the room, and who is here now",
    run: (chat) => chat.view.answer(who(chat)),
  },
  { name: "me", args: "ACTION", help: "Say what you do", run: (chat, rest) => chat.say(rest, true) },
  {
    name: "retry",
    args: "",
    help: "Send again what failed; go on after a warning",
    run: (chat) => chat.room?.retry(),
  },
  {
    name: "trust",
    args: "NAME",
    help: "Accept the changed key of NAME",
    run: (chat, rest) => chat.trust(rest),
  },
  { name: "rekey", args: "", help: "Make new keys for the room now", run: (chat) => chat.room?.rekey() },
  { name: "leave", args: "", help: "Give up the membership, and go", run: (chat) => chat.leave() },
  {
    name: "quit",
    args: "",
    help: "Go; the membership stays (also EXIT, exit, Ctrl+D)",
    run: (chat) => chat.quit(),
  },
];

/** What a typed line means. */
export type Meaning =
  | { readonly kind: "nothing" }
  | { readonly kind: "quit" }
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "command"; readonly command: Command; readonly rest: string }
  | { readonly kind: "unknown"; readonly word: string; readonly nearest: string };

/** Reads one line; an unknown `/word` is never text. */
export function parseLine(line: string): Meaning {
  const trimmed = line.trim();
  if (trimmed === "") return { kind: "nothing" };
  if (trimmed === "EXIT" || trimmed === "exit") return { kind: "quit" };
  if (line.startsWith("//")) return { kind: "say", text: line.slice(1) };
  if (!line.startsWith("/")) return { kind: "say", text: line };
  const [, word, rest] = /^\/(\S*)\s*(.*)$/s.exec(line)!;
  const command = commands.find((c) => c.name === word.toLowerCase());
  if (command) return { kind: "command", command, rest: rest.trim() };
  return { kind: "unknown", word, nearest: closestString(word.toLowerCase(), commands.map((c) => c.name)) };
}

function help(word: string): string[] {
  const name = word.replace(/^\//, "").toLowerCase();
  const some = commands.filter((c) => name === "" || c.name === name);
  if (some.length === 0) return [`There is no command /${name}; /help lists all.`];
  const lines = some.map((c) => `${`/${c.name} ${c.args}`.padEnd(16)} ${c.help}`);
  return name === "" ? [...lines, `${"//TEXT".padEnd(16)} Say a line that starts with a slash`] : lines;
}

function who(chat: Chat): string[] {
  const room = chat.room;
  if (!room?.state.head) return ["You are in no room yet."];
  return room.state.head.roster.map((member) => {
    const own = member.name === chat.profile.card.name;
    const here = own || room.present.has(encodeHex(member.id));
    const role = member.role === 1 ? ", admin" : "";
    const verified = chat.isVerified(member.name) ? "verified" : "not verified";
    return `${member.name.padEnd(24)} ${here ? "here" : "away"}${role}${own ? ", you" : `, ${verified}`}`;
  });
}

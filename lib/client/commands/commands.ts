/** Commands: what a person can type in a room, as one table that drives parsing and /help. */

import { encodeHex } from "../../hex.ts";
import { ChatError } from "../../errors.ts";
import { nearest } from "../../nearest.ts";
import { changePassword, releaseKey } from "./account.ts";
import { ban, close, kick, open, unban } from "./administration.ts";
import { rooms, who, whois } from "./answers.ts";
import type { ChatApi } from "./chat_api.ts";
import type { Takes, Words } from "./completion.ts";
import { MemberRoom } from "../rooms/member_room.ts";
import type { RoomStream } from "../rooms/room_stream.ts";
import type { LineForm } from "../rooms/unsent.ts";
import { findPerson } from "../rooms/people.ts";
import { cancel, files, get, send } from "./file_commands.ts";
import { pathsFrom } from "./path_completion.ts";
import { forget, recall, search } from "./recall.ts";
import { trust } from "./trust.ts";
import { invite } from "./invite.ts";
import { verify } from "./verify.ts";
import { why } from "./why.ts";

/** One command of the table. */
export interface Command {
  /** The word after the slash. */
  readonly name: string;
  /** What follows it. */
  readonly args: string;
  /** What the first word of that is, for completion. */
  readonly takes?: Takes;
  /** What it does. */
  readonly help: string;
  /** Does it, … */
  run?(chat: ChatApi, rest: string): void | Promise<void>;
  /** … or says something. @returns its id in hex, if it is said */
  says?(chat: ChatApi, rest: string, form: LineForm): string | null | Promise<string | null>;
}

/** All commands. */
export const commands: readonly Command[] = [
  {
    name: "help",
    args: "[COMMAND]",
    takes: "command",
    help: "Show the commands",
    run: (chat, rest) => chat.view.answer(help(rest)),
  },
  {
    name: "who",
    args: "",
    help: "Who is in the room, who is here now, and how far they confirm what you see",
    run: (chat) => chat.view.answer(who(chat)),
  },
  {
    name: "whois",
    args: "NAME",
    takes: "person",
    help: "The key of NAME, and how it was checked",
    run: async (chat, rest) => chat.view.answer(await whois(chat, rest)),
  },
  {
    name: "msg",
    args: "NAME TEXT",
    takes: "person",
    help: "Say TEXT to NAME alone, also while NAME is away",
    says: message,
  },
  {
    name: "query",
    args: "NAME",
    takes: "person",
    help: "Show the room of you and NAME alone",
    run: query,
  },
  {
    name: "join",
    args: "ROOM",
    takes: "room",
    help: "Enter another room, or make it",
    run: (chat, rest) => chat.joinRoom(rest),
  },
  {
    name: "switch",
    args: "ROOM",
    takes: "room",
    help: "Show another room: what you type is said there (Alt+1 to Alt+9: by number)",
    run: switchRoom,
  },
  { name: "rooms", args: "", help: "The rooms you are in", run: (chat) => chat.view.answer(rooms(chat)) },
  {
    name: "invite",
    args: "[NAME]",
    takes: "person",
    help:
      "Let NAME in; alone: the command that joins; --pass [NAME]: one that lets somebody in by itself, once (admins); " +
      "--list, --revoke [NAME]: show those, take them back (admins)",
    run: invite,
  },
  {
    name: "kick",
    args: "NAME",
    takes: "person",
    help: "Put NAME out of the room for good; with --return, NAME may come back (admins)",
    run: kick,
  },
  {
    name: "ban",
    args: "[NAME]",
    takes: "person",
    help: "Keep NAME out of the room (admins); alone: who is kept out",
    run: ban,
  },
  { name: "unban", args: "NAME", takes: "person", help: "Let NAME come in again (admins)", run: unban },
  { name: "close", args: "", help: "Let only admins let others in (admins)", run: close },
  { name: "open", args: "", help: "Let anyone in again (admins)", run: open },
  {
    name: "send",
    args: "FILE…",
    takes: "path",
    help: "Send files to the room on the screen, also to those who are away",
    run: send,
  },
  {
    name: "get",
    args: "[NAME]",
    takes: "file",
    help: "Fetch a file of the room on the screen: the newest, or NAME, or by its number in /files",
    run: get,
  },
  {
    name: "files",
    args: "",
    help: "Files that can be fetched here, and what is on its way",
    run: (chat) => chat.view.answer(files(chat)),
  },
  { name: "cancel", args: "[NAME]", takes: "file", help: "Send or fetch a file no more", run: cancel },
  {
    name: "verify",
    args: "[NAME]",
    takes: "person",
    help: "Compare digits with NAME, and mark the key as verified; alone: digits of room, server and you",
    run: verify,
  },
  {
    name: "trust",
    args: "NAME",
    takes: "person",
    help: "Accept the changed key of NAME",
    run: trust,
  },
  {
    name: "ignore",
    args: "[NAME]",
    takes: "person",
    help: "Show nothing of NAME any more, or again; alone: whom you ignore",
    run: ignore,
  },
  {
    name: "why",
    args: "[N]",
    help: "Who could read the last message, or the Nth last, with which keys, and how it was checked",
    run: (chat, rest) => chat.view.answer(why(chat, rest)),
  },
  {
    name: "history",
    args: "[N]",
    help: "The last N lines of the room that are kept here; PageUp and PageDown turn its pages",
    run: recall,
  },
  {
    name: "search",
    args: "WORDS",
    help: "Lines kept here in which all the WORDS occur, names included",
    run: search,
  },
  { name: "forget", args: "", help: "Wipe the lines kept here, and those you have typed", run: forget },
  { name: "clear", args: "", help: "Clear the screen (also Ctrl+L)", run: (chat) => chat.view.clear() },
  { name: "password", args: "", help: "Change the password of your account", run: changePassword },
  {
    name: "servers",
    args: "",
    help: "The servers that you are at with this profile, and which one this is",
    run: (chat) => chat.view.answer(chat.servers()),
  },
  {
    name: "release",
    args: "",
    help: "Let your account's next login come from another key, and go",
    run: releaseKey,
  },
  {
    name: "me",
    args: "ACTION",
    help: "Say what you do",
    says: (chat, rest, form) => chat.say(rest, { ...form, action: true }),
  },
  {
    name: "retry",
    args: "",
    help: "Send again what failed; go on after a warning",
    run: (chat) => chat.retry(),
  },
  {
    name: "rekey",
    args: "",
    help: "Make new keys for the room now",
    run: (chat) => chat.membersRoom.rekey(),
  },
  { name: "leave", args: "", help: "Give up the membership, and go", run: (chat) => chat.leave() },
  {
    name: "quit",
    args: "",
    help: "Go; the membership stays (also EXIT, exit, Ctrl+D)",
    run: (chat) => chat.quit(),
  },
];

/** Words of other programs for the same thing. */
const meant: Record<string, string> = { exit: "quit", bye: "quit", part: "leave", names: "who", dm: "msg" };

/** What a typed line means. */
export type Meaning =
  | { readonly kind: "nothing" }
  | { readonly kind: "quit" }
  /** Other programs end with that word: a person is asked to mean it. */
  | { readonly kind: "maybe quit"; readonly text: string }
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "command"; readonly command: Command; readonly rest: string }
  | { readonly kind: "unknown"; readonly word: string; readonly nearest: string | null };

/** Reads one line; an unknown `/word` is never text. */
export function parseLine(line: string): Meaning {
  const trimmed = line.trim();
  if (trimmed === "") return { kind: "nothing" };
  if (trimmed === "EXIT" || trimmed === "exit") return { kind: "quit" };
  if (/^(quit|QUIT|:q!?|:wq)$/.test(trimmed)) return { kind: "maybe quit", text: line };
  // A leading blank must not turn a command into a message.
  if (trimmed.startsWith("//")) return { kind: "say", text: line.replace("/", "") };
  if (!trimmed.startsWith("/")) return { kind: "say", text: line };
  const [, word, rest] = /^\/(\S*)\s*(.*)$/s.exec(line.trimStart())!;
  const name = meant[word.toLowerCase()] ?? word.toLowerCase();
  const command = commands.find((c) => c.name === name);
  if (command) return { kind: "command", command, rest: rest.trim() };
  return { kind: "unknown", word, nearest: nearest(word, commands.map((c) => c.name)) };
}

/** `/help`: all commands, or the one named. */
export function help(word: string): string[] {
  const name = word.replace(/^\//, "").toLowerCase();
  const some = commands.filter((c) => name === "" || c.name === name);
  if (some.length === 0) {
    const meant = nearest(name, commands.map((c) => c.name));
    return [
      `There is no command /${name}; ${meant === null ? "" : `did you mean /${meant}? `}/help lists all.`,
    ];
  }
  const lines = some.map((c) => `${`/${c.name} ${c.args}`.padEnd(16)} ${c.help}`);
  return name === "" ? [...lines, `${"//TEXT".padEnd(16)} Say a line that starts with a slash`] : lines;
}

/** What can be completed in a chat as it stands. */
export function wordsOf(chat: ChatApi): Words {
  const { room } = chat;
  const speakers = room ? chat.shown.speakers(room.label) : [];
  const members = room ? [...room.memberNames].filter((name) => name !== chat.profile.name) : [];
  const rooms = chat.numbered.filter((other) => other !== room).toSorted((a, b) =>
    b.news.unread - a.news.unread
  );
  return {
    commands,
    files: room ? filesIn(room) : [],
    paths: (begun) => pathsFrom(begun, chat.pathOf),
    people: [...new Set([...speakers, ...members.toSorted()])],
    rooms: rooms.map(({ label }) => label),
  };
}

function filesIn(room: RoomStream): string[] {
  return room instanceof MemberRoom ? Object.values(room.files).map(({ name }) => name).toReversed() : [];
}

async function ignore(chat: ChatApi, rest: string): Promise<void> {
  const { ignored } = chat;
  if (rest === "") {
    const { names } = ignored;
    return chat.view.notice(names.length === 0 ? "You ignore nobody." : `You ignore ${names.join(", ")}.`);
  }
  const card = await findPerson(chat.context, chat.connection, rest);
  const isIgnored = ignored.toggle(encodeHex(card.id), card.name);
  chat.view.notice(
    isIgnored
      ? `Nothing that ${card.name} says is shown or kept any more; "/ignore ${card.name}" again ends it.`
      : `What ${card.name} says is shown again.`,
  );
}

async function message(chat: ChatApi, rest: string, form: LineForm): Promise<string> {
  const [, name, text] = /^(\S*)\s*(.*)$/s.exec(rest)!;
  if (name === "" || text === "") {
    throw new ChatError("To whom, and what? /msg NAME TEXT", "nothing was sent");
  }
  return await chat.tell(name, text, form);
}

async function query(chat: ChatApi, rest: string): Promise<void> {
  if (rest === "") throw new ChatError("Whom? /query NAME", "/rooms shows the rooms you are in");
  chat.switchTo(await chat.directRoom(rest));
}

function switchRoom(chat: ChatApi, rest: string): void {
  if (rest === "") throw new ChatError("Which room? /switch ROOM", "/rooms shows those you are in");
  if (/^[1-9]$/.test(rest) && !chat.roomCalled(rest)) return chat.switchToNumber(Number(rest));
  chat.switchTo(chat.knownRoom(rest));
}

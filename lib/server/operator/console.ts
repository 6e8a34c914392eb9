/**
 * Console: the operator's commands, a line in, an answer out.
 *
 * Words work in any letter case. Nothing but TERMINATE ends the server, and it asks once when people are
 * connected: a stray line must not shut everybody out. On an answering server a line that is no command is an
 * answer to the last speaker, and `@NAME TEXT` one to NAME.
 */

import { encodeHex } from "../../hex.ts";
import { isWhole, weightOf } from "../blobs/blob_index.ts";
import type { OtherLink } from "../others.ts";
import type { StoredBlob } from "../store/store.ts";
import { didYouMean } from "../../nearest.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import {
  disableAccount,
  enableAccount,
  type KeepTokens,
  listAccounts,
  mintTokens,
  onAccounts,
  releaseAccount,
} from "./account_commands.ts";
import type { Answering } from "../rooms/answering.ts";
import { banOf } from "../rooms/bans.ts";
import { ban, wideRange } from "./ban_command.ts";
import { printable } from "./printable.ts";
import type { KeyFileLog } from "../rooms/key_file_log.ts";
import { ServerRoom } from "../rooms/room.ts";
import type { RoomLog } from "../rooms/room_log.ts";
import type { ChatServer } from "../server.ts";
import { closeReasons, roomKinds } from "../../protocol/channel/link_messages.ts";

/** What a console line leads to. */
export interface ConsoleAnswer {
  /** Lines to print. */
  readonly lines: string[];
  /** More lines, once a database has answered. */
  readonly later?: Promise<string[]>;
  /** Whether the server is to stop. */
  readonly terminate?: boolean;
}

/** What the console can tell. */
export interface ConsoleContext {
  /** The server it belongs to. */
  readonly server: ChatServer;
  /** Where lines that are no commands go; null when the server does not answer. */
  readonly answering?: Answering | null;
  /** Who is answered by a line that is no command: by default the last speaker. */
  addressee?(): string | null;
  /** The command that lets somebody join a room. */
  invite(room: string): string;
  /** Milliseconds since 1970. */
  now(): number;
  /** Who types, for the audit trail. */
  readonly operator?: string;
  /** Puts registration tokens where no log is; without it they are printed. */
  readonly keepTokens?: KeepTokens;
}

/** One word of the console. */
export interface ConsoleCommand {
  /** In capitals. */
  readonly word: string;
  /** What follows it. */
  readonly args: string;
  /** What it does. */
  readonly help: string;
  /** Does it. @returns lines to print */
  run(context: ConsoleContext, rest: string): string[] | Promise<string[]>;
}

/** A command on accounts, as a command of the console. */
function account(act: Parameters<typeof onAccounts>[0]): ConsoleCommand["run"] {
  const run = onAccounts(act);
  return ({ server, operator = "operator", keepTokens = () => null }, rest) =>
    run({ signIn: server.signIn, operator, keepTokens }, rest);
}

/** All words, and what they do. */
export const consoleWords: readonly ConsoleCommand[] = [
  { word: "HELP", args: "", help: "Show these commands", run: help },
  { word: "WHO", args: "", help: "Who is connected", run: who },
  { word: "ROOMS", args: "", help: "All rooms, their members and messages", run: rooms },
  { word: "INVITE", args: "[ROOM]", help: "The command that lets somebody join", run: invite },
  { word: "NOTICE", args: "TEXT", help: "Show TEXT to everybody, as your words", run: notice },
  { word: "KICK", args: "NAME", help: "End the connection of NAME, who may come back", run: kick },
  {
    word: "BAN",
    args: "[NAME|ADDRESS|ADDRESS/BITS [--for 7d] [REASON]]",
    help: "Let nobody of that name or address in, for good or for a time; alone: who is banned",
    run: ban,
  },
  { word: "UNBAN", args: "NAME|ADDRESS|ADDRESS/BITS", help: "Let in again", run: unban },
  { word: "RETIRE", args: "ROOM", help: "End a room for good; its name is free for a new one", run: retire },
  {
    word: "ACCOUNTS",
    args: "",
    help: "All accounts, their keys and their last logins",
    run: account(listAccounts),
  },
  {
    word: "RELEASE",
    args: "NAME",
    help: "Unbind the lost key of an account: the next login binds another one",
    run: account(releaseAccount),
  },
  {
    word: "DISABLE",
    args: "NAME",
    help: "Let nobody in with an account any more",
    run: account(disableAccount),
  },
  { word: "ENABLE", args: "NAME", help: "Let in again", run: account(enableAccount) },
  {
    word: "TOKEN",
    args: "[N]",
    help: "Make a token that allows one registration, or N of them",
    run: account(mintTokens),
  },
  { word: "FILES", args: "", help: "How many files are kept, by room, and how much they take", run: files },
  { word: "STATS", args: "", help: "Connections, messages, memory, uptime", run: stats },
  { word: "TERMINATE", args: "", help: "Tell everybody, save everything, end the server", run: () => [] },
];

/** Words about accounts. */
export const accountWords: ReadonlySet<string> = new Set([
  "ACCOUNTS",
  "RELEASE",
  "DISABLE",
  "ENABLE",
  "TOKEN",
]);

/** What changes something: told to the log. */
const acts = new Set(["NOTICE", "KICK", "BAN", "UNBAN", "RETIRE", "RELEASE", "DISABLE", "ENABLE", "TOKEN"]);

/** One console: remembers only what it has asked about. */
export class Console {
  #confirming: string | null = null;

  /** @param context of the running server */
  constructor(private readonly context: ConsoleContext) {}

  /** Answers one line. */
  enter(line: string): ConsoleAnswer {
    const [, word, rest] = /^\s*(\S*)\s*(.*?)\s*$/s.exec(line)!;
    const upper = word.toUpperCase();
    const confirmed = this.#confirming === `${upper} ${rest}`;
    this.#confirming = null;
    if (upper === "") return { lines: [] };
    const { answering } = this.context;
    if (answering && word.startsWith("@")) return { lines: answering.answer(word.slice(1), rest) };
    const command = consoleWords.find((c) => c.word === upper && (c.args !== "" || rest === ""));
    // On an answering server a command with text must be typed in capitals: NOTICE would show an answer to everybody.
    if (answering && command && rest !== "" && word !== upper) {
      return {
        lines: [
          `error: "${printable(line.trim())}" was neither done nor sent`,
          `hint: ${upper} ${command.args} in capitals is the command; @NAME ${
            printable(line.trim())
          } says it`,
        ],
      };
    }
    if (answering && !command) {
      const to = this.context.addressee ? this.context.addressee() : answering.partner;
      if (to === null) {
        return {
          lines: [
            "error: Nobody who has said something is here, or was when you began the line",
            "hint: @NAME TEXT",
          ],
        };
      }
      return { lines: answering.answer(to, line.trim()) };
    }
    if (!command) return { lines: unknown(upper, word, rest) };
    if (rest === "" && command.args !== "" && !command.args.startsWith("[")) {
      return { lines: [`error: ${upper} needs more`, `hint: ${upper} ${command.args}`] };
    }
    const question = confirmed ? null : this.#question(upper, rest);
    if (question !== null) {
      this.#confirming = `${upper} ${rest}`;
      return { lines: [question] };
    }
    if (upper === "TERMINATE") {
      this.context.server.rooms.events.tell({ type: "operator", word: upper });
      return { lines: [], terminate: true };
    }
    if (acts.has(upper)) this.context.server.rooms.events.tell({ type: "operator", word: upper });
    const answer = command.run(this.context, rest);
    return Array.isArray(answer) ? { lines: answer } : { lines: [], later: answer };
  }

  /** What is asked before it is done; null for nothing. */
  #question(upper: string, rest: string): string | null {
    const { server } = this.context;
    if (upper === "TERMINATE" && server.linked > 0) {
      const people = server.linked === 1 ? "1 person is" : `${server.linked} people are`;
      return `${people} connected. Type TERMINATE again to end the server.`;
    }
    const wide = upper === "BAN" ? wideRange(rest) : null;
    if (wide !== null) return `${wide} is a very wide range. Type BAN ${rest} again to keep all of it out.`;
    const room = upper === "RETIRE" ? roomNamed(this.context, rest) : undefined;
    if (!room) return null;
    const size = room instanceof ServerRoom ? `${room.head.roster.length} in it` : "a key file";
    return `${nameOf(room)} has ${size}; nothing more can be said there ` +
      `afterwards. Type RETIRE ${rest} again to end it.`;
  }
}

function unknown(upper: string, word: string, rest: string): string[] {
  const withRest = consoleWords.find((c) => c.word === upper);
  if (withRest) {
    return [
      `error: ${upper} takes nothing after it`,
      `hint: type ${upper} alone; "${printable(rest)}" did nothing`,
    ];
  }
  const ends = ["EXIT", "QUIT", "STOP", "SHUTDOWN"].includes(upper);
  const meant = ends ? "TERMINATE ends the server; " : didYouMean(upper, consoleWords.map((c) => c.word));
  return [`error: "${printable(word)}" is not a command`, `hint: ${meant}HELP lists all`];
}

/** Wide enough for all but the longest. */
const helpColumn = 22;

function help({ answering }: ConsoleContext): string[] {
  const lines = consoleWords.map((c) => `${`${c.word} ${c.args}`.padEnd(helpColumn)} ${c.help}`);
  if (!answering) return lines;
  return [
    ...lines,
    `${"@NAME TEXT".padEnd(helpColumn)} Answer NAME`,
    `${"TEXT".padEnd(helpColumn)} Answer whoever spoke last; commands with words after them in CAPITALS only`,
  ];
}

function who({ server }: ConsoleContext): string[] {
  const { peers, others } = server.rooms;
  const there = linkedElsewhere(server);
  if (peers.size + there.length === 0) return ["Nobody is connected."];
  const line = (name: string, address: string, key: string) =>
    `${name.padEnd(24)} ${address.padEnd(24)} ${key.slice(0, 8)}`;
  const own = others.isAlone ? "" : "  here";
  return [
    ...[...peers.values()].map((peer) => `${line(peer.card.name, peer.address, peer.key)}${own}`),
    ...there.map(({ name, link }) => `${line(name, link.address, encodeHex(link.id))}  at ${link.server}`),
  ];
}

/** Who is linked to servers that share the rooms, and not here. */
function linkedElsewhere({ rooms }: ConsoleContext["server"]): { name: string; link: OtherLink }[] {
  return [...rooms.others.links()].filter(({ id }) => !rooms.peers.has(encodeHex(id)))
    .map((link) => ({ name: rooms.cards(link.id)?.name ?? "?", link }));
}

function rooms({ server }: ConsoleContext): string[] {
  const all = server.rooms.all();
  const keyFile = server.rooms.keyFileRooms();
  if (all.length + keyFile.length === 0) return ["No room has been made yet."];
  return [
    ...all.map((room) =>
      `${nameOf(room).padEnd(24)} ${room.head.roster.length} ${
        room.head.roster.length === 1 ? "member" : "members"
      }, ${room.last} entries${room.isRetired ? ", retired" : ""}`
    ),
    ...keyFile.map((room) =>
      `${nameOf(room).padEnd(24)} ${room.last} entries${room.isReadByServer ? ", you hold its key" : ""}`
    ),
  ];
}

function nameOf(room: RoomLog): string {
  if (room.kind === roomKinds.keyFile) return `(key file ${room.key.slice(0, 8)})`;
  return room.name === "" ? `(direct ${room.key.slice(0, 8)})` : room.name;
}

/** A room by its name, or a key-file room by the digits that ROOMS shows. */
function roomNamed({ server }: ConsoleContext, name: string): ServerRoom | KeyFileLog | undefined {
  const named = server.rooms.all().find((room) =>
    room.name !== "" && !room.isRetired && skeleton(room.name) === skeleton(name)
  );
  if (named || !/^[0-9a-f]{8}$/.test(name)) return named;
  return server.rooms.keyFileRooms().find((room) => !room.isRetired && room.key.startsWith(name));
}

function invite(context: ConsoleContext, rest: string): string[] {
  const line = context.invite(rest === "" ? "lobby" : rest);
  const isThere = rest === "" || line.startsWith("error") || roomNamed(context, rest) !== undefined;
  return isThere ? [line] : [line, `[+] There is no room ${rest} yet: whoever joins first makes it`];
}

function notice({ server }: ConsoleContext, text: string): string[] {
  if (text === "") return ["error: There is no text to show", "hint: NOTICE TEXT"];
  const all = server.linked + linkedElsewhere(server).length;
  if (all === 0) return ["error: Nobody is connected", "hint: WHO shows who is"];
  server.notice(text.slice(0, 2000));
  server.rooms.others.notice(text.slice(0, 2000));
  return [`[+] Shown to ${all === 1 ? "1 person" : `${all} people`}`];
}

function kick({ server }: ConsoleContext, name: string): string[] {
  const peer = server.rooms.peerNamed(name);
  if (peer) {
    peer.link.close(closeReasons.putOut);
    return [`[+] ${peer.card.name} was put out; BAN ${peer.card.name} keeps out for good`];
  }
  const there = linkedElsewhere(server).find((each) => skeleton(each.name) === skeleton(name));
  if (!there) return [`error: "${printable(name)}" is not connected`, "hint: WHO shows who is"];
  server.rooms.others.putOut("identity", encodeHex(there.link.id));
  return [`[+] ${there.name} is put out at ${there.link.server}; BAN ${there.name} keeps out for good`];
}

async function unban({ server }: ConsoleContext, rest: string): Promise<string[]> {
  const made = banOf(rest);
  if (!made || !await server.rooms.bans.remove(made)) {
    return [`error: "${printable(rest)}" is not banned`, "hint: BAN alone shows who is"];
  }
  return [`[+] ${rest} may come in again`];
}

async function retire(context: ConsoleContext, rest: string): Promise<string[]> {
  const room = roomNamed(context, rest);
  if (!room) return [`error: There is no room "${printable(rest)}"`, "hint: ROOMS shows all"];
  const outcome = await context.server.rooms.propose({ kind: "retire", room: room.id });
  if (outcome.type !== "done") return ["error: The room could not be retired", "hint: see above"];
  return [`[+] ${nameOf(room)} is retired; its members are told, and the name is free`];
}

function files({ server: { rooms } }: ConsoleContext): string[] {
  const { blobs, limits } = rooms;
  if (!blobs.isOn) return ["[+] This server takes no files"];
  const byRoom = new Map<string, StoredBlob[]>();
  for (const blob of blobs.index.all()) {
    const key = encodeHex(blob.room);
    byRoom.set(key, [...byRoom.get(key) ?? [], blob]);
  }
  const { files, bytes, coming } = blobs.totals;
  const lines = [...byRoom.values()].map((some) => {
    const room = rooms.get(some[0].room);
    const sum = some.reduce((all, blob) => all + weightOf(blob), 0);
    const unfinished = some.filter((blob) => !isWhole(blob)).length;
    const part = unfinished > 0 ? `, ${unfinished} of them not whole` : "";
    return `${room ? nameOf(room) : "?"}: ${some.length}, ${mib(sum)}${part}`;
  });
  return [
    `[+] ${files === 1 ? "1 file" : `${files} files`}, ${mib(bytes)} of ${mib(limits.filesBytes)}` +
    `${coming > 0 ? `; ${coming} on the way` : ""}`,
    ...lines,
  ];
}

function stats({ server, now }: ConsoleContext): string[] {
  const all = [...server.rooms.all(), ...server.rooms.keyFileRooms()];
  const { tally } = server;
  const { sum, most } = server.queues();
  const { received, sent } = server.traffic();
  const failed = Object.entries(tally.handshakesFailed).filter(([, n]) => n > 0).map(([why, n]) =>
    `${n} ${why}`
  );
  const turned = Object.values(tally.turnedAway).reduce((all, n) => all + n, 0);
  const upSeconds = Math.floor((now() - server.startedMs) / 1000);
  return [
    `connected   ${server.linked}`,
    ...server.rooms.others.servers().map(({ name, linked, messages }) =>
      `at ${name}   ${linked} connected, ${messages} messages`
    ),
    `rooms       ${all.length}`,
    `entries     ${all.reduce((sum, room) => sum + room.last, 0)}`,
    `messages    ${tally.messages}, ${mib(tally.messageBytes)} sealed`,
    `traffic     ${mib(received)} in, ${mib(sent)} out`,
    `waiting     ${mib(sum)} for slow readers, ${mib(most)} for the slowest`,
    `handshakes  ${tally.connected} done, ${
      failed.length > 0 ? `failed: ${failed.join(", ")}` : "none failed"
    }`,
    `turned away ${turned}, refused ${tally.refused}, limited ${
      Object.values(tally.limited).reduce((all, n) => all + n, 0)
    }`,
    `store       ${tally.flushes} writes of ${
      (tally.flushMs / Math.max(1, tally.flushes)).toFixed(2)
    } ms, ${tally.storeFailures} failed`,
    `rooms weigh ${mib(server.rooms.quota.storedBytes)} of ${mib(server.rooms.limits.storeBytes)}`,
    `files       ${server.rooms.blobs.totals.files}, ${mib(server.rooms.blobs.totals.bytes)} of ${
      mib(server.rooms.limits.filesBytes)
    }`,
    `decryptions ${server.decryptions}`,
    `memory      ${Math.round(Deno.memoryUsage().rss / 1024 / 1024)} MiB`,
    `uptime      ${Math.floor(upSeconds / 3600)} h ${Math.floor(upSeconds / 60) % 60} min ${
      upSeconds % 60
    } s`,
  ];
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

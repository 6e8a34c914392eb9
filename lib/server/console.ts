/**
 * Console: the operator's commands, a line in, an answer out (product §3).
 *
 * Words work in any letter case. Nothing but TERMINATE ends the server, and it asks once when people are
 * connected: a stray line must not put a room out.
 */

import { closestString } from "@std/text/closest-string";
import type { ServerRoom } from "./room.ts";
import type { ChatServer } from "./server.ts";

/** What a console line leads to. */
export interface ConsoleAnswer {
  /** Lines to print. */
  readonly lines: string[];
  /** Whether the server shall stop. */
  readonly terminate?: boolean;
}

/** What the console can tell. */
export interface ConsoleContext {
  /** The server it belongs to. */
  readonly server: ChatServer;
  /** The command that lets somebody join a room. */
  invite(room: string): string;
  /** Milliseconds since 1970. */
  now(): number;
}

interface ConsoleCommand {
  readonly word: string;
  readonly args: string;
  readonly help: string;
  run(context: ConsoleContext, rest: string): string[];
}

const commands: readonly ConsoleCommand[] = [
  { word: "HELP", args: "", help: "Show these commands", run: help },
  { word: "WHO", args: "", help: "Who is connected", run: who },
  { word: "ROOMS", args: "", help: "All rooms, their members and messages", run: rooms },
  { word: "INVITE", args: "[ROOM]", help: "The command that lets somebody join", run: invite },
  { word: "STATS", args: "", help: "Connections, messages, memory, uptime", run: stats },
  { word: "TERMINATE", args: "", help: "Tell everybody, save everything, end the server", run: () => [] },
];

/** One console: remembers only whether TERMINATE was asked about. */
export class Console {
  #confirming = false;

  /** @param context of the running server */
  constructor(private readonly context: ConsoleContext) {}

  /** Answers one line. */
  enter(line: string): ConsoleAnswer {
    const [word = "", ...rest] = line.trim().split(/\s+/);
    const upper = word.toUpperCase();
    if (upper === "TERMINATE" && rest.length === 0) return this.#terminate();
    this.#confirming = false;
    if (upper === "") return { lines: [] };
    const command = commands.find((c) => c.word === upper);
    if (!command || upper === "TERMINATE") {
      const nearest = closestString(upper, commands.map((c) => c.word));
      return {
        lines: [
          `error: "${printable(word)}" is not a command`,
          `hint: did you mean ${nearest}? HELP lists all`,
        ],
      };
    }
    return { lines: command.run(this.context, rest.join(" ")) };
  }

  #terminate(): ConsoleAnswer {
    const { linked } = this.context.server;
    if (linked === 0 || this.#confirming) return { lines: [], terminate: true };
    this.#confirming = true;
    const people = linked === 1 ? "1 person is" : `${linked} people are`;
    return { lines: [`${people} connected. Type TERMINATE again to end the server.`] };
  }
}

function help(): string[] {
  return commands.map((c) => `${`${c.word} ${c.args}`.padEnd(16)} ${c.help}`);
}

function who({ server }: ConsoleContext): string[] {
  const peers = [...server.rooms.peers.values()];
  if (peers.length === 0) return ["Nobody is connected."];
  return peers.map((peer) => `${peer.card.name.padEnd(24)} ${peer.address}`);
}

function rooms({ server }: ConsoleContext): string[] {
  const all = server.rooms.all();
  if (all.length === 0) return ["No room has been made yet."];
  return all.map((room) =>
    `${nameOf(room).padEnd(24)} ${room.head.roster.length} members, ${room.last} entries`
  );
}

function nameOf(room: ServerRoom): string {
  return room.name === "" ? `(direct ${room.key.slice(0, 8)})` : room.name;
}

function invite(context: ConsoleContext, rest: string): string[] {
  return [context.invite(rest === "" ? "lobby" : rest)];
}

function stats({ server, now }: ConsoleContext): string[] {
  const all = server.rooms.all();
  const upSeconds = Math.floor((now() - server.startedMs) / 1000);
  return [
    `connected   ${server.linked}`,
    `rooms       ${all.length}`,
    `entries     ${all.reduce((sum, room) => sum + room.last, 0)}`,
    `decryptions ${server.decryptions}`,
    `memory      ${Math.round(Deno.memoryUsage().rss / 1024 / 1024)} MiB`,
    `uptime      ${Math.floor(upSeconds / 3600)} h ${Math.floor(upSeconds / 60) % 60} min ${
      upSeconds % 60
    } s`,
  ];
}

function printable(word: string): string {
  return word.slice(0, 40).replace(/[^\x21-\x7e]/g, "?");
}

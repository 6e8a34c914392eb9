/**
 * SmallRooms: what a message costs the server where people are: many rooms of a few, each with people of its own, and
 * rooms of two. A message is complete when it is stored and all others in its room have it.
 */

import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { makePeople } from "./member.ts";
import { cpuMs, rssKb } from "./process_usage.ts";
import { median } from "./rows.ts";
import { openProsodyRooms } from "./prosody.ts";
import { type Member, RoomOfLoad } from "./room_of_load.ts";

/** A server that is measured. */
export interface MeasuredServer {
  /** For the rows. */
  readonly label: string;
  /** On 127.0.0.1. */
  readonly port: number;
  /** Of several servers that share their rooms: people are at them by turns. */
  readonly ports?: readonly number[];
  /** Its process. */
  readonly pid: number;
  /** All processes whose CPU counts, when there are more. */
  readonly pids?: readonly number[];
  /** Of Prosody: what its clients trust. */
  readonly certificate?: string;
}

/** A room whose people talk, on any server. */
export interface TalkingRoom {
  /** How many people a message comes to, its sender among them. */
  readonly size: number;
  /** Somebody says something. @param who counts on, over all people */
  speak(who: number, ref: number): void;
  /** @param onArrived told each time that one person has one message: with its number, or why that will never be */
  listen(onArrived: (number: number) => void, onFailure: (why: string) => void): void;
  /** Ends all links. */
  close(): void;
}

/** One run. */
export interface SmallRoomsRun extends MeasuredServer {
  /** Measured in turns with it, when it is to be compared. */
  readonly against?: MeasuredServer;
  /** How many rooms. */
  readonly rooms: number;
  /** People in each. */
  readonly members: number;
  /** How many messages are on their way at a time; 1 and 64 by default. */
  readonly windows?: readonly number[];
  /** For each window. */
  readonly seconds: number;
}

const warmUpSeconds = 0.5;
const idleSeconds = 5;
/** Seconds that one server is measured until it is the other's turn. */
const turnSeconds = 0.5;

/** Runs it: `small1` and `small64` (`pair1`, `pair64`): `label rooms msgs/s p50_us p99_us cpu_us/msg srv_cpu% gen_cpu%`. */
export async function runSmallRooms(run: SmallRoomsRun, print: (row: string) => void): Promise<void> {
  const { against, rooms, members, seconds } = run;
  const loads: Load[] = [];
  for (const server of against ? [run, against] : [run]) {
    const opened = server.certificate
      ? await openProsodyRooms({ ...server, certificate: server.certificate }, rooms, members)
      : await openRooms(rooms, members, server.ports ?? [server.port]);
    loads.push({ server, traffic: new Traffic(opened) });
    if (server.pids) print(await linked(server, rooms * members));
  }
  for (const window of run.windows ?? [1, 64]) {
    for (const { traffic } of loads) await traffic.run(window, warmUpSeconds);
    const turns = against ? Math.ceil(seconds / turnSeconds) : 1;
    const results: Result[][] = loads.map(() => []);
    for (let turn = 0; turn < turns; turn++) {
      for (const [i, load] of loads.entries()) {
        results[i].push(await measured(load, window, against ? turnSeconds : seconds));
      }
    }
    const kind = `${members === 2 ? "pair" : "small"}${window}`;
    for (const [i, { server }] of loads.entries()) {
      print(`${kind} ${server.label} ${rooms} ${row(results[i])}`);
    }
    if (!against) continue;
    const ratios = results[0].map((result, turn) => perMessage([result]) / perMessage([results[1][turn]]));
    print(`ratio ${kind} ${rooms} ${median(ratios).toFixed(3)}`);
  }
}

/** `linked label n rss_MB/server cpu%`: of servers that share their rooms, the first three processes. */
async function linked(server: MeasuredServer, people: number): Promise<string> {
  const { label, pids = [] } = server;
  const before = usedMs(server);
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));
  const rss = median(pids.slice(0, 3).map(rssKb)) / 1024;
  return `linked ${label} ${people} ${rss.toFixed(0)} ${
    ((usedMs(server) - before) / idleSeconds / 10).toFixed(1)
  }`;
}

/** CPU of all its processes. */
function usedMs({ pid, pids = [pid] }: MeasuredServer): number {
  return pids.reduce((sum, each) => sum + cpuMs(each), 0);
}

interface Load {
  readonly server: MeasuredServer;
  readonly traffic: Traffic;
}

interface Result {
  /** Of each message, in milliseconds. */
  readonly latencies: number[];
  readonly tookSeconds: number;
  readonly serverMs: number;
  readonly ownMs: number;
}

async function openRooms(
  count: number,
  members: number,
  ports: readonly number[],
): Promise<TalkingRoom[]> {
  const people = await makePeople(count * members, "s");
  const rooms: TalkingRoom[] = [];
  for (let i = 0; i < count; i++) {
    const room = new RoomOfLoad(people.slice(i * members, (i + 1) * members), ports);
    await room.login(members);
    await room.join();
    room.keepAlive();
    rooms.push(talking(room));
  }
  return rooms;
}

function talking(room: RoomOfLoad): TalkingRoom {
  const { members } = room;
  return {
    size: members.length,
    speak: (who, ref) => room.speak(members[who % members.length], ref),
    listen: (onArrived, onFailure) => {
      room.onEnd = ({ person }) => onFailure(`the server closed the link of ${person.name}`);
      room.onMessage = (_: Member, message: LinkMessage) => {
        if (message.type === "ERROR") onFailure(`a message was refused with code ${message.code}`);
        if (message.type === "ENTRY" || message.type === "STORED") onArrived(message.pos); // STORED: its sender
      };
    },
    close: () => room.close(),
  };
}

async function measured({ server, traffic }: Load, window: number, seconds: number): Promise<Result> {
  const [cpu, own] = [usedMs(server), cpuMs(Deno.pid)];
  const { latencies, tookSeconds } = await traffic.run(window, seconds);
  return { latencies, tookSeconds, serverMs: usedMs(server) - cpu, ownMs: cpuMs(Deno.pid) - own };
}

/** Server CPU in microseconds. */
function perMessage(results: readonly Result[]): number {
  const messages = results.reduce((sum, { latencies }) => sum + latencies.length, 0);
  return results.reduce((sum, { serverMs }) => sum + serverMs, 0) * 1000 / messages;
}

function row(results: readonly Result[]): string {
  const latencies = results.flatMap((result) => result.latencies).sort((a, b) => a - b);
  const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0);
  const seconds = sum(({ tookSeconds }) => tookSeconds);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] * 1000;
  return [
    latencies.length / seconds,
    at(0.5),
    at(0.99),
    perMessage(results),
    sum(({ serverMs }) => serverMs) / seconds / 10,
    sum(({ ownMs }) => ownMs) / seconds / 10,
  ].map((n) => n.toFixed(0)).join(" ");
}

/** Messages on their way in all rooms, one room after the other. */
class Traffic {
  #next = 0;
  #ref = 1000;
  #completed: number[] = [];
  #wake: () => void = () => {};
  #failure: Error | null = null;

  readonly #sentAt = new Map<TalkingRoom, number[]>();

  constructor(private readonly rooms: readonly TalkingRoom[]) {
    for (const room of rooms) {
      const arrived = new Map<number, number>(); // by number of the message
      const onArrived = (number: number) => {
        const has = (arrived.get(number) ?? 0) + 1;
        arrived.set(number, has);
        if (has < room.size) return;
        arrived.delete(number);
        this.#completed.push(performance.now() - this.#sentAt.get(room)!.shift()!);
        this.#wake();
      };
      room.listen(onArrived, (why) => this.#fail(why));
    }
  }

  /** Keeps `window` messages on their way for so long. @throws when one was refused, or does not arrive */
  async run(window: number, seconds: number): Promise<{ latencies: number[]; tookSeconds: number }> {
    this.#completed = [];
    const began = performance.now();
    const end = began + seconds * 1000;
    let sent = 0;
    while (performance.now() < end || this.#completed.length < sent) {
      if (this.#failure) throw this.#failure;
      while (performance.now() < end && sent - this.#completed.length < window) {
        this.#say();
        sent++;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(
        () => this.#fail(`stalled: ${this.#completed.length} of ${sent} came`),
        10_000,
      );
      await promise;
      clearTimeout(timer);
    }
    const latencies = this.#completed.toSorted((a, b) => a - b);
    return { latencies, tookSeconds: (performance.now() - began) / 1000 };
  }

  #say(): void {
    const { rooms } = this;
    const turn = this.#next++;
    const room = rooms[turn % rooms.length];
    const times = this.#sentAt.get(room) ?? [];
    this.#sentAt.set(room, times);
    times.push(performance.now());
    room.speak(Math.floor(turn / rooms.length), this.#ref++);
  }

  #fail(why: string): void {
    this.#failure = new Error(why);
    this.#wake();
  }
}

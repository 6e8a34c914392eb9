/**
 * SmallRooms: what a message costs the server where people are: many rooms of a few, each with people of its own, and
 * rooms of two. A message is complete when it is stored and all others in its room have it.
 */

import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { makePeople } from "./member.ts";
import { cpuMs } from "./process_usage.ts";
import { type Member, RoomOfLoad } from "./room_of_load.ts";

/** One run. */
export interface SmallRoomsRun {
  /** For the rows. */
  readonly label: string;
  /** How many rooms. */
  readonly rooms: number;
  /** People in each. */
  readonly members: number;
  /** For each window. */
  readonly seconds: number;
  /** Of the server. */
  readonly port: number;
  /** Of the server. */
  readonly pid: number;
}

const warmUpSeconds = 0.5;

/** Runs it: `small1` and `small64` (`pair1`, `pair64`): `label rooms msgs/s p50_us p99_us cpu_us/msg srv_cpu% gen_cpu%`. */
export async function runSmallRooms(run: SmallRoomsRun, print: (row: string) => void): Promise<void> {
  const { label, rooms: count, members, seconds, pid } = run;
  const people = await makePeople(count * members, "s");
  const rooms: RoomOfLoad[] = [];
  for (let i = 0; i < count; i++) {
    const room = new RoomOfLoad(people.slice(i * members, (i + 1) * members), run.port);
    await room.login(members);
    await room.join();
    room.keepAlive();
    rooms.push(room);
  }
  const traffic = new Traffic(rooms);
  for (const window of [1, 64]) {
    await traffic.run(window, warmUpSeconds);
    const [cpu, own] = [cpuMs(pid), cpuMs(Deno.pid)];
    const { latencies, tookSeconds } = await traffic.run(window, seconds);
    const [serverMs, ownMs] = [cpuMs(pid) - cpu, cpuMs(Deno.pid) - own];
    const at = (share: number) => (latencies[Math.floor(latencies.length * share)] * 1000).toFixed(0);
    print(
      `${members === 2 ? "pair" : "small"}${window} ${label} ${count} ` +
        `${(latencies.length / tookSeconds).toFixed(0)} ${at(0.5)} ${at(0.99)} ` +
        `${(serverMs * 1000 / latencies.length).toFixed(0)} ${(serverMs / tookSeconds / 10).toFixed(0)} ` +
        `${(ownMs / tookSeconds / 10).toFixed(0)}`,
    );
  }
}

/** Messages on their way in all rooms, one room after the other. */
class Traffic {
  #next = 0;
  #ref = 1000;
  #completed: number[] = [];
  #wake: () => void = () => {};
  #failure: Error | null = null;

  constructor(private readonly rooms: readonly RoomOfLoad[]) {
    for (const room of rooms) {
      const arrived = new Map<number, number>(); // by position: STORED counts as the sender's
      room.onEnd = ({ person }) => this.#fail(`the server closed the link of ${person.name}`);
      room.onMessage = (_: Member, message: LinkMessage) => {
        if (message.type === "ERROR") this.#fail(`a message was refused with code ${message.code}`);
        if (message.type !== "ENTRY" && message.type !== "STORED") return;
        const has = (arrived.get(message.pos) ?? 0) + 1;
        arrived.set(message.pos, has);
        if (has < room.members.length) return;
        arrived.delete(message.pos);
        this.#completed.push(performance.now() - this.#sentAt.get(room)!.shift()!);
        this.#wake();
      };
    }
  }
  readonly #sentAt = new Map<RoomOfLoad, number[]>();

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
    room.speak(room.members[Math.floor(turn / rooms.length) % room.members.length], this.#ref++);
  }

  #fail(why: string): void {
    this.#failure = new Error(why);
    this.#wake();
  }
}

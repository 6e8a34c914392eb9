/**
 * Fan-out: how fast, and at what cost to the server, a message reaches everybody else in a room. The three modes and
 * the rows are those of the harness that measures other servers, so that they can stand in one table:
 *
 *   lat  window 1, one sender       thr  window 64, one sender       few  window 64, shared by 8 senders
 *
 * A message is complete when every receiver has its last byte.
 */

import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { makePeople } from "./member.ts";
import { cpuMs, rssKb } from "./process_usage.ts";
import { Receivers } from "./receivers.ts";
import { type Member, RoomOfLoad } from "./room_of_load.ts";

/** One run. */
export interface FanOutRun {
  /** For the rows. */
  readonly label: string;
  /** Members. */
  readonly members: number;
  /** Of the server. */
  readonly port: number;
  /** Of the server. */
  readonly pid: number;
  /** Per mode. */
  readonly seconds: number;
  /** Before each mode is measured. */
  readonly warmUpSeconds: number;
  /** Of thr and few. */
  readonly window: number;
  /** Of few. */
  readonly senders: number;
  /** Which modes; all by default. */
  readonly modes?: readonly string[];
  /** The program that receives (receivers.c); null: this one does. */
  readonly receivers: string | null;
}

/** Runs it, and prints a row for the joining and one for each mode. */
export async function runFanOut(run: FanOutRun, print: (row: string) => void): Promise<void> {
  const { label, members: n, port, pid } = run;
  const people = await makePeople(n, "f");
  const receivers = run.receivers ? await Receivers.start(run.receivers, port, n) : null;
  const room = new RoomOfLoad(people, receivers?.port ?? port, receivers !== null);
  const rss0 = rssKb(pid);
  const login = await timed(pid, () => room.login(8));
  const join = await timed(pid, () => room.join());
  await pause(700);
  const rss = rssKb(pid);
  print(
    `join ${label} ${n} chat2 ${(n / login.seconds).toFixed(0)} ${(login.cpuMs / n).toFixed(3)} ` +
      `${(n / join.seconds).toFixed(0)} ${(join.cpuMs / n).toFixed(3)} ${rss0} ${rss} ${
        ((rss - rss0) / n).toFixed(1)
      }`,
  );
  await receivers?.takeOver(room.members);
  const load = new Load(room, Math.min(run.senders, n), receivers);
  const modes: [string, number, number][] = [["lat", 1, 1], ["thr", 1, run.window], [
    "few",
    run.senders,
    run.window,
  ]];
  for (const [mode, senders, window] of modes) {
    if (run.modes && !run.modes.includes(mode)) continue;
    await load.run(senders, window, run.warmUpSeconds);
    const generatorMs = () => cpuMs(Deno.pid) + (receivers ? cpuMs(receivers.pid) : 0);
    const cpu = cpuMs(pid), own = generatorMs();
    const { messages, seconds, latencies } = await load.run(senders, window, run.seconds);
    const serverMs = cpuMs(pid) - cpu, ownMs = generatorMs() - own;
    const deliveries = messages * (n - 1);
    const at = (share: number) => (latencies[Math.floor(latencies.length * share)] * 1000).toFixed(0);
    print(
      `${mode} ${label} ${n} ${(deliveries / seconds).toFixed(0)} ${at(0.5)} ${at(0.99)} ` +
        `${(serverMs * 1000 / deliveries).toFixed(2)} ${(serverMs / seconds / 10).toFixed(0)} ` +
        `${(ownMs / seconds / 10).toFixed(0)} ${messages}`,
    );
  }
  room.close();
  receivers?.stop();
}

async function timed(pid: number, act: () => Promise<void>): Promise<{ seconds: number; cpuMs: number }> {
  const cpu = cpuMs(pid), began = performance.now();
  await act();
  return { seconds: (performance.now() - began) / 1000, cpuMs: cpuMs(pid) - cpu };
}

/** Keeps a window of messages on their way, and counts who has what. */
export class Load {
  #senders: Member[];
  #ref = 1000;
  /** When each was sent, by ref; its position is known with STORED. */
  #sentAt = new Map<number, number>();
  /** Receivers that have it, and when the last one got it, by position. */
  #arrived = new Map<number, { count: number; at: number; sentAt: number | null }>();
  #completed: number[] = [];
  #wake: () => void = () => {};
  #failure: Error | null = null;

  /**
   * @param room whose members are all in
   * @param senders how many of them speak
   * @param receivers who has taken over what comes; null: it comes here
   */
  constructor(private readonly room: RoomOfLoad, senders: number, receivers: Receivers | null = null) {
    this.#senders = room.members.slice(0, senders);
    if (receivers) {
      receivers.onStored = (ref, pos) => this.#stored(ref, pos);
      receivers.onComplete = (pos, at) => this.#complete(pos, at);
      receivers.onFailure = (why) => this.#fail(why);
      return;
    }
    room.countAllBut(this.#senders);
    room.onMessage = (_, message) => this.#seen(message);
    room.onEnd = (member) => this.#fail(`the server closed the link of ${member.person.name}`);
    const { entryBytes } = room;
    for (const member of room.members) {
      if (member.next === 0) member.next = 1;
      member.link.onRecord = (bytes) => {
        for (let i = entriesIn(bytes, entryBytes); i > 0; i--) this.#has(member.next++);
      };
    }
  }

  /** Keeps `window` messages on their way for so long. @throws when something was lost, doubled or refused */
  async run(senders: number, window: number, seconds: number) {
    this.#completed = [];
    const began = performance.now();
    const end = began + seconds * 1000;
    let sent = 0, next = 0;
    while (performance.now() < end || this.#completed.length < sent) {
      if (this.#failure) throw this.#failure;
      while (performance.now() < end && sent - this.#completed.length < window) {
        const ref = this.#ref++;
        this.#sentAt.set(ref, performance.now());
        this.room.speak(this.#senders[next++ % senders], ref);
        sent++;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(
        () => this.#fail(`stalled: ${sent} sent, ${this.#completed.length} complete`),
        10_000,
      );
      await promise;
      clearTimeout(timer);
    }
    const latencies = this.#completed.toSorted((a, b) => a - b);
    return { messages: sent, seconds: (performance.now() - began) / 1000, latencies };
  }

  /** Says something at a steady pace, the senders in turn. @throws when something was lost, doubled or refused */
  async paced(perSecond: number, seconds: number): Promise<number[]> {
    this.#completed = [];
    const began = performance.now();
    let sent = 0;
    for (; sent < perSecond * seconds; sent++) {
      const due = began + sent * 1000 / perSecond;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      if (this.#failure) throw this.#failure;
      const ref = this.#ref++;
      this.#sentAt.set(ref, performance.now());
      this.room.speak(this.#senders[sent % this.#senders.length], ref);
    }
    const patience = performance.now() + 30_000;
    while (this.#completed.length < sent && performance.now() < patience) {
      if (this.#failure) throw this.#failure;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (this.#completed.length < sent) {
      throw new Error(`${sent - this.#completed.length} messages did not arrive`);
    }
    return this.#completed.toSorted((a, b) => a - b);
  }

  #fail(why: string): void {
    this.#failure = new Error(why);
    this.#wake();
  }

  #seen(message: LinkMessage): void {
    if (message.type === "ENTRY") this.#has(message.pos);
    else if (message.type === "STORED") this.#stored(message.ref, message.pos);
    else if (message.type === "ERROR") this.#fail(`a message was refused with code ${message.code}`);
    else if (message.type === "CLOSE") this.#fail(`closed with reason ${message.reason}`);
  }

  #stored(ref: number, pos: number): void {
    this.#of(pos).sentAt = this.#sentAt.get(ref)!;
    this.#sentAt.delete(ref);
    this.#settle(pos);
  }

  #of(pos: number) {
    let state = this.#arrived.get(pos);
    if (!state) this.#arrived.set(pos, state = { count: 0, at: 0, sentAt: null });
    return state;
  }

  #has(pos: number): void {
    const state = this.#of(pos);
    state.count++;
    if (state.count === this.room.members.length - 1) this.#complete(pos, performance.now());
  }

  #complete(pos: number, at: number): void {
    Object.assign(this.#of(pos), { count: this.room.members.length - 1, at });
    this.#settle(pos);
  }

  #settle(pos: number): void {
    const { count, at, sentAt } = this.#of(pos);
    if (count < this.room.members.length - 1 || sentAt === null) return;
    this.#arrived.delete(pos);
    this.#completed.push(at - sentAt);
    this.#wake();
  }
}

/** How many entries a record of this size holds; a key that comes before them does not count. */
function entriesIn(plaintextBytes: number, entryBytes: number): number {
  return Math.floor(plaintextBytes / entryBytes);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

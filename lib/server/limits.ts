/**
 * Limits (protocol §12): how often an address may try, how many may be undecided at once, how fast a
 * member may talk. Numbers are options of the server; the defaults are the protocol's.
 */

import type { Clock } from "../clock.ts";
import type { TurnedAwayFor } from "./events.ts";

/** Every limit of protocol §12 that a server may set. */
export interface Limits {
  /** Unauthenticated connections in all. */
  readonly pending: number;
  /** Unauthenticated connections per address. */
  readonly pendingPerAddress: number;
  /** Authenticated links in all. */
  readonly links: number;
  /** Authenticated links per address. */
  readonly linksPerAddress: number;
  /** Handshakes at once per address. */
  readonly handshakeBurst: number;
  /** Seconds until an address has one more handshake. */
  readonly handshakeEverySeconds: number;
  /** ClientHellos per second, all together. */
  readonly hellosPerSecond: number;
  /** RSA decryptions at once. */
  readonly rsaAtOnce: number;
  /** RSA decryptions waiting. */
  readonly rsaQueued: number;
  /** Messages at once per user. */
  readonly sendBurst: number;
  /** Messages per second per user. */
  readonly sendsPerSecond: number;
  /** Milliseconds until a room takes one more commit, epoch 0 excepted. */
  readonly commitEveryMs: number;
  /** Rooms per user, not counting direct rooms. */
  readonly roomsPerUser: number;
  /** New direct and key-file rooms per user and hour. */
  readonly directRoomsPerHour: number;
  /** Identities never seen before, per address and hour: each costs a row that is kept. */
  readonly identitiesPerHour: number;
  /** Members of a room; the protocol's own limit is 256. */
  readonly members: number;
  /** Rooms, of all kinds. */
  readonly roomsInAll: number;
  /** Bytes that may wait for one link. */
  readonly queueBytes: number;
  /** Seconds that they may wait. */
  readonly queueSeconds: number;
  /**
   * From so many streams of a room on, its messages are encrypted once for all (protocol §6): below, it saves little,
   * and equal bytes show the network who shares a room.
   */
  readonly transitFrom: number;
}

/** The values of protocol §12. */
export const defaultLimits: Limits = {
  pending: 512,
  pendingPerAddress: 16,
  links: 1024,
  linksPerAddress: 64,
  handshakeBurst: 20,
  handshakeEverySeconds: 6,
  hellosPerSecond: 200,
  rsaAtOnce: 2,
  rsaQueued: 64,
  sendBurst: 20,
  sendsPerSecond: 5,
  commitEveryMs: 1000,
  roomsPerUser: 64,
  directRoomsPerHour: 20,
  identitiesPerHour: 200,
  members: 256,
  roomsInAll: 10_000,
  queueBytes: 4 * 1024 * 1024,
  queueSeconds: 30,
  transitFrom: 16,
};

const usersMost = 10_000;

/** A token bucket: `burst` at once, then one per `everyMs`. */
export class Bucket {
  #level: number;
  #at: number;

  /** Starts full. */
  constructor(
    private readonly burst: number,
    private readonly everyMs: number,
    private readonly clock: Clock,
  ) {
    this.#level = burst;
    this.#at = clock.now();
  }

  #refill(): void {
    const now = this.clock.now();
    // A clock set back gives nothing and takes nothing.
    this.#level = Math.min(this.burst, this.#level + Math.max(0, now - this.#at) / this.everyMs);
    this.#at = now;
  }

  /** Takes one, if there is one. */
  take(): boolean {
    this.#refill();
    if (this.#level < 1) return false;
    this.#level -= 1;
    return true;
  }

  /** Gives one back: it was not spent on anything hostile. */
  giveBack(): void {
    this.#level = Math.min(this.burst, this.#level + 1);
  }

  /** Whether nothing is remembered in it. */
  get isFull(): boolean {
    this.#refill();
    return this.#level >= this.burst;
  }
}

/** Counts how many of each key are in use. */
export class Counter {
  #counts = new Map<string, number>();
  #total = 0;

  /** Of this key. */
  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
  /** Of all keys. */
  get total(): number {
    return this.#total;
  }
  /** One more. */
  add(key: string): void {
    this.#total++;
    this.#counts.set(key, this.of(key) + 1);
  }
  /** One less. */
  remove(key: string): void {
    this.#total--;
    const left = this.of(key) - 1;
    if (left <= 0) this.#counts.delete(key);
    else this.#counts.set(key, left);
  }
}

/** The rates of each user, whatever link they come by. */
export class UserRates {
  #users = new Map<string, { sends: Bucket; newRooms: Bucket }>();

  /** @param limits of the server */
  constructor(private readonly limits: Limits, private readonly clock: Clock) {}

  /** A user's buckets, by id in hex. */
  of(key: string): { sends: Bucket; newRooms: Bucket } {
    let rates = this.#users.get(key);
    if (!rates) {
      if (this.#users.size >= usersMost) this.#forgetFull();
      const { sendBurst, sendsPerSecond, directRoomsPerHour } = this.limits;
      rates = {
        sends: new Bucket(sendBurst, 1000 / sendsPerSecond, this.clock),
        newRooms: new Bucket(directRoomsPerHour, 3_600_000 / directRoomsPerHour, this.clock),
      };
      this.#users.set(key, rates);
    }
    return rates;
  }

  /** Full buckets remember nothing: memory stays bounded by who did something lately. */
  #forgetFull(): void {
    for (const [key, { sends, newRooms }] of this.#users) {
      if (sends.isFull && newRooms.isFull) this.#users.delete(key);
    }
  }
}

/** What counts as one address: an IPv4 address, or the /64 of an IPv6 one, which one person holds whole. */
export function addressKey(hostname: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(hostname);
  if (mapped) return mapped[1];
  if (!hostname.includes(":")) return hostname;
  const [head, tail = null] = hostname.split("%")[0].split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === null || tail === "" ? [] : tail.split(":");
  const groups = tail === null
    ? left
    : [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill("0"), ...right];
  return groups.slice(0, 4).map((g) => g.replace(/^0+(?=.)/, "").toLowerCase()).join(":") + "::/64";
}

/** A place among the connections that have not proved who they are. */
export interface Ticket {
  /** What its limits count by. */
  readonly address: string;
  /** When it took its last step, milliseconds. */
  sinceMs: number;
  /** What the peer has done: failed, nothing valid yet, a ClientHello, or the secret that costs us a decryption. */
  step: "failed" | "nothing" | "hello" | "secret" | "given up";
  /** Gives its connection up: somebody else needs the place. */
  readonly giveUp: () => void;
}

/** Who gives way in a crowd, in this order, and how long after its last step it keeps its place. */
const givingWay = [["failed", 0], ["nothing", 0], ["hello", 2_000], ["secret", 3_000]] as const;

/** Who may begin a handshake now. */
export class Doorkeeper {
  readonly #tickets = new Set<Ticket>();
  readonly #pending = new Counter();
  readonly #linked = new Counter();
  readonly #buckets = new Map<string, Bucket>();
  readonly #newcomers = new Map<string, Bucket>();
  readonly #hellos: Bucket;

  /** @param limits of the server */
  constructor(private readonly limits: Limits, private readonly clock: Clock) {
    this.#hellos = new Bucket(limits.hellosPerSecond, 1000 / limits.hellosPerSecond, clock);
  }

  /**
   * A connection was accepted. In a crowd whoever has waited longest without doing their part gives way: an honest
   * client says hello within a round trip, so those who hold places lose them first.
   *
   * @returns its place, or why it shall be closed at once with nothing sent
   */
  admit(address: string, giveUp: () => void): Ticket | TurnedAwayFor {
    const { pending, pendingPerAddress } = this.limits;
    if (this.#pending.of(address) >= pendingPerAddress) return "pending from address";
    if (!this.#bucket(address).take()) return "handshakes from address";
    if (this.#pending.total >= pending && !this.#makeRoom()) return "pending";
    const ticket: Ticket = { address, sinceMs: this.clock.now(), step: "nothing", giveUp };
    this.#tickets.add(ticket);
    this.#pending.add(address);
    return ticket;
  }

  #makeRoom(): boolean {
    const now = this.clock.now();
    for (const [step, keepsMs] of givingWay) {
      for (const ticket of this.#tickets) { // the oldest first
        if (ticket.step !== step || now - ticket.sinceMs < keepsMs) continue;
        this.decided(ticket);
        ticket.step = "given up";
        ticket.giveUp();
        return true;
      }
    }
    return false;
  }

  /** How full it is with strangers, from 0 to 1: they are asked for work before there is no place left. */
  get fill(): number {
    return this.#pending.total / this.limits.pending;
  }

  /** A ClientHello came. @returns false: one too many this second */
  hello(): boolean {
    return this.#hellos.take();
  }

  /** A connection that was admitted is a link now, or gone. */
  decided(ticket: Ticket): void {
    if (this.#tickets.delete(ticket)) this.#pending.remove(ticket.address);
  }

  /** A handshake has proved its client. @returns false: too many links */
  link(address: string): boolean {
    const { links, linksPerAddress } = this.limits;
    if (this.#linked.total >= links || this.#linked.of(address) >= linksPerAddress) return false;
    this.#linked.add(address);
    return true;
  }

  /** WELCOME was sent: the handshake gives its place back, so that all can return after a restart. */
  welcomed(address: string): void {
    this.#bucket(address).giveBack();
  }

  /** An identity never seen before asks to be kept. @returns false: too many from there this hour */
  newcomer(address: string): boolean {
    let bucket = this.#newcomers.get(address);
    if (!bucket) {
      if (this.#newcomers.size >= 10_000) forgetFull(this.#newcomers);
      const { identitiesPerHour } = this.limits;
      bucket = new Bucket(identitiesPerHour, 3_600_000 / identitiesPerHour, this.clock);
      this.#newcomers.set(address, bucket);
    }
    return bucket.take();
  }

  /** A link ended. */
  unlink(address: string): void {
    this.#linked.remove(address);
  }

  /** Undecided connections. */
  get pendingTotal(): number {
    return this.#pending.total;
  }

  #bucket(address: string): Bucket {
    let bucket = this.#buckets.get(address);
    if (!bucket) {
      if (this.#buckets.size >= 10_000) forgetFull(this.#buckets);
      bucket = new Bucket(this.limits.handshakeBurst, this.limits.handshakeEverySeconds * 1000, this.clock);
      this.#buckets.set(address, bucket);
    }
    return bucket;
  }
}

/** A full bucket remembers nothing: memory stays bounded by the addresses of the last while. */
function forgetFull(buckets: Map<string, Bucket>): void {
  for (const [address, bucket] of buckets) if (bucket.isFull) buckets.delete(address);
}

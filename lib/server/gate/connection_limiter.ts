/** ConnectionLimiter (protocol §12): who may begin a handshake now, and how many links there may be. */

import type { Clock } from "../../clock.ts";
import { dropFullBuckets, TokenBucket } from "../../token_bucket.ts";
import type { TurnedAwayFor } from "../events.ts";
import type { Limits } from "../limits.ts";
import { KeyedCount } from "./keyed_count.ts";

const maxBuckets = 10_000;
/** How often people of one address are let in without more work than others: all of them after a restart. */
const welcomesAtOnce = 64;
const welcomeEveryMs = 500;
const againPuzzleBits = 20;
/** Less than the deadline of a ClientHello. */
const maxHelloWaitMs = 2_000;

/** The slot of a connection that has not proved who it is. */
export interface PendingSlot {
  /** What its limits count by. */
  readonly address: string;
  /** When it took its last step, milliseconds. */
  sinceMs: number;
  /** What the peer has done: failed, nothing valid yet, a ClientHello, or the secret that costs us a decryption. */
  step: "failed" | "nothing" | "hello" | "secret" | "evicted";
  /** Closes its connection: the slot is needed. */
  readonly evict: () => void;
}

/** Which slots are evicted when all are taken, in this order, and for how long after its last step each is safe. */
const evictionOrder = [["failed", 0], ["nothing", 0], ["hello", 2_000], ["secret", 3_000]] as const;

/** Who may begin a handshake now. */
export class ConnectionLimiter {
  readonly #slots = new Set<PendingSlot>();
  readonly #pending = new KeyedCount();
  readonly #linked = new KeyedCount();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #newcomers = new Map<string, TokenBucket>();
  readonly #welcomes = new Map<string, TokenBucket>();
  /** When the next ClientHello may be answered, once this second's are used up. */
  #nextHelloMs = -Infinity;

  /**
   * @param limits of the server
   * @param proxies addresses, as limits count them, that many people come from: theirs say nothing
   */
  constructor(
    private readonly limits: Limits,
    private readonly clock: Clock,
    private readonly proxies: ReadonlySet<string> = new Set(),
  ) {
  }

  /**
   * A connection was accepted. When all slots are taken, the one that has waited longest without its next step is
   * evicted: an honest client says hello within a round trip, so those who merely hold slots lose them first.
   *
   * @returns its slot, or why the connection is closed at once, with nothing sent
   */
  admit(address: string, evict: () => void): PendingSlot | TurnedAwayFor {
    const { pending, pendingPerAddress } = this.limits;
    const isOne = !this.proxies.has(address);
    if (isOne && this.#pending.of(address) >= pendingPerAddress) return "pending from address";
    if (isOne && !this.#bucket(address).take()) return "handshakes from address";
    if (this.#pending.total >= pending && !this.#evictOne()) return "pending";
    const slot: PendingSlot = { address, sinceMs: this.clock.now(), step: "nothing", evict };
    this.#slots.add(slot);
    this.#pending.add(address);
    return slot;
  }

  #evictOne(): boolean {
    const now = this.clock.now();
    for (const [step, safeMs] of evictionOrder) {
      for (const slot of this.#slots) { // the oldest first
        if (slot.step !== step || now - slot.sinceMs < safeMs) continue;
        this.release(slot);
        slot.step = "evicted";
        slot.evict();
        return true;
      }
    }
    return false;
  }

  /** How many slots are taken, from 0 to 1: strangers are asked for work before none is left. */
  get fill(): number {
    return this.#pending.total / this.limits.pending;
  }

  /**
   * A ClientHello came. Those beyond the second's number wait for their turn, so that a crowd that comes back after a
   * restart is served one after the other.
   *
   * @returns in how many milliseconds it may be answered; null: there are too many before it
   */
  hello(): number | null {
    const now = this.clock.now();
    const everyMs = 1000 / this.limits.hellosPerSecond;
    // As many as in a second at once; a clock that was set back must not close the door.
    const earliest = now - 1000;
    if (this.#nextHelloMs > now + maxHelloWaitMs) this.#nextHelloMs = now + maxHelloWaitMs;
    const turn = Math.max(this.#nextHelloMs, earliest) + everyMs;
    const waitMs = Math.ceil(turn - now);
    if (waitMs > maxHelloWaitMs) return null;
    this.#nextHelloMs = turn;
    return Math.max(0, waitMs);
  }

  /** A connection that had a slot is a link now, or gone. */
  release(slot: PendingSlot): void {
    if (this.#slots.delete(slot)) this.#pending.remove(slot.address);
  }

  /** A handshake has proved its client. @returns false: too many links */
  link(address: string): boolean {
    const { links, linksPerAddress } = this.limits;
    if (this.#linked.total >= links) return false;
    if (!this.proxies.has(address) && this.#linked.of(address) >= linksPerAddress) return false;
    this.#linked.add(address);
    return true;
  }

  /** WELCOME was sent: its handshake does not count, so that all can return after a restart. */
  welcomed(address: string): void {
    this.#bucket(address).giveBack();
    this.#welcomesOf(address).take();
  }

  /** The puzzle for an address from which people come again and again, though they are let in each time. */
  puzzleBitsFor(address: string): number {
    return this.proxies.has(address) || this.#welcomesOf(address).has(1) ? 0 : againPuzzleBits;
  }

  #welcomesOf(address: string): TokenBucket {
    return bucketIn(
      this.#welcomes,
      address,
      () => new TokenBucket(welcomesAtOnce, welcomeEveryMs, this.clock),
    );
  }

  /** An identity never seen before asks to be kept. @returns false: too many from there this hour */
  newcomer(address: string): boolean {
    if (this.proxies.has(address)) return true;
    const { identitiesPerHour } = this.limits;
    const fresh = () => new TokenBucket(identitiesPerHour, 3_600_000 / identitiesPerHour, this.clock);
    return bucketIn(this.#newcomers, address, fresh).take();
  }

  /** A link ended. */
  unlink(address: string): void {
    this.#linked.remove(address);
  }

  /** Undecided connections. */
  get pendingTotal(): number {
    return this.#pending.total;
  }

  #bucket(address: string): TokenBucket {
    const { handshakeBurst, handshakeEverySeconds } = this.limits;
    const fresh = () => new TokenBucket(handshakeBurst, handshakeEverySeconds * 1000, this.clock);
    return bucketIn(this.#buckets, address, fresh);
  }
}

/** The bucket of an address; memory stays bounded by who did something lately. */
function bucketIn(buckets: Map<string, TokenBucket>, address: string, fresh: () => TokenBucket): TokenBucket {
  let bucket = buckets.get(address);
  if (!bucket) {
    if (buckets.size >= maxBuckets) dropFullBuckets(buckets);
    bucket = fresh();
    buckets.set(address, bucket);
  }
  return bucket;
}

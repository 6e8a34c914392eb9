/** UserRates: what each user may ask of the server, whatever link they come by. */

import type { Clock } from "../clock.ts";
import { TokenBucket } from "../token_bucket.ts";
import type { Limits } from "./limits.ts";
import { WorkBudget } from "./work_budget.ts";

const maxKept = 10_000;
const badSignatures = 5;
const badSignatureEveryMs = 60_000;

/** One user's. */
export interface Rates {
  /** How fast the user may talk. */
  readonly sends: TokenBucket;
  /** How many direct and key-file rooms the user may begin. */
  readonly newRooms: TokenBucket;
  /** Signatures that do not hold: no honest client sends any. */
  readonly badSignatures: TokenBucket;
  /** All that the user's requests cost. */
  readonly work: WorkBudget;
  /** What others at the same address cannot use up. */
  readonly reserve: WorkBudget;
}

/** What all who come from one address may ask for together. */
export interface AddressRates {
  /** How many rooms they may begin. */
  readonly newRooms: TokenBucket;
  /** How often they may begin to wait at a door. */
  readonly joins: TokenBucket;
  /** How often they may enter rooms by themselves. */
  readonly entries: TokenBucket;
  /** All that their requests cost. */
  readonly work: WorkBudget;
}

/** The rates of all users: reconnecting does not fill a bucket. */
export class UserRates {
  #users = new Map<string, Rates>();
  #addresses = new Map<string, AddressRates>();

  /**
   * @param limits of the server
   * @param proxies addresses, as limits count them, that many people come from: theirs pay nothing
   */
  constructor(
    private readonly limits: Limits,
    /** Time. */
    readonly clock: Clock,
    private readonly proxies: ReadonlySet<string> = new Set(),
  ) {}

  /** A user's, by id in hex. */
  of(key: string): Rates {
    let rates = this.#users.get(key);
    if (!rates) {
      if (this.#users.size >= maxKept) this.#dropFull();
      const { clock } = this;
      const { sendBurst, sendsPerSecond, directRoomsPerHour, workBurstMs, workMsPerSecond } = this.limits;
      rates = {
        sends: new TokenBucket(sendBurst, 1000 / sendsPerSecond, clock),
        newRooms: new TokenBucket(directRoomsPerHour, 3_600_000 / directRoomsPerHour, clock),
        badSignatures: new TokenBucket(badSignatures, badSignatureEveryMs, clock),
        work: new WorkBudget(workBurstMs, workMsPerSecond, clock),
        reserve: new WorkBudget(workBurstMs / 10, workMsPerSecond / 10, clock),
      };
      this.#users.set(key, rates);
    }
    return rates;
  }

  /** What all who come from an address may ask for; null for a proxy. @param address as limits count it */
  ofAddress(address: string): AddressRates | null {
    if (this.proxies.has(address)) return null;
    let rates = this.#addresses.get(address);
    if (!rates) {
      if (this.#addresses.size >= maxKept) this.#dropFull();
      const { workBurstMs, workMsPerSecond, workPerAddress, roomsPerAddressPerHour } = this.limits;
      const { joinBurst, joinEverySeconds, entryBurst, entryEverySeconds } = this.limits;
      rates = {
        newRooms: new TokenBucket(roomsPerAddressPerHour, 3_600_000 / roomsPerAddressPerHour, this.clock),
        joins: new TokenBucket(joinBurst, joinEverySeconds * 1000, this.clock),
        entries: new TokenBucket(entryBurst, entryEverySeconds * 1000, this.clock),
        work: new WorkBudget(workBurstMs * workPerAddress, workMsPerSecond * workPerAddress, this.clock),
      };
      this.#addresses.set(address, rates);
    }
    return rates;
  }

  /** What is full remembers nothing: memory stays bounded by who did something lately. */
  #dropFull(): void {
    for (const all of [this.#users, this.#addresses]) {
      for (const [key, rates] of all) {
        if (Object.values(rates).every((each: TokenBucket | WorkBudget) => each.isFull)) all.delete(key);
      }
    }
  }
}

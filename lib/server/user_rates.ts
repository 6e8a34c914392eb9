/** UserRates: how fast each user may talk and begin rooms, whatever link they come by. */

import type { Clock } from "../clock.ts";
import { TokenBucket } from "../token_bucket.ts";
import type { Limits } from "./limits.ts";

const maxUsers = 10_000;

/** The rates of all users: reconnecting does not fill a bucket. */
export class UserRates {
  #users = new Map<string, { sends: TokenBucket; newRooms: TokenBucket }>();

  /** @param limits of the server */
  constructor(private readonly limits: Limits, private readonly clock: Clock) {}

  /** A user's buckets, by id in hex. */
  of(key: string): { sends: TokenBucket; newRooms: TokenBucket } {
    let rates = this.#users.get(key);
    if (!rates) {
      if (this.#users.size >= maxUsers) this.#dropFull();
      const { sendBurst, sendsPerSecond, directRoomsPerHour } = this.limits;
      rates = {
        sends: new TokenBucket(sendBurst, 1000 / sendsPerSecond, this.clock),
        newRooms: new TokenBucket(directRoomsPerHour, 3_600_000 / directRoomsPerHour, this.clock),
      };
      this.#users.set(key, rates);
    }
    return rates;
  }

  /** Full buckets remember nothing: memory stays bounded by who did something lately. */
  #dropFull(): void {
    for (const [key, { sends, newRooms }] of this.#users) {
      if (sends.isFull && newRooms.isFull) this.#users.delete(key);
    }
  }
}

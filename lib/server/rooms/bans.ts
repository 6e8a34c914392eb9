/**
 * Bans: names, addresses and ranges of addresses that the operator keeps out, across restarts, for good or for a time.
 *
 * A name is banned by its skeleton, so that no look-alike is let in; an address as limits count it, so that an
 * IPv6 user's whole /64 is.
 */

import { isName, skeleton } from "../../protocol/identity/name.ts";
import { type Clock, seconds } from "../../clock.ts";
import { timestamp } from "../../timestamp.ts";
import { addressKey } from "../address_key.ts";
import { isIn, networkFrom, networkOf, networkText } from "./network.ts";
import type { LogRecord } from "../store/journal.ts";
import type { Store, StoredBan } from "../store/store.ts";

/** What the operator typed, as a ban for good; null when it is no name, address or range of addresses. */
export function banOf(shown: string): StoredBan | null {
  const always = { shown, until: null, reason: "" };
  if (isName(shown)) return { kind: "name", value: skeleton(shown), ...always };
  const range = /^(.+)\/(\d{1,3})$/.exec(shown);
  if (range) {
    const address = addressIn(range[1], false);
    // An IPv4 range in the IPv6 spelling counts 96 bits more.
    const bits = Number(range[2]) - (range[1].includes(":") && address?.includes(":") === false ? 96 : 0);
    const network = address === null || bits < 0 ? null : networkOf(address, bits);
    return network && { kind: "network", value: networkText(network), ...always };
  }
  const address = addressIn(shown);
  return address === null ? null : { kind: "address", value: addressKey(address), ...always };
}

/** An address in its one spelling, with or without the port that WHO shows; null for anything else. */
function addressIn(shown: string, mayHavePort = true): string | null {
  if (!mayHavePort && /^\d+\.[\d.]+:|\]/.test(shown)) return null;
  const v4 = /^(\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?$/.exec(shown)?.[1];
  if (v4) {
    return v4.split(".").every((part) => String(Number(part)) === part && Number(part) < 256) ? v4 : null;
  }
  const inside = /^\[(.*)\](?::\d{1,5})?$/.exec(shown)?.[1] ?? shown;
  if (!inside.includes(":")) return null;
  try {
    // The URL parser knows every spelling of an IPv6 address, and gives it the same one.
    const host = new URL(`http://[${inside}]/`).hostname.slice(1, -1);
    const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
    if (!mapped) return host;
    const [hi, lo] = mapped.slice(1).map((group) => parseInt(group, 16));
    return [hi >> 8, hi & 255, lo >> 8, lo & 255].join(".");
  } catch {
    return null;
  }
}

/** Everybody who is banned. */
export class Bans {
  #bans: Map<string, StoredBan>;

  /** @param store what is kept @param clock for bans that end @param propose has it on disk when it resolves to true */
  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly propose: (record: LogRecord) => Promise<boolean>,
  ) {
    this.#bans = new Map(store.bans().map((ban) => [keyOf(ban), ban]));
  }

  get #current(): StoredBan[] {
    return [...this.#bans.values()].filter((ban) => this.#isInForce(ban));
  }
  #isInForce({ until }: StoredBan): boolean {
    return until === null || until > seconds(this.clock);
  }

  /** As the operator typed them, until when and why. */
  all(): string[] {
    return this.#current.map(({ shown, until, reason }) =>
      [shown, ...until === null ? [] : [`until ${timestamp(until * 1000)}`], ...reason === "" ? [] : [reason]]
        .join(", ")
    );
  }

  /** Whether somebody with this name, from this address (as limits count it), stays out. */
  has(name: string, address: string): boolean {
    const exact = [`name ${skeleton(name)}`, `address ${address}`].map((key) => this.#bans.get(key));
    if (exact.some((ban) => ban && this.#isInForce(ban))) return true;
    return this.#current.some((ban) => ban.kind === "network" && isIn(networkFrom(ban.value), address));
  }

  /** Bans, at once and in any case: also while the disk refuses it. @returns whether it is on disk, to outlast a restart */
  async add(ban: StoredBan): Promise<boolean> {
    for (const over of [...this.#bans.values()].filter((each) => !this.#isInForce(each))) {
      void this.propose({ kind: "unban", ban: over });
    }
    this.#bans.set(keyOf(ban), ban);
    return await this.propose({ kind: "ban", ban });
  }

  /** Lets in again. @returns whether somebody was banned by it, and no longer is, also after a restart */
  async remove(ban: StoredBan): Promise<boolean> {
    const before = this.#bans.get(keyOf(ban));
    if (!before || !this.#isInForce(before)) return false;
    if (await this.propose({ kind: "unban", ban })) return true;
    this.#bans.set(keyOf(ban), before); // also one that has never reached the disk
    return false;
  }

  /** Called by the journal's follower only. */
  applyBan(ban: StoredBan): void {
    this.store.putBan(ban);
    this.#bans.set(keyOf(ban), ban);
  }

  /** Called by the journal's follower only. */
  applyUnban(ban: StoredBan): void {
    // One that was only taken away because its time is over may have been put on anew meanwhile.
    const there = this.#bans.get(keyOf(ban));
    if (ban.until !== null && there && there.until !== ban.until) return;
    this.store.dropBan(ban.kind, ban.value);
    this.#bans.delete(keyOf(ban));
  }

  /** A flush was undone: a ban that it had lifted is in force again. */
  reload(): void {
    for (const ban of this.store.bans()) this.#bans.set(keyOf(ban), ban);
  }
}

function keyOf(ban: StoredBan): string {
  return `${ban.kind} ${ban.value}`;
}

/**
 * Expiry: which messages and boxes of a room are forgotten (protocol §10). What has waited long enough goes, oldest
 * first. What is too much goes from whoever fills most of it, so that nobody's history is pushed out by another; the
 * boxes of the current epoch stay, whatever the size. All of it in slices, with a turn for everybody else after each.
 */

import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { LogRecord, Outcome } from "../store/journal.ts";
import type { Range, Store } from "../store/store.ts";
import type { Retention } from "./retention.ts";

/** Positions that are read or forgotten in one turn. */
const slice = 500;

/** What expiry needs of a room. */
export interface ExpiringRoom {
  /** Room id. */
  readonly id: Bytes;
  /** Last position that is on disk and shown: nothing after it is taken away. */
  readonly flushed: number;
  /** The first position that may still have its bytes. */
  readonly firstKept: number;
  /** Bytes of messages and boxes. */
  readonly keptBytes: number;
  /** Position of the commit whose boxes stay. */
  readonly epochBegan: number;
  /** It is gone meanwhile. */
  readonly isGone: boolean;
}

/** What expiry needs of the server. */
export interface ExpiryHost {
  /** What it keeps. */
  readonly store: Pick<Store, "lastBefore" | "weights">;
  /** The journal's time, milliseconds since 1970. */
  now(): number;
  /** How long, and how much. */
  readonly retention: Retention;
  /** Proposes a change. */
  propose(record: LogRecord): Promise<Outcome>;
  /** Waits for a later turn of the event loop. */
  nextTurn(): Promise<void>;
}

/** Forgets what is to be forgotten now. */
export async function expire(room: ExpiringRoom, host: ExpiryHost): Promise<void> {
  await expireByTime(room, host);
  // Down to seven eighths, so that not every message makes another one go.
  const { bytes } = host.retention;
  if (room.keptBytes > bytes) await expireTo(room, host, Math.floor(bytes * 7 / 8));
}

async function expireByTime(room: ExpiringRoom, host: ExpiryHost): Promise<void> {
  const { store, retention } = host;
  while (!room.isGone) {
    const first = room.firstKept;
    const old = store.lastBefore(
      room.id,
      Math.floor(host.now() / 1000) - retention.seconds,
      first - 1,
      slice,
    );
    const last = Math.min(old, room.flushed);
    if (last < first || !await forget(room, host, [{ first, last }], last)) return;
  }
}

/** Forgets what is more than so many bytes, from whoever has most of it. */
export async function expireTo(room: ExpiringRoom, host: ExpiryHost, bytes: number): Promise<void> {
  const used = new Map<string, number>();
  for await (const { sender, bytes: size } of weights(room, host)) {
    const key = encodeHex(sender);
    used.set(key, (used.get(key) ?? 0) + size);
  }
  let excess = room.keptBytes - bytes;
  const share = shareThatFits([...used.values()], excess);
  let taken: { first: number; last: number }[] = [];
  let count = 0;
  /** Up to here nothing is left; null while nothing was left over yet. */
  let emptyUpTo: number | null = null;
  for await (const { pos, sender, bytes: size } of weights(room, host)) {
    const key = encodeHex(sender);
    const left = used.get(key) ?? 0;
    if (excess <= 0 || left <= share) {
      emptyUpTo ??= pos - 1;
      if (excess <= 0) break;
      continue;
    }
    used.set(key, left - size);
    excess -= size;
    const before = taken.at(-1);
    if (before?.last === pos - 1) before.last = pos;
    else taken.push({ first: pos, last: pos });
    if (++count < slice) continue;
    if (!await forget(room, host, taken, 0)) return;
    [taken, count] = [[], 0];
  }
  // The boxes of the current epoch stay, and are looked at again when it is over.
  await forget(
    room,
    host,
    taken,
    Math.min(emptyUpTo ?? 0, room.epochBegan === 0 ? Infinity : room.epochBegan - 1),
  );
}

/** What weighs, oldest first, the boxes of the current epoch apart. */
async function* weights(room: ExpiringRoom, host: ExpiryHost) {
  for (let from = room.firstKept - 1; !room.isGone && from < room.flushed; from += slice) {
    const some = host.store.weights(room.id, from, Math.min(slice, room.flushed - from));
    for (const weight of some) if (weight.pos !== room.epochBegan) yield weight;
    await host.nextTurn();
  }
}

/**
 * The share that is left to each author so that `excess` goes: whoever has less loses nothing.
 *
 * @param used bytes of each author
 */
export function shareThatFits(used: readonly number[], excess: number): number {
  const sorted = used.toSorted((a, b) => b - a);
  let cut = 0;
  for (const [i, most] of sorted.entries()) {
    const next = sorted[i + 1] ?? 0;
    const here = (i + 1) * (most - next);
    if (cut + here >= excess) return most - (excess - cut) / (i + 1);
    cut += here;
  }
  return 0;
}

/** @returns whether it is kept on disk that they are gone */
async function forget(
  { id }: ExpiringRoom,
  host: ExpiryHost,
  ranges: readonly Range[],
  expiredUpTo: number,
): Promise<boolean> {
  if (ranges.length === 0) return true;
  const outcome = await host.propose({ kind: "expire", room: id, ranges, expiredUpTo });
  await host.nextTurn();
  return outcome.type === "done";
}

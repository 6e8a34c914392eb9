/**
 * Relief: when the disk is nearly full, what is kept of the largest rooms is forgotten first (protocol §12), so that
 * nobody fills it at the cost of those who need little.
 */

import type { ExpiryHost } from "./expiry.ts";
import { expireTo, type ExpiringRoom } from "./expiry.ts";
import type { RoomQuota } from "./room_quota.ts";

/** Forgets until there is room for everything again, or nothing more can be forgotten. */
export async function relieve(
  quota: Pick<RoomQuota, "excessBytes">,
  rooms: () => readonly ExpiringRoom[],
  host: ExpiryHost,
): Promise<void> {
  /** Those that have nothing more to give. */
  const spent = new Set<ExpiringRoom>();
  while (quota.excessBytes > 0) {
    const [largest] = rooms().filter((room) => !spent.has(room)).toSorted((a, b) =>
      b.keptBytes - a.keptBytes
    );
    if (!largest || largest.keptBytes === 0) return;
    const before = largest.keptBytes;
    await expireTo(largest, host, Math.floor(before * 7 / 8));
    if (largest.keptBytes === before) spent.add(largest);
    await host.nextTurn();
  }
}

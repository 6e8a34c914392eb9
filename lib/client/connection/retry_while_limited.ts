/** RetryWhileLimited: retries what the server refuses with LIMIT (protocol §12). */

import { type Clock, sleep } from "../../clock.ts";
import { errorCodes } from "../../protocol/channel/link_messages.ts";
import { LinkLost, RequestRefused } from "./connection_errors.ts";

const firstWaitMs = 1_000;
const maxWaitMs = 30_000;

/**
 * Repeats a request while the server answers LIMIT: after 1 s, doubling to 30.
 *
 * @param onLimit told once, at the first such answer
 * @throws RequestRefused for any other answer; LinkLost when `signal` is aborted
 */
export async function retryWhileLimited<T>(
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  request: () => Promise<T>,
  onLimit: () => void = () => {},
): Promise<T> {
  for (let waitMs = firstWaitMs;; waitMs = Math.min(maxWaitMs, waitMs * 2)) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof RequestRefused) || error.code !== errorCodes.LIMIT) throw error;
      if (waitMs === firstWaitMs) onLimit();
      await sleep(clock, waitMs, signal);
      if (signal.aborted) throw new LinkLost();
    }
  }
}

/**
 * DebugLog: what CHAT_DEBUG=1 writes to stderr, for debugging: the stack of every fault of ours, and
 * each frame by its types and size. Never content, never keys.
 */

import type { FrameWatcher } from "../protocol/channel/link.ts";
import type { ServerEvents } from "../server/events.ts";
import type { Process } from "./process.ts";

/** Writes lines. */
class DebugLog {
  /** @param err takes text for stderr @param now milliseconds since 1970 */
  constructor(private readonly err: (text: string) => void, private readonly now: () => number) {}

  /** A fault of this program that did not end it. */
  fault(error: Error): void {
    this.err(`debug: ${this.#time()} ${error.stack ?? error.message}\n`);
  }

  /** Watches a link. @param name tells it from others; empty for the only one */
  watch(name = ""): FrameWatcher {
    const link = name === "" ? "" : ` ${name}`;
    return (direction, types, bytes) => {
      const arrow = direction === "in" ? "<-" : "->";
      this.err(`debug: ${this.#time()}${link} ${arrow} ${types.join("+")} ${bytes} B\n`);
    };
  }

  /** A listener to a server's events: its faults. */
  get events(): ServerEvents {
    return {
      tell: (event) => {
        if (event.type === "bug") this.fault(event.error);
      },
    };
  }

  #time(): string {
    return new Date(this.now()).toISOString().slice(11, 23);
  }
}

/** @returns null unless the environment asks for it */
export function debugLog({ env, err, clock }: Pick<Process, "env" | "err" | "clock">): DebugLog | null {
  return env("CHAT_DEBUG") === "1" ? new DebugLog(err, () => clock.now()) : null;
}

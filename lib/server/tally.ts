/** Tally: counts of what has happened since the start, for STATS and for metrics; numbers only. */

import { closeReasons } from "../protocol/channel/link_messages.ts";
import { handshakeFailures, type ServerEvent, type ServerEvents, turnedAwayFor } from "./events.ts";
import { limitsReached } from "./limit_reached.ts";

/** Counts events; a map per kind with all that the kind may be, so that a metric begins at 0. */
export class Tally implements ServerEvents {
  /** Handshakes that reached WELCOME. */
  connected = 0;
  /** Handshakes that came to nothing, by why. */
  readonly handshakesFailed = zeros(handshakeFailures);
  /** Connections that were closed at once, by why. */
  readonly turnedAway = zeros(turnedAwayFor);
  /** Peers refused after their handshake. */
  refused = 0;
  /** Messages stored and shown. */
  messages = 0;
  /** Their bytes, sealed as they are. */
  messageBytes = 0;
  /** Requests refused because of a limit. */
  readonly limited = zeros(limitsReached);
  /** Links that ended because their peer did not read, or was not heard of any more. */
  readonly dropped = zeros(["slow", "silent", "fault"]);
  /** Bytes of links that are over: those of live ones are counted where they are. */
  received = 0;
  /** The same, sent. */
  sent = 0;
  /** Batches that are on disk. */
  flushes = 0;
  /** Milliseconds that they took. */
  flushMs = 0;
  /** Batches that the disk refused. */
  storeFailures = 0;
  /** Faults of this program. */
  bugs = 0;

  tell(event: ServerEvent): void {
    switch (event.type) {
      case "connected":
        return void this.connected++;
      case "handshake failed":
        return void this.handshakesFailed[event.why]++;
      case "turned away":
        return void this.turnedAway[event.why]++;
      case "refused":
        return void this.refused++;
      case "exchanged":
        this.messageBytes += event.bytes;
        return void this.messages++;
      case "limited":
        return void this.limited[event.what]++;
      case "left":
        this.received += event.received;
        this.sent += event.sent;
        if (event.end.how === "silent") this.dropped.silent++;
        if (event.end.how === "fault") this.dropped.fault++;
        if (event.end.how === "closed" && event.end.reason === closeReasons.tooSlow) this.dropped.slow++;
        return;
      case "flushed":
        this.flushMs += event.ms;
        return void this.flushes++;
      case "store failed":
        return void this.storeFailures++;
      case "bug":
        return void this.bugs++;
    }
  }
}

function zeros<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}

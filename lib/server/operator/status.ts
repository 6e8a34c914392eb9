/** Status: what the server tells of events, for the operator's terminal or log. */

import type { ChatError } from "../../errors.ts";
import { sanitize, sanitizeLine } from "../../sanitize.ts";
import { timestamp } from "../../timestamp.ts";
import type { ServerEvent, ServerEvents } from "../events.ts";

/** Writes events as lines; what only a log or a metric is for gets none. */
export class Status implements ServerEvents {
  /** Told once: an old copy is behind for everybody. */
  #toldAhead = false;

  /**
   * @param print one line, without its line feed
   * @param showBothEnds print both ends' address and port of a new connection: an interactive console
   */
  constructor(private readonly print: (line: string) => void, private readonly showBothEnds: boolean) {}

  tell(event: ServerEvent) {
    switch (event.type) {
      case "connected":
        this.print(`[+] New connection. Username: ${event.name}`);
        if (this.showBothEnds) this.print(`[+] ${event.name}: ${event.remote} -> ${event.local}`);
        return;
      case "handshake done":
        this.print("[+] Client public key had been received");
        return this.print("[+] Secret key had been sent to the client");
      case "joined room":
        return this.print(`[+] Broadcast message:  New person joined the room. Username: ${event.name}`);
      case "exchanged":
        return this.print(`${timestamp(event.timeMs)} Message exchanged`);
      case "left":
        return this.print(`[+] ${event.name} left the server.`);
      case "refused":
        return this.print(`[+] Refused. Username: ${event.name}: ${event.why}`);
      case "store failed":
      case "files failed":
        return this.#trouble(event.error);
      case "ahead":
        if (!this.#toldAhead) {
          this.print(
            "[!] People know more of the rooms than these data: an old copy? TERMINATE, then --restored once",
          );
        }
        this.#toldAhead = true;
        return;
      case "disk filling":
        return this.print(
          `[!] The rooms take ${event.percent} % of what they may on disk: --store-bytes raises it`,
        );
      case "settings changed":
        return this.print(
          `[!] A server was started with other limits, and all have them now: ${event.changes.join(", ")}`,
        );
      case "log away":
        this.print(
          "[!] The log in NATS cannot be reached: who is in can read, what is said waits, nobody comes in",
        );
        return event.why === "" ? undefined : this.print(`[!] NATS says: ${sanitizeLine(event.why)}`);
      case "log back":
        return this.print("[+] The log can be reached again");
      case "snapshot failed":
        return this.print(
          `[!] No snapshot could be taken, so the log keeps all it has: ${sanitizeLine(event.error.message)}`,
        );
      case "accounts failed":
        this.#trouble(event.error);
        return this.print("[!] Whoever wants in is told to try again; whoever is in stays");
      case "accounts back":
        return this.print("[+] The accounts can be used again");
      case "bug":
        return this.print(`[!] A fault of this program: ${event.error.name}; the log has more (--log-file)`);
      default:
        return;
    }
  }

  /** Something said in a room whose key the operator holds; the one line with content, asked for by --answer. */
  heard(name: string, timeMs: number, text: string) {
    this.print(`${timestamp(timeMs)} ${name}: ${sanitize(text)}`);
  }

  #trouble(error: ChatError) {
    this.print(`[!] ${sanitizeLine(error.message)}`);
    if (error.hint) this.print(`[!] hint: ${error.hint}`);
  }
}

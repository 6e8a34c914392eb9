/** Status: the server's lines in the product's wording (product §3), for the operator's terminal or log. */

import type { ChatError } from "../errors.ts";
import { sanitize, sanitizeLine } from "../sanitize.ts";
import { timestamp } from "../timestamp.ts";
import type { ServerEvents } from "./events.ts";

/** Writes each event as one line. */
export class Status implements ServerEvents {
  /**
   * @param print one line, without its line feed
   * @param showBothEnds print both ends' address and port of a new connection: an interactive console
   */
  constructor(private readonly print: (line: string) => void, private readonly showBothEnds: boolean) {}

  connected(name: string, local: string, remote: string) {
    this.print(`[+] New connection. Username: ${name}`);
    if (this.showBothEnds) this.print(`[+] ${name}: ${remote} -> ${local}`);
  }
  clientKeyReceived() {
    this.print("[+] Client public key had been received");
  }
  secretKeySent() {
    this.print("[+] Secret key had been sent to the client");
  }
  joinedRoom(name: string, _room: string) {
    this.print(`[+] Broadcast message:  New person joined the room. Username: ${name}`);
  }
  exchanged(timeMs: number) {
    this.print(`${timestamp(timeMs)} Message exchanged`);
  }
  /** Something said in a room whose key the operator holds; the one line with content, asked for by --answer. */
  heard(name: string, timeMs: number, text: string) {
    this.print(`${timestamp(timeMs)} ${name}: ${sanitize(text)}`);
  }
  left(name: string) {
    this.print(`[+] ${name} left the server.`);
  }
  refused(name: string, why: string) {
    this.print(`[+] Refused. Username: ${name}: ${why}`);
  }
  storeFailed(error: ChatError) {
    this.print(`[!] ${sanitizeLine(error.message)}`);
    if (error.hint) this.print(`[!] hint: ${error.hint}`);
  }
  accountsFailed(error: ChatError) {
    this.storeFailed(error);
    this.print("[!] Whoever wants in is told to try again; whoever is in stays");
  }
  accountsBack() {
    this.print("[+] The accounts can be used again");
  }
  bug(error: Error) {
    this.print(`[!] A session ended by a fault of this program: ${error.name}`);
  }
}

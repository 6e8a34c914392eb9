/**
 * Receivers: the receiving halves of all members' links in a program of their own, in C (receivers.c), so that what
 * receives costs as little as in the harness that measures other servers: a receiver here makes the server's kernel
 * wake it up, and so the server pays. Handshakes and senders stay here.
 */

import type { Member } from "./room_of_load.ts";
import { closeQuietly, writeAll } from "../../lib/protocol/channel/conn.ts";

const source = "scripts/bench/receivers.c";
const built = "dist/receivers";
const clockSamples = 20;

/** Builds the program. @returns where it is; null, told, where there is no compiler or no OpenSSL to build with */
export async function buildReceivers(): Promise<string | null> {
  const args = ["-O2", "-std=gnu11", "-D_GNU_SOURCE", "-Wno-deprecated-declarations", "-o", built, source];
  try {
    const { success, stderr } = await new Deno.Command("cc", { args: [...args, "-lcrypto"] }).output();
    if (success) return built;
    console.error(new TextDecoder().decode(stderr).split("\n")[0]);
  } catch (fault) {
    if (!(fault instanceof Deno.errors.NotFound)) throw fault;
  }
  console.error(
    "fan-out: no cc with OpenSSL's headers here; what receives runs in Deno, which costs the server more",
  );
  return null;
}

/** The program, running. */
export class Receivers {
  /** Told where a message stands. */
  onStored: (ref: number, pos: number) => void = () => {};
  /** Told when all others have one. @param at when, by this program's clock */
  onComplete: (pos: number, at: number) => void = () => {};
  /** Told when nothing more will come. */
  onFailure: (why: string) => void = () => {};
  /** Its clock against ours, in milliseconds. */
  #clockAhead = 0;
  #answer: (theirs: bigint) => void = () => {};

  private constructor(
    private readonly child: Deno.ChildProcess,
    private readonly control: Deno.TcpConn,
    /** Passes connections on to the server. */
    readonly port: number,
  ) {}

  /** Starts it. @param members how many people the room has: each message goes to one less */
  static async start(program: string, serverPort: number, members: number): Promise<Receivers> {
    const child = new Deno.Command(program, {
      args: [String(serverPort), String(members)],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const { value } = await child.stdout.getReader().read();
    const [port, controlPort] = new TextDecoder().decode(value).trim().split(" ").map(Number);
    const control = await Deno.connect({ hostname: "127.0.0.1", port: controlPort });
    control.setNoDelay(true);
    const receivers = new Receivers(child, control, port);
    void receivers.#read();
    await receivers.#compareClocks();
    return receivers;
  }

  /** Its process. */
  get pid(): number {
    return this.child.pid;
  }

  /** Takes over what the server sends to these; nothing may be on its way. */
  async takeOver(members: readonly Member[]): Promise<void> {
    for (const { link, trafficSecret } of members) {
      const { transitKey } = link;
      const head = new DataView(new ArrayBuffer(3 + 4));
      head.setUint8(0, "H".charCodeAt(0));
      head.setUint16(1, link.localPort, true);
      head.setUint32(3, link.opened, true);
      const keys = new Uint8Array(2 + (transitKey ? 68 : 0));
      if (transitKey) {
        keys[0] = 1;
        keys.set(transitKey.room, 2);
        new DataView(keys.buffer).setUint32(34, transitKey.key, true);
        keys.set(transitKey.secret, 38);
      }
      await writeAll(
        this.control,
        new Uint8Array([...new Uint8Array(head.buffer), ...trafficSecret!, ...keys]),
      );
    }
    await this.#theirClock(); // answered once all of it was taken
  }

  async #compareClocks(): Promise<void> {
    let shortest = Infinity;
    for (let i = 0; i < clockSamples; i++) {
      const began = performance.now();
      const theirs = Number(await this.#theirClock()) / 1e6;
      const took = performance.now() - began;
      if (took >= shortest) continue;
      shortest = took;
      this.#clockAhead = theirs - (began + took / 2);
    }
  }

  async #theirClock(): Promise<bigint> {
    const answered = new Promise<bigint>((resolve) => this.#answer = resolve);
    await writeAll(this.control, Uint8Array.of("T".charCodeAt(0)));
    return await answered;
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(1 << 16);
    let have = 0;
    for (;;) {
      const n = await this.control.read(buffer.subarray(have)).catch(() => null);
      if (n === null) return this.onFailure("the receivers have ended");
      have += n;
      const used = this.#take(buffer.subarray(0, have));
      buffer.copyWithin(0, used, have);
      have -= used;
    }
  }

  /** @returns how many bytes it took */
  #take(bytes: Uint8Array): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    const has = (n: number) => bytes.length - at >= n;
    for (;;) {
      const what = has(1) ? String.fromCharCode(bytes[at]) : "";
      if (what === "T" && has(9)) {
        this.#answer(view.getBigUint64(at + 1, true));
        at += 9;
      } else if (what === "S" && has(13)) {
        this.onStored(view.getUint32(at + 1, true), Number(view.getBigUint64(at + 5, true)));
        at += 13;
      } else if (what === "D" && has(17)) {
        const time = Number(view.getBigUint64(at + 9, true)) / 1e6 - this.#clockAhead;
        this.onComplete(Number(view.getBigUint64(at + 1, true)), time);
        at += 17;
      } else if (what === "E" && has(3) && has(3 + view.getUint16(at + 1, true))) {
        const length = view.getUint16(at + 1, true);
        this.onFailure(new TextDecoder().decode(bytes.slice(at + 3, at + 3 + length)));
        at += 3 + length;
      } else return at;
    }
  }

  /** Ends it. */
  stop(): void {
    closeQuietly(this.control);
    this.child.kill("SIGTERM");
  }
}

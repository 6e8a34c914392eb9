/**
 * AttachMessages: what two programs of one person say to each other over the socket in the profile: one JSON object a
 * line, bytes as `{"$": base64}`. Both are the same program in the same version, or they part at once.
 */

import { decodeState, encodeState } from "../../storage/state_json.ts";
import type { ChatOptions } from "../chat_options.ts";
import type { KeptMessage, RoomEvent } from "../room_events.ts";
import type { Status } from "../status.ts";

/** Changes with what is said here. */
export const attachProtocol = 3;
/** A line is shorter: the longest holds what is kept of a room. */
const maxLineBytes = 64 * 1024 * 1024;

/** An entered line, as it travels. */
export interface EnteredItem {
  /** Counts them. */
  readonly n: number;
  /** As it was typed; or … */
  readonly line?: string;
  /** … to be said as it stands; or neither, for what could not be understood. */
  readonly said?: {
    readonly texts: readonly string[];
    readonly action?: boolean;
    readonly isToken?: boolean;
    /** A file's name; its content came before, as parts. */
    readonly file?: string;
    readonly room?: string;
    readonly to?: string;
  };
  /** Or a wish about a file. */
  readonly wish?: { readonly wish: "get" | "cancel"; readonly id: string; readonly dir?: string };
  /** The room that was on the screen when it was entered at another holder; null for where lines go now. */
  readonly room: string | null;
  /** 16 bytes for each thing that is said. */
  readonly msgIds: readonly Uint8Array<ArrayBuffer>[];
}

/** Who attaches. */
export interface GuestHello {
  readonly t: "hello";
  /** Of the program. */
  readonly version: string;
  readonly protocol: number;
  /** Where to go, and how. */
  readonly options: ChatOptions;
  /** Authorities for TLS, in PEM. */
  readonly authorities: readonly string[];
  /** Stay when the input has ended. */
  readonly listen: boolean;
  /** The last position that it has shown, by room, if it comes from another holder. */
  readonly seen: Readonly<Record<string, number>>;
  /** The room that is on its screen, if it comes from another holder. */
  readonly room: string | null;
  /** What its view is like. */
  readonly view: { readonly interactive: boolean; readonly holds: boolean; readonly isBlind: boolean };
}

/** From the one that attaches. */
export type FromGuest =
  | GuestHello
  | { readonly t: "enter"; readonly item: EnteredItem }
  /** A part of the file that goes with the item of this number, which follows the last one. */
  | { readonly t: "part"; readonly n: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly t: "input over" }
  | {
    readonly t: "ask";
    readonly n: number;
    readonly what: "complete" | "kept" | "people";
    readonly about: string | number;
  }
  | { readonly t: "switch"; readonly number: number }
  | { readonly t: "remember"; readonly line: string }
  | { readonly t: "cancel" }
  | { readonly t: "secret typed"; readonly n: number; readonly typed: string | null }
  | { readonly t: "quit" }
  | { readonly t: "ping" };

/** From the one that holds the profile. */
export type FromHolder =
  | {
    readonly t: "hello";
    readonly version: string;
    readonly protocol: number;
    /** The name on the card. */
    readonly name: string;
    /** Lines that were typed before. */
    readonly typed: readonly string[];
  }
  | { readonly t: "event"; readonly event: RoomEvent }
  | { readonly t: "progress" | "notice" | "warning"; readonly text: string }
  | { readonly t: "answer"; readonly lines: readonly string[] }
  | { readonly t: "recalled"; readonly title: string; readonly lines: readonly KeptMessage[] }
  | { readonly t: "status"; readonly status: Status }
  | { readonly t: "question"; readonly text: string | null }
  | { readonly t: "secret"; readonly n: number; readonly question: string }
  | { readonly t: "clear" | "forget typed" | "pong" }
  /** What was entered was taken. @see EnteredItem.n */
  | { readonly t: "taken"; readonly n: number; readonly ids: readonly string[] }
  | { readonly t: "refused"; readonly n: number; readonly message: string; readonly hint: string }
  | { readonly t: "reply"; readonly n: number; readonly value: unknown }
  | { readonly t: "end"; readonly code: number }
  | { readonly t: "fail"; readonly message: string; readonly hint: string; readonly code: number };

/** One end of the socket. */
export class AttachLink<In, Out> {
  #writing: Promise<void> = Promise.resolve();
  #queued = 0;
  #closed = false;

  /** @param conn its connection @param maxQueued most bytes that wait for the other end to read */
  constructor(private readonly conn: Deno.Conn, private readonly maxQueued = maxLineBytes) {}

  /** Says something; an end that does not read is let go. */
  send(message: Out): void {
    if (this.#closed) return;
    const line = encodeState(message);
    const bytes = new Uint8Array(line.length + 1);
    bytes.set(line);
    bytes[line.length] = 10;
    this.#queued += bytes.length;
    if (this.#queued > this.maxQueued) return this.close();
    this.#writing = this.#writing.then(async () => {
      for (let at = 0; at < bytes.length && !this.#closed;) at += await this.conn.write(bytes.subarray(at));
      this.#queued -= bytes.length;
    }).catch(() => this.close());
  }

  /** What the other end says, until it is gone, or says what nobody understands. */
  async *messages(): AsyncGenerator<In> {
    const parts: Uint8Array[] = [];
    let size = 0;
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const n = await this.conn.read(buffer).catch(() => null);
      if (n === null || this.#closed) return;
      let from = 0;
      for (let at = buffer.indexOf(10); at >= 0 && at < n; at = buffer.indexOf(10, from)) {
        const line = joined([...parts.splice(0), buffer.subarray(from, at)]);
        size = 0;
        from = at + 1;
        try {
          yield decodeState<In>(line);
        } catch {
          return;
        }
      }
      parts.push(buffer.slice(from, n));
      size += n - from;
      if (size > maxLineBytes) return;
    }
  }

  /** Sends what is still to be sent. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  /** Ends it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.conn.close();
    } catch {
      // Closed by the other end.
    }
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Log: one line an event, for machines and for later reading (protocol §13).
 *
 *   2026-11-21T09:35:24.123Z info connected session=1f0c9a2b who=9d3e11aa
 *   {"time":"2026-11-21T09:35:24.123Z","level":"info","event":"connected","session":"1f0c9a2b","who":"9d3e11aa"}
 *
 * People are the first 8 hex digits of their ids, rooms those of theirs: names, texts, keys, tokens and whole ids are
 * never in it, and addresses only when the operator asks.
 */

import { encodeHex } from "../../hex.ts";
import { type Clock, seconds } from "../../clock.ts";
import { sanitizeLine } from "../../sanitize.ts";
import { closeReasons } from "../../protocol/channel/link_messages.ts";
import type { ServerEvent, ServerEvents } from "../events.ts";

/** Least important last. */
export const logLevels = ["error", "warn", "info", "debug"] as const;
/** One of them. */
export type LogLevel = typeof logLevels[number];
/** How a line looks. */
export const logFormats = ["text", "json"] as const;
/** One of them. */
export type LogFormat = typeof logFormats[number];

/** What is written, and how. */
export interface LogOptions {
  /** Text or JSON. */
  readonly format: LogFormat;
  /** This level and those before it. */
  readonly level: LogLevel;
  /** Whether addresses are written. */
  readonly addresses: boolean;
  /** Time. */
  readonly clock: Clock;
}

const linesPerSecond = 20;
const reasonWords = Object.keys(closeReasons); // in the order of their numbers

type Fields = Record<string, string | number>;

/** Writes each event as one line. */
export class Log implements ServerEvents {
  /** Lines of each event in the present second. */
  #lines = new Map<string, number>();
  #second = 0;

  /** Makes one. @param write takes a line with its line feed; must not throw */
  constructor(private readonly write: (line: string) => void, private readonly options: LogOptions) {}

  tell(event: ServerEvent): void {
    const [level, name, fields] = describe(event);
    const address: Fields = "remote" in event && this.options.addresses ? { address: event.remote } : {};
    this.say(level, name, { ...fields, ...address });
  }

  /** Writes one line of the program's own. */
  say(level: LogLevel, event: string, fields: Fields = {}): void {
    if (logLevels.indexOf(level) > logLevels.indexOf(this.options.level)) return;
    if (this.#isOneTooMany(event)) return;
    this.#put(level, event, fields);
  }

  /** A flood must not fill the disk with lines about it: what is left out is counted. */
  #isOneTooMany(event: string): boolean {
    const second = seconds(this.options.clock);
    if (second !== this.#second) {
      const left = [...this.#lines].filter(([, lines]) => lines > linesPerSecond);
      this.#second = second;
      this.#lines.clear();
      for (const [of, lines] of left) this.#put("info", "left-out", { of, lines: lines - linesPerSecond });
    }
    if (this.options.level === "debug") return false;
    const lines = (this.#lines.get(event) ?? 0) + 1;
    this.#lines.set(event, lines);
    return lines > linesPerSecond;
  }

  #put(level: LogLevel, event: string, fields: Fields): void {
    const time = new Date(this.options.clock.now()).toISOString();
    this.write(
      this.options.format === "json"
        ? `${JSON.stringify({ time, level, event, ...fields })}\n`
        : `${time} ${level} ${event}${Object.entries(fields).map(asText).join("")}\n`,
    );
  }
}

function asText([key, value]: [string, string | number]): string {
  const text = String(value);
  return ` ${key}=${/^[\w.:[\]/%+-]+$/.test(text) ? text : JSON.stringify(text)}`;
}

/** An event's level, name and fields: the one place that decides what may be written. */
function describe(event: ServerEvent): [LogLevel, string, Fields] {
  switch (event.type) {
    case "connected":
      return ["info", "connected", { session: event.session, who: short(event.id) }];
    case "handshake done":
      return ["debug", "handshake-done", {}];
    case "handshake failed":
      return ["info", "handshake-failed", { why: event.why }];
    case "turned away":
      return ["info", "turned-away", { why: event.why }];
    case "refused":
      return ["info", "refused", { who: short(event.id), why: event.why }];
    case "joined room":
      return ["info", "joined-room", { who: short(event.id), room: short(event.roomId) }];
    case "exchanged":
      return ["debug", "message", { room: short(event.roomId), bytes: event.bytes }];
    case "limited":
      return ["info", "limited", { who: short(event.id), what: event.what }];
    case "left": {
      const { end, received, sent } = event;
      const reason: Fields = "reason" in end ? { reason: reasonWords[end.reason] ?? end.reason } : {};
      return ["info", "left", {
        session: event.session,
        who: short(event.id),
        how: end.how,
        ...reason,
        received,
        sent,
      }];
    }
    case "flushed":
      return ["debug", "flushed", { ms: Math.round(event.ms * 1000) / 1000, writes: event.writes }];
    case "store failed":
      return ["error", "store-failed", { message: sanitizeLine(event.error.message) }];
    case "files failed":
      return ["error", "files-failed", { message: sanitizeLine(event.error.message) }];
    case "ahead":
      return ["warn", "ahead", { who: short(event.id), room: short(event.roomId) }];
    case "disk filling":
      return ["warn", "disk-filling", { percent: event.percent }];
    case "accounts failed":
      return ["error", "accounts-failed", { message: sanitizeLine(event.error.message) }];
    case "accounts back":
      return ["warn", "accounts-back", {}];
    case "log away":
      return ["error", "log-away", { why: sanitizeLine(event.why) }];
    case "log back":
      return ["warn", "log-back", {}];
    case "confirmed":
      return ["debug", "confirmed", { ms: Math.round(event.ms * 10) / 10 }];
    case "settings changed":
      return ["warn", "settings-changed", { changes: event.changes.join(", ") }];
    case "snapshot":
      return ["info", "snapshot", { seq: event.seq, bytes: event.bytes }];
    case "snapshot failed":
      return ["warn", "snapshot-failed", { message: sanitizeLine(event.error.message) }];
    case "operator":
      return ["info", "operator", { word: event.word }];
    case "bug":
      // Its name and where it happened: a runtime message may quote the input that caused it.
      return ["error", "fault", { kind: event.error.name, at: placesOf(event.error) }];
  }
}

/** The innermost frames of a stack, without the message that stands above them. */
function placesOf({ stack = "" }: Error): string {
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line)).map((line) => line.trim().slice(3));
  return sanitizeLine(frames.slice(0, 8).join(" < "));
}

function short(id: Uint8Array): string {
  return encodeHex(id.subarray(0, 4));
}

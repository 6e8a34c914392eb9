/**
 * PageMessages: what the page and the program that serves it say to each other over the link: one JSON object a message.
 * Both are of one version: the page comes from the program.
 */

import type { RoomPeople } from "../../client/commands/people_here.ts";
import type { Status } from "../../client/status.ts";

/** Why a link is closed, as WebSocket close codes. */
export const pageCloses = {
  /** The link is not good: used, too old, or never made. */
  badLink: 4001,
  /** Another page is in use; this one may take over when its person says so. */
  anotherPage: 4002,
  /** The program has ended. */
  ended: 4003,
  /** Nothing was said in time, or nothing that is understood. */
  notUnderstood: 4004,
} as const;

/** Something in the log of a room, in the order it came. */
export type LogItem =
  | {
    readonly kind: "message";
    /** Its message, in hex. */
    readonly id: string;
    readonly from: string;
    /** Of the key, in hex: what the colour of a name goes by. */
    readonly fromId: string;
    readonly own: boolean;
    /** Milliseconds since 1970, by the sender's clock. */
    readonly timeMs: number;
    /** Made harmless; may have several lines. */
    readonly text: string;
    readonly action: boolean;
    /** The server answers us alone. */
    readonly answer: boolean;
    /** The server's claim of where it comes from; mostly empty. */
    readonly address: string;
    /** Its name, made harmless; its size in words; until when it can be had, milliseconds since 1970. */
    readonly file?: { readonly name: string; readonly size: string; readonly untilMs: number };
    /** It was said before this program began. */
    readonly isKept: boolean;
  }
  /** `alarm`: what a person must know for safety, as a changed key. */
  | { readonly kind: "notice" | "warning" | "alarm"; readonly text: string }
  | { readonly kind: "unread" };

/** An own line that is not stored yet. */
export interface WaitingLine {
  readonly id: string;
  readonly room: string;
  readonly text: string;
  /** It was refused; /retry sends it again. */
  readonly failed: boolean;
}

/** A file on its way. */
export interface MovingFile {
  readonly id: string;
  readonly room: string;
  readonly name: string;
  readonly way: "up" | "down";
  /** Bytes: so many of so many. */
  readonly done: number;
  readonly size: number;
  /** In words: how far, how fast, how long yet. */
  readonly text: string;
}

/** Everything that a page shows. */
export interface Snapshot {
  /** Our name. */
  readonly name: string;
  readonly status: Status;
  readonly people: RoomPeople;
  /** By room. */
  readonly logs: Readonly<Record<string, readonly LogItem[]>>;
  readonly waiting: readonly WaitingLine[];
  readonly moving: readonly MovingFile[];
  /** Files that were saved, by the ids of the messages that told of them. */
  readonly saved: readonly string[];
  /** What is to be answered with yes or no, and its number. */
  readonly question: string | null;
  readonly questionN: number;
  /** What was told beside it, as digits to compare. */
  readonly about: readonly string[];
  /** What is asked in the terminal. */
  readonly secret: string | null;
}

/** From the program. */
export type ToPage =
  /** It is let in; the secret lets the same page in again. */
  | { readonly type: "in"; readonly secret: string; readonly all: Snapshot }
  | { readonly type: "item"; readonly room: string; readonly item: LogItem }
  | { readonly type: "status"; readonly status: Status }
  | { readonly type: "people"; readonly people: RoomPeople }
  | { readonly type: "waiting"; readonly waiting: readonly WaitingLine[] }
  | { readonly type: "moving"; readonly moving: readonly MovingFile[] }
  | { readonly type: "saved"; readonly id: string }
  | {
    readonly type: "question";
    readonly n: number;
    readonly text: string | null;
    readonly about: readonly string[];
  }
  | { readonly type: "secret"; readonly text: string | null }
  /** What was asked for, as text. */
  | { readonly type: "answer"; readonly lines: readonly string[] }
  /** What was searched for, with the room of each. */
  | {
    readonly type: "found";
    readonly title: string;
    readonly items: readonly { readonly room: string; readonly item: LogItem }[];
  }
  /** Lines of a room that are kept, oldest first. */
  | {
    readonly type: "older";
    readonly room: string;
    readonly items: readonly LogItem[];
    readonly isAll: boolean;
  }
  | {
    readonly type: "completed";
    readonly n: number;
    readonly from: number;
    readonly words: readonly string[];
  }
  /** The log of the room on the screen is emptied. */
  | { readonly type: "clear"; readonly room: string }
  | { readonly type: "forgotten" };

/** From the page. */
export type FromPage =
  /** The first thing that it says: what the link had after its #. */
  | { readonly type: "link"; readonly token: string }
  /** Or: it was in before. @param takeOver its person has said so */
  | { readonly type: "again"; readonly secret: string; readonly takeOver: boolean }
  /** A line as it was typed. */
  | { readonly type: "line"; readonly line: string }
  /** Said as it stands: what has several rows. */
  | { readonly type: "say"; readonly text: string; readonly room: string }
  /** To the question of that number, and to no other. */
  | { readonly type: "answer"; readonly n: number; readonly yes: boolean }
  | { readonly type: "switch"; readonly room: string }
  | { readonly type: "older"; readonly n: number }
  | { readonly type: "complete"; readonly n: number; readonly before: string }
  | { readonly type: "get" | "cancel"; readonly id: string };

const fields: Readonly<Record<FromPage["type"], Readonly<Record<string, "string" | "boolean" | "number">>>> =
  {
    link: { token: "string" },
    again: { secret: "string", takeOver: "boolean" },
    line: { line: "string" },
    say: { text: "string", room: "string" },
    answer: { n: "number", yes: "boolean" },
    switch: { room: "string" },
    older: { n: "number" },
    complete: { n: "number", before: "string" },
    get: { id: "string" },
    cancel: { id: "string" },
  };

/** Reads what a page says. @returns null for what no page of ours says */
export function parseFromPage(text: string): FromPage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !("type" in value)) return null;
  const { type } = value;
  if (typeof type !== "string" || !Object.hasOwn(fields, type)) return null;
  const wanted = Object.entries(fields[type as FromPage["type"]]);
  const isWhole = wanted.every(([name, wantedKind]) => {
    const kind: string = typeof (value as Record<string, unknown>)[name];
    return kind === wantedKind;
  });
  return isWhole ? value as FromPage : null;
}

/**
 * Alarm (protocol §9): the server hides or changes something, or its key has signed two histories. Sending stops until
 * the person says how to go on. No member can raise it: one who lies about her view is named, and nothing stops.
 */

import { encodeHex } from "../../hex.ts";
import type { StreamState } from "./room_state.ts";

const hides =
  "The server hides or changes something: it gave what no honest server keeps. Nothing more is sent into " +
  "this room, and nothing that you can do here lifts that: only an admin's invite that is newer than all you were shown " +
  "(/invite --pass) lets you in anew.";
const twoHistories =
  "This server's key has signed two histories of this room: it was restored from an old copy, runs " +
  'twice, or splits the room. Nothing more is sent. Ask the others by another way; "/retry" goes on with what you have ' +
  "seen.";

/** Kinds of alarm. */
export type AlarmKind = NonNullable<StreamState["alarm"]>;

/** What an alarm needs of its room. */
export interface AlarmRoom {
  /** Where it is kept. */
  readonly state: Pick<StreamState, "alarm" | "isSplitKnown" | "liars">;
  /** Where the person is warned. */
  readonly news: { warn(text: string): void };
  /** The name of somebody by id. */
  nameOf(id: Uint8Array): string;
  /** The state must be stored. */
  changed(): void;
}

/** The alarm of one room. */
export class Alarm {
  /** @param room whose history is watched */
  constructor(private readonly room: AlarmRoom) {}

  /** Whether sending is stopped. */
  get isRaised(): boolean {
    return this.room.state.alarm !== null;
  }

  /** The server gave what no honest one stores. */
  hidden(): void {
    if (this.room.state.alarm !== "hides") this.raise("hides", hides);
  }

  /** The server has signed another history than ours. */
  twoHistories(): void {
    if (!this.room.state.isSplitKnown && !this.isRaised) this.raise("two histories", twoHistories);
  }

  /** Somebody claims what no server has signed: named once. */
  liar(author: Uint8Array): void {
    const key = encodeHex(author);
    const { state } = this.room;
    if (state.liars?.includes(key)) return;
    state.liars = [...state.liars ?? [], key];
    this.room.changed();
    const name = this.room.nameOf(author);
    this.room.news.warn(
      `${name} claims to have seen another history of this room than you, and the server has not signed it: ${name} ` +
        "says what is not so, or has a broken program. Nothing else follows from it.",
    );
  }

  /** Raises one. @param text what is so, and what can be done */
  raise(kind: AlarmKind, text: string): void {
    if (this.room.state.alarm !== "hides") this.room.state.alarm = kind;
    this.room.changed();
    this.room.news.warn(text);
  }

  /** The server has lost its data: told once for all its rooms, and kept with what is kept of the server. */
  serverLost(): void {
    this.room.state.alarm ??= "server lost";
  }

  /** It is the known server again; its streams will show whether it has lost anything. */
  serverIsBack(): void {
    if (this.room.state.alarm === "server lost") this.room.state.alarm = null;
  }

  /** An admin has let us in anew, by a pass that is later than all that we knew. */
  renewed(): void {
    this.room.state.alarm = null;
    this.room.changed();
  }

  /** The person goes on all the same, where that can be. */
  acknowledge(): void {
    const { state } = this.room;
    if (state.alarm === null || state.alarm === "hides") return;
    if (state.alarm === "two histories") state.isSplitKnown = true;
    state.alarm = null;
    this.room.changed();
  }
}

/**
 * Alarm (protocol §9): the server has shown us another history than somebody else. Sending stops until the person says
 * how to go on.
 */

import { encodeHex } from "@std/encoding/hex";
import type { StreamState } from "./room_state.ts";

// In the place of a member's name.
const theServer = "the server";

/** What an alarm needs of its room. */
export interface AlarmRoom {
  /** Where it is kept. */
  readonly state: Pick<StreamState, "alarm" | "alarmBy" | "ignoredViews" | "acknowledged">;
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

  /** An author's history is not ours. */
  raise(author: Uint8Array): void {
    const key = encodeHex(author);
    const { state } = this.room;
    if (state.ignoredViews.includes(key) || state.acknowledged?.includes(key)) return;
    const name = this.room.nameOf(author);
    state.alarm = name;
    state.alarmBy = key;
    this.room.changed();
    this.room.news.warn(
      `The server has shown you and ${name} different histories of this room. Nothing more is sent. ` +
        `Compare by another way with ${name}; then "/retry" goes on with what you have seen, ` +
        `and "/trust ${name}" ignores what ${name} claims from now on.`,
    );
  }

  /** The server's history is not the one that it showed us before. */
  raiseAgainstServer(text: string): void {
    this.serverLost();
    this.room.changed();
    this.room.news.warn(text);
  }

  /** The server has lost its data: told once for all its rooms, and kept with what is kept of the server. */
  serverLost(): void {
    this.room.state.alarm = theServer;
  }

  /** It is the known server again; its streams will show whether it has lost anything. */
  serverIsBack(): void {
    if (this.room.state.alarm === theServer) this.room.state.alarm = null;
  }

  /** The person goes on all the same: histories that have parted stay apart, and are not told of again. */
  acknowledge(): void {
    const { state } = this.room;
    if (state.alarm !== null && state.alarmBy) {
      state.acknowledged = [...state.acknowledged ?? [], state.alarmBy];
    }
    this.#end();
  }

  /** The person no longer cares what a member claims to have seen. */
  ignore(author: Uint8Array): void {
    this.room.state.ignoredViews.push(encodeHex(author));
    this.#end();
  }

  #end(): void {
    this.room.state.alarm = null;
    this.room.state.alarmBy = null;
    this.room.changed();
  }
}

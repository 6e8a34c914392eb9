/** Audience: all who look at a chat, as the chat itself speaks to them. */

import type { RoomEvent } from "./room_events.ts";
import type { RoomStream } from "./rooms/room_stream.ts";

/** Whom the chat tells. */
export interface Audience {
  /** Whether a person is there who can be asked. */
  readonly interactive: boolean;
  /** Something happened in a room. @param room where; null for what is in none yet */
  event(event: RoomEvent, room: RoomStream | null): void;
  /** Whether what is said in a room waits until somebody has it on the screen. */
  holds(room: RoomStream, canBeShown: boolean): boolean;
  /** How many they are. */
  readonly count: number;
  /** Whether nobody reads what is said: all of it is to wait. */
  readonly areBlind: boolean;
  /** A step on the way in. */
  progress(text: string): void;
  /** News that are no room's. */
  notice(text: string): void;
  /** Something that people must know. */
  warning(text: string): void;
}

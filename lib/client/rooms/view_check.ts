/** View checks (protocol §9): whether a member was shown the history that we were shown. */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import type { HistoryView } from "../../protocol/group/history.ts";
import type { RoomStream } from "./room_stream.ts";

/**
 * Holds an author's view, once the signature over it holds, against our own history.
 *
 * A mismatch raises the alarm and stops sending until the person says so; it is never repaired in silence.
 *
 * @returns whether the view fits, and so confirms what we have seen up to there
 */
export function checkView(room: RoomStream, author: Uint8Array, view: HistoryView): boolean {
  const { history } = room;
  const own = history!.at(view.pos);
  const isAhead = view.pos > history!.view.pos; // the author has seen more than was here before the entry
  if (own === null && !isAhead) return false; // older than what is kept: confirms nothing
  if (own !== null && equals(own, view.hash)) return true;
  const key = encodeHex(author);
  const { state } = room;
  if (state.ignoredViews.includes(key) || state.acknowledged?.includes(key)) return false;
  const name = room.nameOf(author);
  state.alarm = name;
  state.alarmBy = key;
  room.warn(
    `The server has shown you and ${name} different histories of this room. Nothing more is sent. ` +
      `Compare by another way with ${name}; then "/retry" goes on with what you have seen, ` +
      `and "/trust ${name}" ignores what ${name} claims from now on.`,
  );
  return false;
}

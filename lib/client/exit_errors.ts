/** Giving up: what a program is told when it ends without having done all that it was asked to. */

import { ChatError, exitCodes } from "../errors.ts";

/** Nobody has let us in, in the time that a program waits. */
export function notAdmitted(room: string): ChatError {
  return new ChatError(
    `Nobody has let you in to the room "${room}"`,
    "nothing was sent; your place is kept for 7 days: try again when a member is there, or wait longer with --join-timeout",
  );
}

/** Some of its lines were no messages. */
export function notSent(lines: number): ChatError {
  return new ChatError(
    lines === 1 ? "One line was not sent" : `${lines} lines were not sent`,
    "the reason stands above; whatever else you entered was stored",
  );
}

/**
 * Something waits that the server has not confirmed.
 *
 * @param alarm whether a warning stops sending
 * @param said what the server has said last; empty for nothing
 */
export function notStored(alarm: boolean, said = ""): ChatError {
  const unconfirmed = `the server has not confirmed it${
    said === "" ? "" : `, and says: ${said.replace(/\.$/, "")}`
  }`;
  const why = alarm ? "sending is stopped by a warning" : unconfirmed;
  return new ChatError(
    `Not everything was sent: ${why}`,
    'it is kept, and sent when you join again; on a terminal, "/retry" goes on in spite of a warning',
    alarm ? exitCodes.trust : exitCodes.failed,
  );
}

/** We are no longer a member. */
export function notMember(room: string): ChatError {
  return new ChatError(
    `You are no longer in the room "${room}"`,
    "if an admin put you out, only an admin can let you in again, with /invite; if you left, join again",
  );
}

/** A room at whose door we waited has ended. */
export function endedAtTheDoor(name: string): ChatError {
  return new ChatError(
    `The room "${name}" has ended before you were let in`,
    "join again: that makes a new room of that name",
  );
}

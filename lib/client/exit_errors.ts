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

/** Something waits that the server has not confirmed. @param alarm whether a warning stops sending */
export function notStored(alarm: boolean): ChatError {
  const why = alarm ? "sending is stopped by a warning" : "the server has not confirmed it";
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
    "join again if it is open; else an admin must let you in again, with /invite",
  );
}

/** The operator has ended a room at whose door we waited. */
export function endedAtTheDoor(name: string): ChatError {
  return new ChatError(
    `The operator has ended the room "${name}" before you were let in`,
    "join again: that makes a new room of that name",
  );
}

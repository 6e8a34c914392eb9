/**
 * Entering a room (protocol §11 "create", "newcomer", "return"): still in it, found and joined, or made.
 *
 * The server's word on names is held against the pins; what makes us a member is only ever a commit in the
 * room's stream.
 */

import { command } from "../../program.ts";
import { equals } from "@std/bytes/equals";
import { seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import {
  errorCodes,
  joinInfo,
  type MessageOf,
  roomFlags,
  roomKinds,
} from "../../protocol/channel/link_messages.ts";
import type { InvitePass } from "../../protocol/identity/invite.ts";
import { decodeName, encodeName, skeleton } from "../../protocol/identity/name.ts";
import { basePolicy, keyFileFlag, policies } from "../../protocol/group/roster.ts";
import type { KeyClaims } from "../trust/key_claims.ts";
import type { Connection } from "../connection/connection.ts";
import { LinkLost, RequestRefused } from "../connection/connection_errors.ts";
import { noKeyFile } from "../../protocol/group/epoch.ts";
import { makeGenesis } from "../../protocol/group/make_commit.ts";
import { MemberRoom } from "./member_room.ts";
import { liftsNothing, StillMember } from "./own_entry.ts";
import { type RoomContext, WrongKeyFile } from "./room_context.ts";
import { newRoomState } from "./room_state.ts";
import type { Audience } from "../audience.ts";
import { retryWhileLimited } from "../connection/retry_while_limited.ts";

const createTries = 4;
/** How long a member who is there has to let us in. */
const letInMs = 5_000;

/** What entering needs of the chat. */
export interface Entrance {
  /** All rooms with members at the server. */
  readonly rooms: readonly MemberRoom[];
  /** What they share. */
  readonly context: RoomContext;
  /** Shows news and warnings. */
  readonly view: Pick<Audience, "notice">;
  /** Aborted when the person goes. */
  readonly signal: AbortSignal;
  /** Whether the person accepts another room by a name. */
  readonly claims: KeyClaims;
  /** Keeps a room. */
  addRoom(room: MemberRoom): void;
  /** Forgets it. */
  dropRoom(room: MemberRoom): void;
  /** This is the room: lines go there as soon as they can. */
  take(room: MemberRoom): void;
  /** It is not to be entered. */
  refused(name: string, error: ChatError): void;
  /** Calls `check` after each job of a room. @returns ends it */
  watch(room: MemberRoom, check: () => void): () => void;
}

/** Which room is meant. */
export interface Wanted {
  /** As the person typed it. */
  readonly name: string;
  /** 32 bytes of its key file; zeros for none. */
  readonly roomKey: Bytes;
  /** Who vouches for it by an invite. */
  readonly inviter: Bytes | null;
  /** Which room the invite means; null when there is none. */
  readonly roomId: Bytes | null;
  /** By which the invite lets us in; null when it does not. */
  readonly pass: InvitePass | null;
}

/**
 * Finds the room, or makes it, or asks to be let in; the rest comes as its stream.
 *
 * @throws ChatError when it is not to be entered; LinkLost
 */
export async function enterRoom(entrance: Entrance, connection: Connection, wanted: Wanted): Promise<void> {
  const { name, pass, roomId, inviter } = wanted;
  const meant = entrance.rooms.find(({ state }) => roomId && equals(state.id, roomId));
  if (meant && pass && inviter && !meant.renewBy(pass, inviter)) {
    entrance.view.notice(liftsNothing(meant.label));
  }
  const known = entrance.rooms.find((room) =>
    room.state.status === "in" && !room.isRenewing && !room.state.retired &&
    skeleton(room.state.name) === skeleton(name) &&
    isPinned(entrance, room.state.id, name)
  );
  if (known) {
    checkKeyFile(known, wanted);
    if (await stayedIn(entrance, connection, known)) return entrance.take(known);
  }
  for (let i = 0; i < createTries; i++) {
    const info = await findRoom(connection, name);
    if (info) {
      if (await joinRoom(entrance, connection, info, wanted)) return;
      continue; // the last who was in it has gone since: now it may be made
    }
    if (wanted.roomId || pinOf(entrance, name)) throw roomGone(name);
    if (await createRoom(entrance, connection, wanted)) return;
  }
  throw new ChatError(
    `The room "${name}" is not there, and the server does not let you make it`,
    "it may have as many as it takes, from you (leave one with /leave), from your address or in all, or a full disk: " +
      "ask its operator",
  );
}

/** Whether we are still in a room we were in: removed while away, or gone by our own wish, we join anew. */
async function stayedIn(entrance: Entrance, connection: Connection, room: MemberRoom): Promise<boolean> {
  if (room.state.leaving) {
    entrance.view.notice(
      "You have asked to leave this room; you are let in again once a member has carried it out.",
    );
  }
  const decided = Promise.withResolvers<boolean>();
  let asked = false;
  const check = () => {
    const { status, leaving, alarm } = room.state;
    if (room.isCaughtUp && leaving && !asked) {
      asked = true; // the first request may have run out of its time
      room.leave().catch(() => {});
    }
    if (status === "gone") decided.resolve(false);
    else if ((room.isCaughtUp && !leaving) || room.trust.conflict || alarm) decided.resolve(true);
  };
  const unwatch = entrance.watch(room, check);
  check();
  try {
    return await Promise.race([decided.promise, lost(connection)]);
  } finally {
    unwatch();
  }
}

async function findRoom(connection: Connection, name: string): Promise<MessageOf<"ROOM_INFO"> | null> {
  try {
    return await connection.request(
      (ref) => ({ type: "ROOM_FIND", ref, name: encodeName(name) }),
      "ROOM_INFO",
    );
  } catch (error) {
    if (error instanceof RequestRefused && error.code === errorCodes.NO_ROOM) return null;
    throw error;
  }
}

/** The room known by this name; null when none is, or the person accepts another. */
function pinOf({ context, claims }: Entrance, name: string): Bytes | null {
  if (claims.names(name)) return null;
  return context.pinsRooms() ? context.known.room(context.serverId, name) : null;
}

/** Whether a room is the one known by this name, or none is known by it. */
function isPinned(entrance: Entrance, id: Bytes, name: string): boolean {
  const pinned = pinOf(entrance, name);
  return pinned === null || equals(pinned, id);
}

function roomGone(name: string): ChatError {
  return new ChatError(
    `The server does not know the room "${name}" that you know by that name`,
    `ask its operator; if it has ended, /leave in it and /join make a new one, or "${
      command(`join --room ${name} --trust ${name}`)
    }"`,
    exitCodes.trust,
  );
}

/** A client refuses a room whose flag and its own key file disagree (protocol §7.1). @throws ChatError */
function checkKeyFile(room: MemberRoom, { name, roomKey }: Wanted): void {
  const mark = room.state.keyFile ?? null;
  const given = !equals(roomKey, noKeyFile);
  if (mark === null && given) throw noKeyFileThere(name);
  if (mark !== null && !given) throw keyFileNeeded(name);
  if (mark !== null && !equals(mark, room.keyFileMark(roomKey))) throw new WrongKeyFile(name);
  room.roomKey = roomKey;
}

function keyFileNeeded(name: string): ChatError {
  return new ChatError(`The room "${name}" needs its key file`, "give it with --key FILE; a member has it");
}

function noKeyFileThere(name: string): ChatError {
  return new ChatError(
    `The room "${name}" has no key file`,
    "leave out --key, or choose another room name with --room to make a room with one",
  );
}

/** @returns false when it has ended since it was found */
async function joinRoom(
  entrance: Entrance,
  connection: Connection,
  info: MessageOf<"ROOM_INFO">,
  wanted: Wanted,
): Promise<boolean> {
  const { context } = entrance;
  const asked = wanted.name;
  const name = decodeName(info.name);
  const isInvited = wanted.roomId === null || equals(wanted.roomId, info.room);
  if (skeleton(name) !== skeleton(asked) || !isInvited || !isPinned(entrance, info.room, name)) {
    throw new ChatError(
      `The room "${asked}" is not the one you knew by that name`,
      `ask its members by another way; "${command(`join --room ${asked} --trust ${asked}`)}" accepts it, ` +
        "--room NAME chooses another",
      exitCodes.trust,
    );
  }
  const given = !equals(wanted.roomKey, noKeyFile);
  if ((info.policy & keyFileFlag) !== 0 && !given) throw keyFileNeeded(name);
  if ((info.policy & keyFileFlag) === 0 && given) throw noKeyFileThere(name);
  if (context.pinsRooms() && pinOf(entrance, name) === null) {
    // First room of this name, or accepted by the person: the admitting commit must be of this room.
    if (context.known.room(context.serverId, name)) context.known.pinRoom(context.serverId, name, info.room);
    if (entrance.claims.names(name)) entrance.claims.used();
  }
  let room = entrance.rooms.find((other) => equals(other.state.id, info.room));
  if (room && room.state.name !== "" && skeleton(room.state.name) !== skeleton(asked)) {
    throw new ChatError(
      `The server shows the room "${room.state.name}" as "${asked}"`,
      "do not use this server for either; ask its operator",
      exitCodes.trust,
    );
  }
  if (room) room.state.name ||= name; // what admits us there must bear the name that was asked for
  if (!room) {
    room = new MemberRoom(context, newRoomState(info.room, name));
    entrance.addRoom(room);
    room.connect(connection);
  }
  room.roomKey = wanted.roomKey;
  if (room.state.status !== "in") room.state.inviter = wanted.inviter;
  entrance.take(room);
  if ((info.flags & roomFlags.member) !== 0) { // its stream has begun already
    if (room.isRenewing) throw new StillMember(name);
    return true;
  }
  const { pass, inviter } = wanted;
  if (!pass || given) return await askAtTheDoor(entrance, connection, room, info, wanted);
  room.comeInBy({
    pass,
    inviter,
    refused: (error) => entrance.refused(asked, error),
    asAnybody: () => {
      askToBeLetIn(entrance, connection, room, info, wanted).catch((error) => {
        if (error instanceof LinkLost) return; // it is entered with the next connection
        if (!(error instanceof ChatError)) throw error;
        entrance.refused(asked, error);
      });
    },
  }, 0);
  return true;
}

/** Asks to be let in. @returns false when the room has ended meanwhile: what was typed for it goes into the next one */
async function askAtTheDoor(
  entrance: Entrance,
  connection: Connection,
  room: MemberRoom,
  info: MessageOf<"ROOM_INFO">,
  wanted: Wanted,
): Promise<boolean> {
  try {
    await askToBeLetIn(entrance, connection, room, info, wanted);
    return true;
  } catch (error) {
    const isGone = error instanceof RequestRefused &&
      (error.code === errorCodes.NO_ROOM || error.code === errorCodes.DENIED);
    if (!isGone || room.state.status !== "waiting") throw error;
    const there = await findRoom(connection, wanted.name);
    if (there && equals(there.room, info.room)) throw error;
    entrance.context.endedAtTheDoor(room);
    entrance.dropRoom(room);
    return false;
  }
}

/** JOIN; and in an open room nobody is waited for long. @throws ChatError, LinkLost */
async function askToBeLetIn(
  entrance: Entrance,
  connection: Connection,
  room: MemberRoom,
  info: MessageOf<"ROOM_INFO">,
  { roomKey, inviter }: Wanted,
): Promise<void> {
  const { context } = entrance;
  const name = decodeName(info.name);
  const given = !equals(roomKey, noKeyFile);
  const comeInAfter = (ms: number) => {
    const refused = (error: ChatError) => entrance.refused(name, error);
    room.comeInBy({ pass: null, inviter, refused, asAnybody: () => {} }, ms);
  };
  const join = () =>
    connection.request(
      (ref) => ({ type: "JOIN", ref, room: info.room, kind: roomKinds.ordinary, pos: 0 }),
      "DONE",
    );
  const { info: answer } = await retryWhileLimited(
    { clock: context.clock, signal: entrance.signal },
    join,
    () =>
      entrance.view.notice(
        `The server does not let you ask for a place in "${name}" now. It is tried again.`,
      ),
  );
  if (answer === joinInfo.nobody && given) {
    entrance.view.notice(
      `Nobody is here who could let you in to "${name}". Your place is kept: you are in as soon as a member comes.`,
    );
  } else if (answer === joinInfo.nobody) {
    entrance.view.notice(`Nobody is here who could let you in to "${name}": you come in by yourself.`);
    comeInAfter(0);
  } else if (answer === joinInfo.closed && basePolicy(info.policy) === policies.open) {
    entrance.view.notice(
      `You were put out of "${name}": only an admin of it can let you in again, with ` +
        `/invite ${context.card.name}. You are in as soon as that is done.`,
    );
  } else if (answer === joinInfo.closed) {
    entrance.view.notice(
      `The room "${name}" is closed: only an admin of it can let you in, with /invite ${context.card.name}. ` +
        "You are in as soon as that is done.",
    );
  } else if (answer === joinInfo.asked) {
    entrance.view.notice(`A member of "${name}" is asked to let you in.`);
    if (!given) comeInAfter(letInMs);
  }
}

/** @returns false when somebody else was faster */
async function createRoom(
  entrance: Entrance,
  connection: Connection,
  { name, roomKey }: Wanted,
): Promise<boolean> {
  const { context } = entrance;
  const author = { ...context, now: seconds(context.clock) };
  const { id, pending } = makeGenesis(author, name, roomKey);
  const room = new MemberRoom(context, { ...newRoomState(id, name), pendingCommit: pending });
  room.roomKey = roomKey;
  entrance.addRoom(room);
  room.connect(connection);
  room.replacesPin = entrance.claims.names(name); // the person has accepted that the old one is gone
  if (await Promise.race([room.create(), lost(connection)])) {
    if (room.replacesPin) entrance.claims.used();
    entrance.take(room);
    return true;
  }
  entrance.dropRoom(room);
  return false;
}

function lost(connection: Connection): Promise<never> {
  return connection.over.then(() => {
    throw new LinkLost();
  });
}

/**
 * EntryProcessor: takes the entries of a room with a roster through the group core: gets what the core needs, keeps what
 * the next state rests on, takes that state over, and carries out what follows.
 */

import { command } from "../../program.ts";
import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import { seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { boxDecryptor, BoxUnreadable, openBox } from "../../protocol/group/box.ts";
import type { Commit } from "../../protocol/group/commit.ts";
import type { Need, NotEntered, Processed } from "../../protocol/group/effects.ts";
import type { Entry, Facts, Opened } from "../../protocol/group/group_state.ts";
import { entryKinds } from "../../protocol/group/history.ts";
import { process } from "../../protocol/group/process.ts";
import { openEpoch } from "../../protocol/group/process_commit.ts";
import type { Connection } from "../connection/connection.ts";
import { RequestRefused } from "../connection/connection_errors.ts";
import { carryOut, type EffectsRoom } from "./carry_out.ts";
import { type RoomContext, ServerFault, WrongKeyFile } from "./room_context.ts";
import type { RoomState } from "./room_state.ts";
import type { RoomTrust } from "./room_trust.ts";

/** The room whose entries they are. */
export interface ProcessedRoom extends EffectsRoom {
  /** Cards, pins, keys. */
  readonly context: RoomContext;
  /** 32 bytes of the room key file; zeros for none. */
  readonly roomKey: Bytes;
  /** The person has accepted that another room has this name. */
  readonly replacesPin: boolean;
  /** The last position that the server has named; null before that. */
  readonly target: number | null;
  /** Waits for cards and for the person. */
  readonly trust: RoomTrust;
  /** A request that ends with the connection. @throws RequestRefused, LinkLost */
  request: Connection["request"];
  /** The job that runs waits. @throws LinkLost */
  pause(ms: number): Promise<void>;
  /** The commits from what we were shown up to an epoch are had, and judged. @throws ServerFault, LinkLost */
  followTo(epoch: number): Promise<void>;
  /** The state must be stored. */
  changed(): void;
  /** Does not enter the room. */
  refuse(why: string | null): void;
}

/** The entries of one room. */
export class EntryProcessor {
  /** @param room whose they are */
  constructor(private readonly room: ProcessedRoom) {}

  /** Has the group core process one entry, gets what it needs, and carries out what follows. @throws LinkLost */
  async process(entry: Entry, address: string): Promise<void> {
    await this.#through((facts) => process(this.room.state, entry, facts), entry, address);
  }

  /** Opens the current epoch's box, if it was left closed on the way here. @throws LinkLost */
  async openEpoch(): Promise<void> {
    if (!this.room.state.unopened) return;
    await this.#through((facts) => openEpoch(this.room.state, facts), null, "");
    this.room.changed(); // what it has come to is not found out again
  }

  async #through(
    step: (facts: Facts) => Processed<RoomState>,
    entry: Entry | null,
    address: string,
  ): Promise<void> {
    const { room } = this;
    const opened = new Map<string, Opened>();
    for (;;) {
      const result = step(this.#facts(opened, entry));
      switch (result.type) {
        case "need":
          await this.#provide(result.need, opened);
          continue;
        case "fault":
          throw new ServerFault(result.why);
        case "wrong key file":
          throw new WrongKeyFile(result.roomName);
        case "not entered":
          return room.refuse(notEntered(result.why, result.roomName));
        case "done":
          // What the new state rests on is kept first: if that fails, nothing has moved, and the entry comes again.
          if (entry?.kind === entryKinds.commit) this.#keepTrust(result.state);
          Object.assign(room.state, result.state);
          for (const effect of result.effects) carryOut(room, effect, address);
          return;
      }
    }
  }

  #facts(opened: ReadonlyMap<string, Opened>, entry: Entry | null): Facts {
    const { card, serverId, serverKey, site, directory, known, clock } = this.room.context;
    return {
      own: card.id,
      site,
      server: serverKey,
      cards: directory.card,
      roomKey: this.room.roomKey,
      now: seconds(clock),
      isBehind: entry !== null && entry.pos < (this.room.target ?? 0),
      pinnedRoom: (name) => this.#pinnedRoom(name),
      conflicts: ({ name, id }) => known.conflicts(serverId, name, id),
      opened: (hash) => opened.get(encodeHex(hash)),
      waiting: (bytes) =>
        this.room.state.outbox.find((item) => item.sealed !== null && equals(item.sealed.bytes, bytes)) ??
          null,
    };
  }

  /** The room that is known by a name, and no other may be entered by; null for any. */
  #pinnedRoom(name: string): Bytes | null {
    const { known, serverId, pinsRooms } = this.room.context;
    return !this.room.replacesPin && pinsRooms() ? known.room(serverId, name) : null;
  }

  async #provide(need: Need, opened: Map<string, Opened>): Promise<void> {
    switch (need.type) {
      case "cards":
        return await this.room.trust.needCards(need.ids);
      case "trust":
        return await this.room.trust.needPins(need.people);
      case "chain":
        return await this.room.followTo(need.to);
      case "box":
        opened.set(encodeHex(need.hash), await this.#openBox(need.hash, need.commit));
    }
  }

  async #openBox(hash: Bytes, commit: Commit): Promise<Opened> {
    const { card, identity, prekeys, unaskedOpenings } = this.room.context;
    const openings = this.room.state.unasked ? unaskedOpenings : this.room.context.openings;
    for (let waitMs; (waitMs = openings.takeOrWaitMs()) > 0;) await this.room.pause(waitMs);
    try {
      const { box } = await this.room.request((ref) => ({ type: "BOX_GET", ref, hash }), "BOX");
      return await openBox(box, hash, commit, card.id, prekeys.find, boxDecryptor(identity.rsa));
    } catch (error) {
      if (error instanceof RequestRefused) return "withheld";
      if (!(error instanceof BoxUnreadable)) throw error;
      return error.isAnother ? "withheld" : "does not open";
    }
  }

  /** Cards and pins of everybody in a room, and the room's own by its name. @throws FileTrouble */
  #keepTrust({ head, status }: Pick<RoomState, "head" | "status">): void {
    const { directory, known, serverId, pinsRooms } = this.room.context;
    directory.save();
    if (!head) return;
    this.room.trust.keepPins(head.roster);
    const { roomName } = head;
    const isNew = this.room.state.status !== "in" && status === "in" && roomName !== "" && pinsRooms();
    if (isNew && !this.#pinnedRoom(roomName)) known.pinRoom(serverId, roomName, head.room);
  }
}

function notEntered(why: NotEntered, name: string): string {
  switch (why) {
    case "another room has its name":
      return `Another room than the known one is called ${name}; it is not entered.`;
    case "needs its key file":
      return `The room ${name} needs its key file; it is not entered. "${
        command(`join --room ${name} --key FILE`)
      }" enters it.`;
    case "has no key file":
      return `The room ${name} has no key file, but you gave one; it is not entered.`;
  }
}

/**
 * Admissions (protocol §7.1): newcomers who wait, leaves that wait, and which member is asked to commit.
 *
 * One member at a time is asked; the next after three seconds; a new round after each commit, the arrival
 * of a member, or thirty seconds, and never more than two a second: whoever asks again and again asks once. Servers that
 * share a room go through its members in the same order, and each asks those who are linked to it: who is asked twice
 * all the same loses a race, and nothing else.
 */

import { encodeHex } from "../../hex.ts";
import { equals } from "@std/bytes/equals";
import type { Bytes } from "../../crypto/bytes.ts";
import type { Peer } from "./peer.ts";
import type { RoomHost } from "./room_log.ts";
import { maxMembers } from "../../protocol/group/roster.ts";
import { seconds } from "../../clock.ts";

const nextMemberMs = 3_000;
const nextRoundMs = 30_000;
const roundsApartMs = 500;
/** Who waits and asks again keeps the place; after so long the wait is counted anew. */
const renewJoinSeconds = 86_400;
const joinLifeSeconds = 7 * 86_400;
const maxJoins = maxMembers;
const maxAdmitted = 32;

/** A member who is there. */
export interface ActiveMember {
  /** 32 bytes. */
  readonly id: Bytes;
  /** The link; null: another server has it, and asks her when it is her turn. */
  readonly peer: Peer | null;
}

/** What admissions need of their room. */
export interface AdmittingRoom {
  /** Room id. */
  readonly id: Bytes;
  /** Nothing more is taken. */
  readonly isRetired: boolean;
  /** Whether it is a room of two. */
  readonly isDirect: boolean;
  /** Whether nobody more fits in. */
  readonly isFull: boolean;
  /** Who of the newcomers a member may add. */
  addableBy(id: Uint8Array, newcomers: Bytes[]): Bytes[];
  /** Members who can be asked to commit, in order of the roster. */
  activeMembers(): ActiveMember[];
}

/** The waiting list of one room. */
export class Admissions {
  /** Ids in hex. */
  #asked = new Set<string>();
  /** Who was asked last, and may still answer. */
  #askedNow: ActiveMember | null = null;
  #cancel: () => void = () => {};
  #roundMs = -Infinity;
  /** The round that is to begin asks all again. */
  #isAnew = false;
  /** Forgets the round that is to begin; null while there is none. */
  #cancelRound: (() => void) | null = null;

  /** @param room whose waiting list it is */
  constructor(private readonly room: AdmittingRoom, private readonly host: RoomHost) {}

  /** Adds somebody to the waiting list; beyond what a room can hold the oldest is dropped. Called by the journal's follower only. */
  applyJoin(id: Bytes, timeMs: number): void {
    const { store } = this.host;
    store.putJoin(this.room.id, id, Math.floor(timeMs / 1000));
    const joins = store.joins(this.room.id);
    for (const { id: old } of joins.slice(0, Math.max(0, joins.length - maxJoins))) {
      store.dropJoin(this.room.id, old);
    }
  }

  /** Whether somebody waits already, and need not be written down again. */
  isWaiting(id: Bytes): boolean {
    const since = seconds(this.host.clock) - renewJoinSeconds;
    return this.host.store.joins(this.room.id).some((join) => join.time > since && equals(join.id, id));
  }

  /** Asks anew, beginning with the first member; soon, if it has just been done. */
  newRound(): void {
    this.#isAnew = true;
    this.#soon();
  }

  /** Somebody more waits: who is being asked hears of her, and the round goes on. */
  goOn(): void {
    this.#soon();
  }

  #soon(): void {
    if (this.#cancelRound) return;
    const { clock } = this.host;
    const waitMs = this.#roundMs + roundsApartMs - clock.now();
    // A clock that was set back must not put it off.
    if (waitMs <= 0 || waitMs > roundsApartMs) return this.#begin();
    this.#cancelRound = clock.after(waitMs, () => {
      this.#cancelRound = null;
      this.#begin();
    });
  }

  #begin(): void {
    if (!this.#isAnew && this.#askedNow) return this.#tell(this.#askedNow, this.#waiting());
    this.#isAnew = false;
    this.#asked.clear();
    this.#ask();
  }

  #tell({ id, peer }: ActiveMember, ids: Bytes[]): void {
    this.#roundMs = this.host.clock.now();
    peer?.send({ type: "ADMIT", room: this.room.id, ids: this.room.addableBy(id, ids) });
  }

  #ask(): void {
    this.#cancel();
    this.#askedNow = null;
    if (this.room.isRetired) return;
    const ids = this.#waiting();
    const leaves = this.host.store.leaves(this.room.id);
    if (ids.length === 0 && leaves.length === 0) return;
    this.#roundMs = this.host.clock.now();
    const isLeaving = (member: ActiveMember) => leaves.some((leave) => equals(leave.id, member.id));
    const active = this.room.activeMembers();
    // Members who are leaving are asked last: they may be the only ones here.
    // Only an admin can let in to a closed room, or who was put out.
    const able = leaves.length > 0
      ? active
      : active.filter(({ id }) => this.room.addableBy(id, ids).length > 0);
    const candidates = [...able.filter((each) => !isLeaving(each)), ...able.filter(isLeaving)];
    const next = candidates.find(({ id }) => !this.#asked.has(encodeHex(id)));
    if (next) {
      this.#asked.add(encodeHex(next.id));
      this.#askedNow = next;
      this.#tell(next, ids);
      this.#cancel = this.host.clock.after(nextMemberMs, () => this.#ask());
    } else if (candidates.length > 0) {
      this.#cancel = this.host.clock.after(nextRoundMs, () => this.newRound());
    }
  }

  #waiting(): Bytes[] {
    if (this.room.isDirect || this.room.isFull) return [];
    const oldest = seconds(this.host.clock) - joinLifeSeconds;
    const waiting = this.host.store.joins(this.room.id).filter((join) => join.time > oldest);
    // The first and the last: who crowds the line must not hide who comes after.
    const some = waiting.length <= maxAdmitted
      ? waiting
      : [...waiting.slice(0, maxAdmitted / 2), ...waiting.slice(-maxAdmitted / 2)];
    return some.map((join) => join.id);
  }

  /** Forgets its timers: the server shuts down. */
  stop(): void {
    this.#cancel();
    this.#cancelRound?.();
  }
}

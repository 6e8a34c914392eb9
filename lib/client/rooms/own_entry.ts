/**
 * OwnEntry: how somebody comes in whom no member lets in (protocol §7.6). What the server shows of the room's chain is
 * followed, from the commit that an invite names, or from the newest; then she makes the commit that adds her.
 */

import { equals } from "@std/bytes/equals";
import { seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { signingKey } from "../../crypto/ed25519.ts";
import { ChatError, exitCodes, unlessRefused } from "../../errors.ts";
import { command } from "../../program.ts";
import { errorCodes, type MessageOf, newestEpoch } from "../../protocol/channel/link_messages.ts";
import { type Commit, parseCommit } from "../../protocol/group/commit.ts";
import {
  type BrokenRule,
  cardsNeeded,
  checkListing,
  checkNewest,
  type RoomHead,
} from "../../protocol/group/commit_rules.ts";
import type { SignedView } from "../../protocol/group/history.ts";
import { type MadeCommit, makeEntry } from "../../protocol/group/make_commit.ts";
import { encodeUse, isPassFor, type PassUse, usePass } from "../../protocol/group/pass.ts";
import { findMember, includesId, maxMembers, policies } from "../../protocol/group/roster.ts";
import { beginShown, followShown, isSameListing, type Shown, shownAs } from "../../protocol/group/shown.ts";
import { isHeadSigned } from "../../protocol/group/signed_head.ts";
import type { InvitePass } from "../../protocol/identity/invite.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import type { Connection } from "../connection/connection.ts";
import { RequestRefused } from "../connection/connection_errors.ts";
import { type RoomContext, ServerFault } from "./room_context.ts";
import { Respite } from "./respite.ts";
import type { RoomNews } from "./room_news.ts";
import type { RoomState } from "./room_state.ts";
import type { RoomTrust } from "./room_trust.ts";

/** Commits that are asked for at once. */
const askedAtOnce = 16;
/** A room takes one commit a second: many who come in at once try again and again, one of them wins each time. */
const retryMs = 700;
const passTries = 40;
/** In an open room a member lets us in as soon as one is there. */
const openTries = 5;
const maxBackoffMs = 60_000;
/** Somebody was faster: in an open room she may let us in by now, and all who wait with us. */
const openConflictMs = 1_000;
const openJitterMs = 2_000;
const passJitterMs = 500;
/** How long a stream that was begun may take. */
const streamMs = 5_000;

/** By what somebody wants to come in. */
export interface EntryWish {
  /** An invite that lets her in; null: the room is open. */
  readonly pass: InvitePass | null;
  /** Who has made it. */
  readonly inviter: Bytes | null;
  /** She is not to come in by herself. @param error why, and what to do */
  refused(error: ChatError): void;
  /** The pass is not listed any more, and the room is open: she comes in as anybody does. */
  asAnybody(): void;
}

/** What is needed of the room. */
export interface EnteredRoom {
  /** Keys, cards, pins, clock. */
  readonly context: RoomContext;
  /** As far as it is known. */
  readonly state: RoomState;
  /** What people call it. */
  readonly label: string;
  /** The old stay cannot be trusted any more, and is to be given up for the invite's. */
  readonly isRenewing: boolean;
  /** @throws LinkLost when there is none */
  readonly linked: Connection;
  /** Waits for cards and for the person. */
  readonly trust: Pick<RoomTrust, "needCards" | "needPins">;
  /** Where the person is told. */
  readonly news: Pick<RoomNews, "notice" | "noticeOnce">;
  /** A request that ends with the connection. @throws RequestRefused, LinkLost */
  request: Connection["request"];
  /** The state must be stored. */
  changed(): void;
  /** Runs a job. */
  schedule(): void;
}

/** Comes in to one room. */
export class OwnEntry {
  #wish: EntryWish | null = null;
  readonly #respite: Respite;
  #tries = 0;

  /** @param room which one */
  constructor(private readonly room: EnteredRoom) {
    this.#respite = new Respite(room.context.clock, () => room.schedule());
  }

  /** She wants to come in, unless somebody lets her in before. @param afterMs from now */
  wish(wish: EntryWish, afterMs: number): void {
    this.#wish = wish;
    this.#tries = 0;
    this.#respite.begin(afterMs);
  }

  /** It is not wanted any more, or has come about. */
  drop(): void {
    this.#wish = null;
    this.#respite.end();
  }

  /** Whether it is to be tried now. */
  get isDue(): boolean {
    return this.#wish !== null && !this.#respite.isOn;
  }

  /** Whether it is wanted. */
  get isWished(): boolean {
    return this.#wish !== null;
  }

  /** Makes the commit. @returns null when she is not to come in now, which is told @throws LinkLost, ServerFault */
  async make(): Promise<MadeCommit | null> {
    const wish = this.#wish!;
    try {
      return await this.#make(wish);
    } catch (error) {
      if (error instanceof RequestRefused) this.#shutOut(wish, error.code);
      else if (error instanceof EntryRefused) this.#stop(wish, error);
      else throw error;
      return null;
    }
  }

  async #make(wish: EntryWish): Promise<MadeCommit | null> {
    const { state, context, linked, label, news, trust, isRenewing } = this.room;
    const { card, site, clock, directory } = context;
    const use = wish.pass && usePass(signingKey(wish.pass.seed), site, state.id, card.id);
    const { view, commit } = await this.#newest(use);
    const shown = await this.#follow(commit, wish, use);
    const { head } = shown;
    if (findMember(head.roster, card.id)) {
      if (isRenewing) throw new StillMember(label);
      this.#respite.begin(streamMs); // the stream that begins with our admission is on its way
      return null;
    }
    state.shown = shown;
    if (shown.listed) state.inviter = null; // it is she who has signed this
    this.room.changed();
    const now = seconds(clock) - (linked.clockDifference ?? 0);
    const pass = use && head.passes.find(({ key }) => equals(key, use.key));
    if (use && !(pass && isPassFor(pass, card.name, now))) {
      if (head.policy !== policies.open || isRenewing || state.isGivenUp) throw new InviteVoid(label);
      this.drop();
      wish.asAnybody();
      return null;
    }
    const obstacle = obstacleOf(head, use !== null, context);
    if (obstacle !== null) {
      this.drop();
      news.notice(obstacle);
      return null;
    }
    await trust.needPins(head.roster);
    const others = head.roster.map(({ id }) => id);
    const prekeys = await directory.fetchPrekeys(linked, others);
    return await makeEntry({ ...context, now }, { head, view, use }, prekeys, directory.card);
  }

  /** The newest commit, and where the server has signed that the room stands. @throws RequestRefused, ServerFault */
  async #newest(use: PassUse | null): Promise<{ readonly commit: Commit; readonly view: SignedView }> {
    const { state: { id }, context: { site, serverKey } } = this.room;
    const { commit, pos, hash, signature } = await this.#get(newestEpoch, use);
    if (!isHeadSigned({ site, room: id }, { pos, hash }, signature, serverKey)) {
      throw new ServerFault("it has not signed where the room stands");
    }
    return { commit: parsed(commit), view: { pos, hash, headSig: signature } };
  }

  #get(epoch: number, use: PassUse | null): Promise<MessageOf<"CHAIN">> {
    const { id: room } = this.room.state;
    return this.room.request(
      (ref) => ({ type: "CHAIN_GET", ref, room, epoch, use: encodeUse(use) }),
      "CHAIN",
    );
  }

  async #commitOf(epoch: number, use: PassUse | null): Promise<Commit> {
    return parsed((await this.#get(epoch, use)).commit);
  }

  /** Goes on from what we were shown to the newest commit. @throws RequestRefused, ServerFault, InviteMisfit */
  async #follow(newest: Commit, wish: EntryWish, use: PassUse | null): Promise<Shown> {
    const { state } = this.room;
    const begun = await this.#begin(newest, wish, use, state.shown ?? null);
    if (!begun || newest.epoch < Math.max(begun.head.epoch, begun.through?.epoch ?? 0)) throw goesBack();
    const shown = await this.#goOn(begun, newest.epoch, use);
    if (!isAt(shown, newest)) throw goesBack();
    return shown;
  }

  /** Where the chain begins for us: by the invite, else where we were or have been, else at the newest. */
  async #begin(
    newest: Commit,
    { pass, inviter }: EntryWish,
    use: PassUse | null,
    before: Shown | null,
  ): Promise<Shown | null> {
    const { state, trust, label } = this.room;
    if (pass && use && inviter) {
      const listed = { epoch: pass.epoch, pass: use.key, inviter };
      if (before && isSameListing(before.listed, listed)) return before;
      const listing = pass.epoch === newest.epoch ? newest : await this.#commitOf(pass.epoch, use);
      await trust.needCards([...cardsNeeded(listing), inviter]);
      const broken = checkListing(listing, { room: state.id, lister: inviter, pass: use.key }, this.#facts);
      if (broken) throw new InviteMisfit(label);
      return beginShown(listing, listed, before, state.head);
    }
    if (before) return before;
    // Who has been in the room goes on from there, unless that cannot be trusted.
    if (state.head && !state.isGivenUp) return shownAs(state.head);
    await trust.needCards(cardsNeeded(newest));
    refuseBroken(checkNewest(newest, state.id, this.#facts));
    return beginShown(newest, null, null, state.head);
  }

  /** Commit by commit, each by the rules. @throws RequestRefused, ServerFault, LinkLost */
  async #goOn(from: Shown, epoch: number, use: PassUse | null): Promise<Shown> {
    let shown = from;
    for (let at; (at = shown.head.epoch + 1) <= epoch;) {
      const epochs = Array.from({ length: Math.min(askedAtOnce, epoch + 1 - at) }, (_, i) => at + i);
      for (const commit of await Promise.all(epochs.map((each) => this.#commitOf(each, use)))) {
        await this.room.trust.needCards(cardsNeeded(commit));
        const next = followShown(shown, commit, this.#facts);
        if (!next) throw goesBack();
        if ("rule" in next) throw notValid(next);
        shown = next;
      }
    }
    return shown;
  }

  /** What we were shown goes on to an epoch, since what admits us follows later. @throws ServerFault, LinkLost */
  async followTo(epoch: number): Promise<void> {
    const { state } = this.room;
    state.shown = await this.#goOn(state.shown!, epoch, null);
    this.room.changed();
  }

  get #facts() {
    const { site, directory } = this.room.context;
    return { site, cards: directory.card };
  }

  /** Our commit was refused. */
  refused(code: number): void {
    const wish = this.#wish;
    if (!wish) return;
    const { context: { random }, news } = this.room;
    const [a, b] = random(2);
    const part = (a * 256 + b) / 65_536;
    if (code === errorCodes.CONFLICT) {
      return this.#respite.begin(wish.pass ? part * passJitterMs : openConflictMs + part * openJitterMs);
    }
    if (code === errorCodes.DENIED) return this.#shutOut(wish, code);
    const slower = 2 ** Math.max(0, ++this.#tries - (wish.pass ? passTries : openTries));
    if (slower === 2) {
      news.noticeOnce("The server does not let you come in by yourself for now. It is tried again.");
    }
    this.#respite.begin(Math.min(maxBackoffMs, retryMs * slower) * (1 + part));
  }

  /** The server does not show us the chain, or takes no entry of ours. */
  #shutOut(wish: EntryWish, code: number): void {
    const { label, news } = this.room;
    if (code === errorCodes.NOT_FOUND && wish.pass) return this.#stop(wish, new InviteMisfit(label));
    if (code === errorCodes.DENIED && wish.pass) return this.#stop(wish, new InviteVoid(label));
    this.drop();
    news.notice(
      code === errorCodes.DENIED
        ? `${label} lets nobody come in by themselves now: a member, or an admin, can let you in.`
        : `The server does not show ${label} any more: you wait to be let in.`,
    );
  }

  #stop(wish: EntryWish, error: ChatError): void {
    this.drop();
    wish.refused(error);
  }
}

/** Why somebody cannot come in by herself, by the room as it was shown; null for nothing. */
function obstacleOf(head: RoomHead, isByPass: boolean, { card }: RoomContext): string | null {
  const { policy, roster, bans, roomName } = head;
  const same = roster.find(({ name }) => skeleton(name) === skeleton(card.name));
  if (same) {
    return `${same.name} is in ${roomName} already, with another key than yours. "${
      command("join -u NAME")
    }" takes another name; if the other key is yours and lost, an admin can /kick ${same.name}.`;
  }
  if (roster.length >= maxMembers) return `${roomName} has as many members as a room may.`;
  if (includesId(bans, card.id)) {
    return `You were put out of ${roomName}: only an admin of it can let you in again, with /invite ${card.name}.`;
  }
  if (isByPass || policy === policies.open) return null;
  return `Only a member, or an admin where it is closed, can let you in to ${roomName}.`;
}

/** @throws ServerFault when a server gives what is no commit */
function parsed(bytes: Bytes): Commit {
  const commit = unlessRefused(() => parseCommit(bytes));
  if (!commit) throw new ServerFault("it has shown as a commit what is none");
  return commit;
}

function refuseBroken(broken: BrokenRule | null): void {
  if (broken) throw notValid(broken);
}

function notValid({ rule, why }: BrokenRule): ServerFault {
  return new ServerFault(`it has shown a commit that is not valid (rule ${rule}: ${why})`);
}

/** Whether a chain was followed to a commit. */
function isAt({ head }: Shown, commit: Commit): boolean {
  return equals(head.commitHash, commit.hash);
}

function goesBack(): ServerFault {
  return new ServerFault("it has shown another chain of this room before");
}

/** Why an invite is of no use in a room that cannot be trusted any more. @param label of the room */
export function liftsNothing(label: string): string {
  return `The invite does not lift the warning about ${label}: it is no newer than what you were shown, or is not of an ` +
    "admin whom you know as one.";
}

/** Somebody is not to come in by herself; trying again does not mend it. */
class EntryRefused extends ChatError {}

/** The pass of an invite is not listed any more. */
class InviteVoid extends EntryRefused {
  /** @param room its name */
  constructor(room: string) {
    super(
      `The invite to "${room}" lets nobody in any more`,
      "it was used or taken back, is for another name, its time is over, or an admin has put you out: whoever sent it " +
        "can make another with /invite --pass",
    );
  }
}

/** What an invite says of a room is not so. */
class InviteMisfit extends EntryRefused {
  /** @param room its name */
  constructor(room: string) {
    super(
      `The invite does not fit the room "${room}" that the server shows`,
      "whoever it names has not let you in there: ask who sent it, by another way",
      exitCodes.trust,
    );
  }
}

/** Whoever the room still has as a member cannot enter it. */
export class StillMember extends EntryRefused {
  /** @param room its name */
  constructor(room: string) {
    super(
      `You are on the list of members of "${room}" still`,
      "an admin can put you out with /kick --return, and send you another invite",
    );
  }
}

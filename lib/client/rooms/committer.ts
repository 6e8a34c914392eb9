/**
 * Committer: when a room is due for a commit of ours, and how one is sent (protocol §7.1, §7.4).
 *
 * A commit is due when the server asks for newcomers or leavers, before sending into an old epoch, after an
 * epoch that we cannot read, and after signs of a restored backup. The commit and its secret are stored
 * before it is sent, and nothing is sent into the room until it is answered.
 */

import { seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { fingerprint } from "../../crypto/identity.ts";
import { type Card, roles } from "../../protocol/identity/card.ts";
import { errorCodes, type LinkMessage } from "../../protocol/channel/link_messages.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import { maxBans } from "../../protocol/group/commit.ts";
import { basePolicy, findMember, includesId, maxMembers, policies } from "../../protocol/group/roster.ts";
import { RequestRefused } from "../connection/connection_errors.ts";
import {
  carriedOut,
  type Change,
  type MadeCommit,
  makeSuccessor,
  succession,
} from "../../protocol/group/make_commit.ts";
import { type RoomContext, ServerFault } from "./room_context.ts";
import { Respite } from "./respite.ts";
import type { RoomNews } from "./room_news.ts";
import type { RoomTrust } from "./room_trust.ts";
import type { RoomState } from "./room_state.ts";
import type { Connection } from "../connection/connection.ts";
import { equals } from "@std/bytes/equals";

const maxEpochSeconds = 24 * 3600;
const maxEpochMessages = 10_000;
// As often as the server lets a member commit: whoever locks others out has no more turns than they have.
const refreshEveryMs = 20_000;
/** Everybody who was left without a key waits a while of their own: one refresh mends it for all. */
const refreshJitterMs = 2_000;
const firstBackoffMs = 1_000;
const maxBackoffMs = 60_000;
const conflictJitterMs = 500;

const refresh: Change = { add: [] };

/** What committing needs of its room. */
export interface CommittingRoom {
  /** Clock, randomness, keys, cards and pins. */
  readonly context: RoomContext;
  /** As its log has left it. */
  readonly state: RoomState;
  /** 32 bytes of its key file; zeros for none. */
  readonly roomKey: Bytes;
  /** The room asks for a key file that we do not have. */
  readonly lacksKeyFile: boolean;
  /** Whether we are an admin of it. */
  readonly isAdmin: boolean;
  /** @throws LinkLost when there is none */
  readonly linked: Connection;
  /** Where a key that stands against a known one is noted. */
  readonly trust: Pick<RoomTrust, "conflict">;
  /** Where the person is told. */
  readonly news: Pick<RoomNews, "notice" | "noticeOnce" | "warn" | "warnOnce">;
  /** A request that ends with the connection. @throws RequestRefused, LinkLost */
  request: Connection["request"];
  /** Runs a job. */
  schedule(): void;
  /** Stores, shows, then sends. */
  flush(send: () => void): void;
  /** Stores only. @throws FileTrouble */
  store(): void;
}

/** The committing side of one room. */
export class Committer {
  #admit: Bytes[] | null = null;
  #keptOut: Bytes[] = [];
  #ref: number | null = null;
  /** Told what has become of the commit by which we come in: null for stored, else why it was refused. */
  #entry: ((refusal: number | null) => void) | null = null;
  #unlock: () => void = () => {};
  readonly #respite: Respite;
  #backoffMs = 0;
  #lastRefreshMs = -Infinity;
  /** The epoch that we have no key of, and when we do something about it. */
  #locked = { epoch: -1, fromMs: 0 };
  #wish: Required<Change> | null = null;

  /** @param room whose committer it is */
  constructor(private readonly room: CommittingRoom) {
    this.#respite = new Respite(room.context.clock, () => room.schedule());
  }

  /** The connection is over: whatever was asked or sent comes up again. */
  reset(): void {
    this.#admit = this.#ref = this.#entry = null;
    this.#unlock();
  }

  /** The server asks for these newcomers, and for pending leaves. */
  admit(ids: Bytes[]): void {
    this.#admit = ids;
  }

  /** Whether a commit of ours waits for its answer: nothing is sent until then. */
  get isWaiting(): boolean {
    return this.#ref !== null;
  }

  /** Requests a change; it is kept until it is applied, or impossible. */
  wish({ add, remove = [], ban = [], unban = [], pass = [], revoke = [], policy }: Change): void {
    const before = this.#wish;
    this.#respite.end(); // what was refused before was another change
    const added = add.map(({ id }) => id);
    this.#wish = {
      add: [...(before?.add ?? []).filter(({ id }) => !includesId(ban, id)), ...add],
      remove: [...before?.remove ?? [], ...remove],
      // The last word on somebody counts.
      ban: [...without(before?.ban ?? [], [...unban, ...added]), ...ban].slice(-maxBans),
      unban: [...without(before?.unban ?? [], ban), ...unban],
      pass: [...before?.pass ?? [], ...pass],
      revoke: [...before?.revoke ?? [], ...revoke],
      policy: policy ?? before?.policy ?? -1,
    };
  }

  /** Whether a requested change is still pending. */
  get hasWish(): boolean {
    return this.#wished() !== null;
  }

  /** What of the requested change is still to be done, by the room as it is now. */
  #wished(): Change | null {
    const { head, leaving } = this.room.state;
    if (!this.#wish || !head || leaving) return null;
    const { roster, bans } = head;
    const isClosed = basePolicy(head.policy) === policies.closed;
    const { isAdmin } = this.room;
    const names = new Set(roster.map((m) => skeleton(m.name)));
    // Nobody is added twice, even if asked for twice or under two look-alike names.
    const isNew = ({ id, name }: Card) => {
      if (findMember(roster, id) || names.has(skeleton(name))) return false;
      names.add(skeleton(name));
      return true;
    };
    const mayAdd = ({ id }: Card) => isAdmin || (!isClosed && !includesId(bans, id));
    const add = this.#wish.add.filter(mayAdd).filter(isNew).slice(0, maxMembers - roster.length);
    const out = [...this.#wish.remove, ...this.#wish.ban];
    const remove = isAdmin ? out.filter((id) => findMember(roster, id)) : [];
    const { policy } = this.#wish;
    const ban = isAdmin ? this.#wish.ban.filter((id) => !includesId(bans, id)) : [];
    const unban = isAdmin ? this.#wish.unban.filter((id) => includesId(bans, id)) : [];
    const pass = isAdmin ? this.#wish.pass : [];
    const revoke = isAdmin ? this.#wish.revoke.filter((key) => this.#isListed(key)) : [];
    const some = [add, remove, ban, unban, pass, revoke].some((list) => list.length > 0);
    const changesPolicy = isAdmin && policy >= 0 && policy !== basePolicy(head.policy);
    if (!some && !changesPolicy) {
      this.#wish = null;
      return null;
    }
    const change = { add, remove, ban, unban, pass, revoke };
    return changesPolicy ? { ...change, policy } : change;
  }

  #isListed(key: Bytes): boolean {
    return this.room.state.head!.passes.some((pass) => equals(pass.key, key));
  }

  /**
   * What a commit is due for now.
   *
   * @param sending whether a message waits to be sent
   * @returns null for nothing
   * @throws LinkLost
   */
  async due(sending: boolean): Promise<Change | null> {
    const { state, context } = this.room;
    if (this.room.lacksKeyFile) return null;
    const wished = this.#wished();
    if (wished) return wished;
    const asked = this.#admit && await this.#wanted(this.#admit);
    if (asked) return asked;
    // Newcomers kept out by a pinned key may come in once the new key is accepted.
    this.#admit = this.#keptOut.length > 0 ? this.#keptOut : null;
    if (state.leaving) return null; // who goes commits for others only
    if (state.suspect) return refresh;
    const age = seconds(context.clock) - state.commitTime;
    const old = age > maxEpochSeconds || state.epochMessages >= maxEpochMessages;
    if (sending && (old || carriedOut(state, context.card.id).length > 0)) return refresh;
    return !state.readable && this.#mayRefresh(state.head!.epoch) ? refresh : null;
  }

  /** Whether it is our turn to make new keys in place of those that we do not have. */
  #mayRefresh(epoch: number): boolean {
    const { clock, random } = this.room.context;
    const now = clock.now();
    if (this.#locked.epoch !== epoch) {
      const [a, b] = random(2);
      const waitMs = (a * 256 + b) % refreshJitterMs;
      this.#locked = { epoch, fromMs: now + waitMs };
      clock.after(waitMs, () => this.room.schedule());
    }
    return now >= this.#locked.fromMs && now - this.#lastRefreshMs >= refreshEveryMs;
  }

  /** What of the server's request is still to be done: kept until a commit of ours is stored. */
  async #wanted(ids: Bytes[]): Promise<Change | null> {
    const head = this.room.state.head!;
    this.#keptOut = [];
    const newcomers = ids.filter((id) => !findMember(head.roster, id));
    const isOpen = basePolicy(head.policy) === policies.open;
    const barred = isOpen ? newcomers.filter((id) => includesId(head.bans, id)) : newcomers;
    if (this.room.isAdmin) await this.#tellWhoAsks(barred);
    const leaves = carriedOut(this.room.state, this.room.context.card.id).length;
    const places = maxMembers - head.roster.length + leaves;
    const add = isOpen ? (await this.#admissible(without(newcomers, barred))).slice(0, places) : [];
    return add.length > 0 || leaves > 0 ? { add } : null;
  }

  /**
   * Only an admin lets in to a closed room, or who was put out, and never because the server asks: she is told of the
   * request.
   */
  async #tellWhoAsks(ids: Bytes[]): Promise<void> {
    const { directory } = this.room.context;
    if (ids.length > 0) await directory.fetchCards(this.room.linked, ids);
    for (const id of ids) {
      const card = directory.card(id);
      if (card?.role === roles.user) {
        this.room.news.noticeOnce(`${card.name} asks to be let in: /invite ${card.name}`);
      }
    }
  }

  /** Newcomers whose card, name and pin fit. @throws LinkLost */
  async #admissible(ids: Bytes[]): Promise<Card[]> {
    const { directory, known, serverId } = this.room.context;
    if (ids.length > 0) await directory.fetchCards(this.room.linked, ids);
    const names = new Set(this.room.state.head!.roster.map((m) => skeleton(m.name)));
    return ids.flatMap((id) => {
      const card = directory.card(id);
      if (!card || card.role !== roles.user) return [];
      if (names.has(skeleton(card.name))) {
        this.room.news.warnOnce(
          `Somebody with the key ${
            fingerprint(id)
          } wants to join as ${card.name}, who is in the room with another ` +
            `key. If the old key is lost, an admin can /kick ${card.name} first.`,
        );
        return [];
      }
      if (known.conflicts(serverId, card.name, id)) {
        this.room.news.warnOnce(
          `Somebody with the key ${fingerprint(id)} wants to join as ${card.name}, whose known key is ${
            fingerprint(known.user(serverId, card.name)!.id)
          }, and is not let in. "/trust ${card.name}" accepts the new key.`,
        );
        this.#keptOut.push(id);
        this.room.trust.conflict ??= { name: card.name, id }; // the one that was shown first stays the one in question
        return [];
      }
      names.add(skeleton(card.name));
      return [card];
    });
  }

  /** Whether a commit may be sent now: after a refusal it backs off. */
  get mayCommit(): boolean {
    return !this.#respite.isOn;
  }

  /** Makes a commit, uploads its boxes, and sends it once it is stored. @throws LinkLost */
  async commit(change: Change): Promise<void> {
    const { room } = this;
    this.#unlock = await room.linked.takeCommitLock();
    try {
      const made = await this.#make(change);
      for (const name of made.without) {
        room.news.notice(`${name} has no valid prekey and cannot read what follows, until ${name} is back.`);
      }
      await this.#upload(made.boxes);
      const { linked } = room; // nothing is kept of a commit that cannot go
      room.state.pendingCommit = made.pending;
      if (!room.state.readable) this.#restAfterRefresh();
      room.flush(() => this.#send(linked, made.pending.bytes));
    } finally {
      if (this.#ref === null) this.#unlock(); // not sent: it could not be made, or not be stored
    }
  }

  /** @throws LinkLost */
  async #make(change: Change): Promise<MadeCommit> {
    const { state, roomKey, linked, context } = this.room;
    const { card, identity, random, directory, clock, site } = context;
    const next = succession(state, card.id, change, seconds(clock));
    const others = next.roster.map(({ id }) => id).filter((id) => !equals(id, card.id));
    const prekeys = await directory.fetchPrekeys(linked, others);
    const author = { site, card, identity, random, now: seconds(clock) };
    return await makeSuccessor(author, state, next, prekeys, directory.card, roomKey);
  }

  async #upload(boxes: Bytes[]): Promise<void> {
    try {
      await Promise.all(
        boxes.map((box) => this.room.request((ref) => ({ type: "BOX_PUT", ref, box }), "DONE")),
      );
    } catch (error) {
      // Send the COMMIT anyway: its refusal makes the server drop the boxes it holds for us.
      if (!(error instanceof RequestRefused)) throw error;
    }
  }

  /** At most one refresh every so often, and a job when the next may be. */
  #restAfterRefresh(): void {
    const { clock } = this.room.context;
    this.#lastRefreshMs = clock.now();
    clock.after(refreshEveryMs, () => this.room.schedule());
  }

  /**
   * Sends the commit that makes the room, or by which we enter it: the state holds it and its secret, and is stored
   * before.
   *
   * @param answered told what has become of it: null for stored, else why it was refused
   * @param boxes of the others who are in it
   * @throws LinkLost, FileTrouble
   */
  async comeIn(answered: (refusal: number | null) => void, boxes: Bytes[]): Promise<void> {
    this.#unlock = await this.room.linked.takeCommitLock();
    this.#entry = answered;
    try {
      await this.#upload(boxes);
      const { linked } = this.room;
      const { pendingCommit } = this.room.state;
      if (!pendingCommit) return answered(errorCodes.CONFLICT); // somebody else's commit has come meanwhile
      this.room.store();
      this.#send(linked, pendingCommit.bytes);
    } finally {
      if (this.#ref === null) {
        this.#entry = null;
        this.#unlock();
      }
    }
  }

  #send(linked: Connection, commit: Bytes): void {
    const { state } = this.room;
    this.#ref = linked.sendInStream(state.id, (ref) => ({ type: "COMMIT", ref, commit }));
  }

  /** An answer has come, though it may not be handled yet: other rooms may commit. */
  arrived(message: LinkMessage): void {
    if (this.isAnswer(message)) this.#unlock();
  }

  /** Whether this is the answer to our commit. */
  isAnswer(message: LinkMessage): boolean {
    return (message.type === "STORED" || message.type === "ERROR") && message.ref === this.#ref;
  }

  /** The commit whose STORED has come. @throws ServerFault when it cannot be */
  stored(): Bytes {
    const { pendingCommit } = this.room.state;
    if (!pendingCommit) throw new ServerFault("a commit was stored that had lost");
    return pendingCommit.bytes;
  }

  /**
   * A commit is applied, maybe ours without its answer. Once listed a pass is never listed again: whoever uses it takes
   * it from the list.
   */
  applied(): void {
    if (!this.#wish) return;
    this.#wish = { ...this.#wish, pass: this.#wish.pass.filter(({ key }) => !this.#isListed(key)) };
  }

  /** Our commit is applied, and this was its answer. */
  done(): void {
    this.#ref = this.#admit = null;
    this.#backoffMs = 0;
    this.#answerEntry(null);
  }

  #answerEntry(refusal: number | null): boolean {
    const answered = this.#entry;
    this.#entry = null;
    answered?.(refusal);
    return answered !== null;
  }

  /** Our commit was refused: the winner, if there is one, is applied by now; what is still wanted is asked anew. */
  refused(code: number): void {
    this.#ref = null;
    this.#lastRefreshMs = -Infinity; // it has not come about
    this.room.state.pendingCommit = null;
    if (this.#answerEntry(code)) return;
    if (code !== errorCodes.CONFLICT) {
      this.#backoffMs = Math.min(maxBackoffMs, this.#backoffMs * 2 || firstBackoffMs);
    }
    const [a, b] = this.room.context.random(2);
    const waitMs = (a * 256 + b) % conflictJitterMs + (code === errorCodes.CONFLICT ? 0 : this.#backoffMs);
    this.#respite.begin(waitMs);
    if (code === errorCodes.DENIED) {
      this.#wish = null;
      this.room.news.warn("The server refused a change of the members as against the rules.");
    }
  }
}

function without(ids: readonly Bytes[], others: readonly Bytes[]): Bytes[] {
  return ids.filter((id) => !includesId(others, id));
}

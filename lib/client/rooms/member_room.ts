/**
 * MemberRoom: an ordinary or direct room as a member sees it (protocol §7, §9, §10): its entries processed by the group
 * core, commits that are due, and who is there. How its stream is handled is room_stream.ts.
 */

import { findMember, isAdmin, keyFileFlag, type Member, policies } from "../../protocol/group/roster.ts";
import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import { seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { labelledHash } from "../../crypto/hash.ts";
import { ChatError, unlessRefused } from "../../errors.ts";
import { isLeaveSigned, type Leave, makeLeave, parseCommit } from "../../protocol/group/commit.ts";
import { contentTypes } from "../../protocol/group/content.ts";
import { chainStep, noKeyFile } from "../../protocol/group/epoch.ts";
import { messageKinds, namedCommitBytes, sealMessage } from "../../protocol/group/sealed_message.ts";
import { signedViewOf } from "../../protocol/group/signed_head.ts";
import { entryKinds, type HistoryView } from "../../protocol/group/history.ts";
import { type LinkMessage, type MessageOf, roomFlags } from "../../protocol/channel/link_messages.ts";
import { Confirmations } from "./confirmations.ts";
import { Committer } from "./committer.ts";
import { EntryProcessor } from "./entry_processor.ts";
import { type EntryWish, OwnEntry } from "./own_entry.ts";
import type { InvitePass } from "../../protocol/identity/invite.ts";
import type { Pass } from "../../protocol/group/pass.ts";
import type { Change } from "../../protocol/group/make_commit.ts";
import type { Sealed } from "./outbox.ts";
import { ServerFault } from "./room_context.ts";
import { type FileOffer, type FileOffers, withOffer, withoutOffer } from "../files/file_offer.ts";
import type { RoomEvent } from "../room_events.ts";
import type { OutboxItem, RoomState } from "./room_state.ts";
import type { Named } from "../../protocol/identity/name.ts";
import { RoomStream } from "./room_stream.ts";
import type { Entry } from "../../protocol/group/group_state.ts";

/** One room with a roster. */
export class MemberRoom extends RoomStream<RoomState> {
  /** 32 bytes of the room key file; zeros for none. */
  roomKey: Bytes = noKeyFile;
  /** The person has accepted that another room has this name: the new one replaces its pin. */
  replacesPin = false;
  /** Ids in hex of members whom the server claims to be linked. */
  readonly present = new Set<string>();
  /** Ids in hex of members who were let in while we watched, and are not known to be linked yet. */
  readonly justAdded = new Set<string>();
  /** Whose views have confirmed what. */
  readonly confirmations = new Confirmations(this);
  readonly #committer = new Committer(this);
  readonly #entries = new EntryProcessor(this);
  readonly #ownEntry = new OwnEntry(this);
  /** Where the stream begins, by the last ROOM_INFO. */
  #start: HistoryView | null = null;
  #presenceKnown = false;

  get label(): string {
    if (this.state.name !== "") return this.state.name;
    const other = this.other;
    return `@${other?.name ?? "?"}${this.isReplaced ? "(old key)" : ""}`;
  }

  /** The other person of a room of two. */
  get other(): Named | null {
    const { state, context } = this;
    if (!this.isDirect) return null;
    const member = state.head?.roster.find((m) => !equals(m.id, context.card.id));
    return member ??
      (state.with !== undefined && state.withId ? { name: state.with, id: state.withId } : null);
  }

  /** A room of two with a key that is no longer the one known by the name. */
  get isReplaced(): boolean {
    const { known, serverId } = this.context;
    return this.other !== null && known.conflicts(serverId, this.other.name, this.other.id);
  }

  get memberNames(): readonly string[] {
    return this.state.head?.roster.map((m) => m.name) ?? [];
  }

  get worry(): string {
    const { state } = this;
    if (this.trust.conflict) return `key changed: ${this.trust.conflict.name}`;
    if (this.isReplaced) return "not sent: another key is known by the name";
    if (this.alarm.isRaised) return "sending stopped";
    if (state.retired) return "ended by the operator";
    if (state.status === "gone") return "left";
    if (state.status === "waiting" && !this.isDirect) return "waiting to be let in";
    return state.inviter ? "unconfirmed" : "";
  }

  override get hasWish(): boolean {
    const { status, retired } = this.state;
    return status === "in" && !retired && !this.lacksKeyFile && this.#committer.hasWish;
  }

  /** Whether it is a room of two. */
  get isDirect(): boolean {
    return this.state.name === "";
  }

  /** Whether we are an admin of it. */
  get isAdmin(): boolean {
    return isAdmin(findMember(this.state.head?.roster ?? [], this.context.card.id));
  }

  // ---- what the chat does with it

  /** Members who have not shown yet to have the room's key file; none where there is no such file. */
  get unprovenNames(): readonly string[] {
    const { state, context: { card } } = this;
    if (!state.keyFile) return [];
    return (state.head?.roster ?? []).flatMap(({ id, name }) =>
      equals(id, card.id) || state.fileHolders?.includes(encodeHex(id)) ? [] : [name]
    );
  }

  /** Somebody has sealed something with the room's keys, for which the key file is needed. */
  hasKeyFile(id: Uint8Array): void {
    const key = encodeHex(id);
    if (!this.state.keyFile || this.state.fileHolders?.includes(key)) return;
    this.state.fileHolders = [...this.state.fileHolders ?? [], key];
    this.changed();
  }

  override checkSayable(item: OutboxItem): void {
    super.checkSayable(item);
    if (item.isToken) {
      throw new ChatError("A token is for key-file rooms", "enter one with join --fernet FILE");
    }
  }

  override disconnect(): void {
    super.disconnect();
    this.#committer.reset();
    this.#ownEntry.drop();
    this.#isRenewing = false;
    this.confirmations.reset();
    this.#start = null;
    this.present.clear();
    this.#presenceKnown = false;
  }

  override receive(message: LinkMessage): void {
    this.#committer.arrived(message);
    if (!this.#isRenewing) super.receive(message); // what is shown of the old stay is not looked at
  }

  /**
   * Asks to leave, or stops waiting to be let in. The last one who stays takes the room along.
   *
   * @returns whether a member has to carry it out
   * @throws ChatError in a room of two; LinkLost, RequestRefused
   */
  async leave(): Promise<boolean> {
    const { card, identity } = this.context;
    const room = this.state.id;
    if (!this.state.head || this.state.status !== "in") {
      const signature = new Uint8Array(64);
      await this.request((ref) => ({ type: "LEAVE", ref, room, epoch: 0, signature }), "DONE");
      return false;
    }
    if (this.state.retired) { // nobody is there who could carry it out
      this.#ended();
      return false;
    }
    const { epoch, roster, policy } = this.state.head;
    if (policy === policies.direct) {
      throw new ChatError(
        "A direct room cannot be left",
        "it stays out of sight until one of you writes there",
      );
    }
    const stays = (m: Member) => !equals(m.id, card.id) && !this.state.leaves.some((l) => equals(l.id, m.id));
    const { signature } = makeLeave(card.id, room, epoch, identity.signing);
    const isLast = !roster.some(stays);
    this.#takesAlong = isLast; // the end of the room is told before the request is answered
    try {
      await this.request((ref) => ({ type: "LEAVE", ref, room, epoch, signature }), "DONE");
    } finally {
      this.#takesAlong = false;
    }
    if (this.state.status !== "in") return false; // put out meanwhile, or gone with the room
    this.state.leaving = true;
    this.lines.drop();
    if (isLast) this.#ended();
    this.schedule();
    return !isLast;
  }

  /** We are leaving as the last one. */
  #takesAlong = false;

  /** All who were in it have gone, we with them: there is no such room any more. */
  #ended(): void {
    const { known, serverId } = this.context;
    known.unpinRoom(serverId, this.state.name);
    this.state.status = "gone";
    this.dirty = true;
    this.removed();
  }

  /** Makes new keys with the next commit. */
  rekey(): void {
    this.state.suspect = true;
    this.dirty = true;
    this.schedule();
  }

  /** Changes the members or the policy with the next commit. */
  change(wish: Change): void {
    this.#committer.wish(wish);
    this.schedule();
  }

  /** Lists a pass with the next commit. @param listed told in which epoch */
  listPass(pass: Pass, listed: (epoch: number) => void): void {
    this.#listings.set(encodeHex(pass.key), listed);
    this.change({ add: [], pass: [pass] });
  }
  #listings = new Map<string, (epoch: number) => void>();

  #tellListed(): void {
    const { epoch, passes } = this.state.head!;
    for (const pass of passes) {
      const key = encodeHex(pass.key);
      this.#listings.get(key)?.(epoch);
      this.#listings.delete(key);
    }
  }

  /**
   * Makes the room, by the commit that its state holds.
   *
   * @returns false when somebody else was faster; never, when the connection is cut before the answer
   * @throws LinkLost, FileTrouble
   */
  async create(boxes: Bytes[] = []): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.dirty = true;
    await this.#committer.comeIn((refusal) => resolve(refusal === null), boxes);
    return await promise;
  }

  /** Comes in without being let in, unless somebody lets us in before. @param afterMs from now */
  comeInBy(wish: EntryWish, afterMs: number): void {
    this.#ownEntry.wish(wish, afterMs);
    this.schedule();
  }

  protected override async comeIn(): Promise<void> {
    const { state } = this;
    if (!this.#ownEntry.isDue || this.#committer.isWaiting) return;
    if (state.status === "in" && !this.#isRenewing) return this.#ownEntry.drop();
    const made = await this.#ownEntry.make();
    if (!made && this.#isRenewing && !this.#ownEntry.isWished) this.connection?.renew(); // all is as it was
    if (!made) return;
    if (this.#isRenewing) {
      state.status = "gone";
      state.isGivenUp = true;
      this.#isRenewing = false;
    }
    for (const name of made.without) {
      this.news.notice(`${name} has no valid prekey and cannot read what follows, until ${name} is back.`);
    }
    state.pendingCommit = made.pending;
    this.dirty = true;
    await this.#committer.comeIn((refusal) => {
      if (refusal !== null) this.#ownEntry.refused(refusal);
    }, made.boxes);
  }

  /**
   * A stay that cannot be trusted any more, since the server hides something there, is to be given up for a pass that an
   * admin whom we know as one has listed after all that we know of the room: our removal may never have been shown to us.
   * Until we have followed the room from there, nothing is given up.
   *
   * @returns whether the invite is such a one, or none is needed
   */
  renewBy({ epoch }: InvitePass, inviter: Bytes): boolean {
    const { status, alarm, head } = this.state;
    if (status !== "in" || alarm !== "hides") return true;
    this.#isRenewing = epoch > head!.epoch && isAdmin(findMember(head!.roster, inviter));
    return this.#isRenewing;
  }

  /** Whether the old stay is to be given up. */
  get isRenewing(): boolean {
    return this.#isRenewing;
  }
  #isRenewing = false;

  /** The commits between what we were shown and an epoch are had, and judged. @throws ServerFault, LinkLost */
  async followTo(epoch: number): Promise<void> {
    await this.#ownEntry.followTo(epoch);
  }

  protected override caughtUp(): void {
    this.confirmations.schedule();
  }

  // ---- files

  /** Files that can be had here, by the id in hex of the message that told of each. */
  get files(): FileOffers {
    return this.state.files ?? {};
  }
  offered(id: string, { fileId, key, sha256, size, until, name, from, timeMs }: FileOffer): void {
    if (id in this.files) return; // the first one that was told of under an id stays
    const offer = { fileId, key, sha256, size, until, name, from, timeMs };
    this.state.files = withOffer(this.files, id, offer, seconds(this.context.clock));
    this.dirty = true;
  }
  /** What is known of one has changed. */
  setFile(id: string, offer: FileOffer): void {
    if (!(id in this.files)) return;
    this.state.files = { ...this.files, [id]: offer };
    this.dirty = true;
    this.schedule();
  }
  /** It is saved: its key goes. */
  dropFile(id: string): void {
    this.state.files = withoutOffer(this.files, id);
    this.dirty = true;
    this.schedule();
  }
  /** Whether a file can be sent here. @throws ChatError */
  checkFile(): void {
    // A room of two is begun by what is sent there.
    const mayBegin = this.isDirect && this.state.status === "waiting";
    if (this.state.status !== "in" && !mayBegin) {
      throw new ChatError("You are not in that room yet", "send it once you are");
    }
    if (this.state.retired) {
      throw new ChatError("This room has ended: nothing more can be sent into it", "/join makes it anew");
    }
  }

  // ---- what the receiving parts need

  nameOf(id: Uint8Array): string {
    return findMember(this.state.head?.roster ?? [], id)?.name ?? this.context.directory.card(id)?.name ??
      "somebody";
  }
  /** A member who has asked to leave sees nothing more but her own removal. */
  override tells(event: RoomEvent): boolean {
    return !this.state.leaving || event.type === "removed";
  }

  /** Tells key files apart without giving one away. */
  keyFileMark(roomKey: Bytes): Bytes {
    return labelledHash("chat2 key file mark", roomKey, this.state.id);
  }

  /** The room asks for a key file that we do not have: a commit of ours would lock everybody out. */
  get lacksKeyFile(): boolean {
    return (this.state.head!.policy & keyFileFlag) !== 0 && equals(this.roomKey, noKeyFile);
  }

  /** Sends an attest: we have seen what others said (protocol §9). */
  attest(): void {
    this.lines.enqueue(contentTypes.attest, new Uint8Array(0));
  }

  /** Whether a message could be sealed and sent now. */
  get canSpeak(): boolean {
    const { state } = this;
    return this.connection !== null && this.isCaughtUp && state.readable && !state.leaving &&
      !this.alarm.isRaised && !state.retired;
  }

  seal(item: OutboxItem): Sealed {
    const { state, context } = this;
    const head = state.head!;
    const chain = state.chains[encodeHex(context.card.id)];
    if (!chain?.key) throw new Error("there are no keys to seal with");
    const { messageKey, next } = chainStep(chain.key);
    const header = {
      kind: messageKinds.ordinary,
      room: state.id,
      epoch: head.epoch,
      commit: head.commitHash.slice(0, namedCommitBytes),
      sender: context.card.id,
      n: chain.n,
      view: signedViewOf(state),
      salt: context.random(16),
    };
    const bytes = sealMessage(header, item, messageKey, head.commitHash, context.identity.signing);
    const sealed = { epoch: head.epoch, n: chain.n, bytes };
    state.chains = { ...state.chains, [encodeHex(context.card.id)]: { key: next, n: chain.n + 1 } };
    return sealed;
  }

  isCurrent(sealed: Sealed): boolean {
    return sealed.epoch === this.state.head!.epoch;
  }

  /** Its number is spent and the server wants no gaps: a new epoch begins the count again. */
  messageDenied(): void {
    this.state.suspect = true;
    for (const other of this.state.outbox) if (!this.outbox.isFlying(other)) other.sealed = null;
  }

  numberRefused(): void {
    // An earlier one was refused; all are sent again, in order.
  }

  protected save(): void {
    // There is nothing yet that the server would not tell us again.
    const { history, pendingCommit, shown, outbox } = this.state;
    if (!history && !pendingCommit && !shown && outbox.length === 0) return;
    this.context.files.save(this.state, this.fileKind);
  }

  // ---- the stream

  protected async handle(message: LinkMessage): Promise<void> {
    switch (message.type) {
      case "ROOM_INFO":
        return await this.#onStream(message);
      case "HASHES":
        return this.#onHashes(message);
      case "ENTRY":
        return await this.#onEntry(message, message.address);
      case "STORED":
        return await this.#onStored(message);
      case "ERROR":
        if (!this.messageRefused(message) && this.#committer.isAnswer(message)) {
          this.#committer.refused(message.code);
        }
        this.dirty = true;
        return;
      case "HEAD":
        return this.headFollows(message);
      case "LEAVING":
        return await this.#onLeaving(message);
      case "PRESENCE":
        return this.#onPresence(message);
      case "ADMIT":
        return this.#committer.admit(message.ids);
    }
  }

  async #onStream(info: MessageOf<"ROOM_INFO">): Promise<void> {
    // Rooms and cards are separate files: after a crash one may be ahead of the other.
    if (this.state.head) await this.trust.needCards(this.state.head.roster.map((member) => member.id));
    this.#start = { pos: info.start, hash: info.startHash };
    // What we have left is not there any more: it went with the last who was in it.
    const isOver = (info.flags & roomFlags.member) === 0 &&
      (info.last === 0 || (info.flags & roomFlags.retired) !== 0);
    if (isOver && this.state.status === "gone") return; // we know
    if (isOver && (this.state.leaving || this.#takesAlong)) return this.#ended();
    this.streamBegins(info);
  }

  #onHashes(message: MessageOf<"HASHES">): void {
    const expired = this.hashesFollow(message);
    if (expired === 0) throw new ServerFault("hashes out of place");
    this.state.expired = (this.state.expired ?? 0) + expired;
  }

  async #onEntry(entry: Entry, address: string): Promise<void> {
    if (this.state.status === "in") return await this.entryFollows(entry, address);
    if (this.state.isGivenUp && this.#isOfOldStay(entry)) {
      return this.refuse("You are on its list of members still, by a stay that you have given up.");
    }
    await this.take({ ...entry, start: this.#start?.pos === entry.pos - 1 ? this.#start.hash : null }, "");
    this.#start = null;
    this.dirty = true;
  }

  /** Whether a stream begins with a stay that was given up: the server does not know of that. */
  #isOfOldStay({ kind, bytes }: Entry): boolean {
    const commit = kind === entryKinds.commit ? unlessRefused(() => parseCommit(bytes)) : null;
    return commit !== null && commit.epoch <= (this.state.head?.epoch ?? -1);
  }

  protected async take(entry: Entry, address: string): Promise<void> {
    await this.#entries.process(entry, address);
    if (entry.kind !== entryKinds.commit || this.state.status !== "in") return;
    this.#committer.applied();
    this.#tellListed();
  }

  /** We are in. @param renewedBy by whose pass, which is later than all that we knew */
  admitted(renewedBy: Bytes | null): void {
    this.#ownEntry.drop();
    if (renewedBy && this.alarm.isRaised) {
      this.alarm.renewed();
      this.news.notice(
        `The invite of ${
          this.nameOf(renewedBy)
        }, an admin, is later than all that you were shown: the warning about ` +
          "this room is lifted.",
      );
    }
    this.state.isGivenUp = false;
    if ((this.state.head!.policy & keyFileFlag) !== 0) this.state.keyFile = this.keyFileMark(this.roomKey);
  }

  /** We were removed: what waits cannot be said here any more. */
  removed(): void {
    this.news.release();
    this.lines.lose();
    this.state.leaving = false;
  }

  async #onStored(stored: MessageOf<"STORED">): Promise<void> {
    if (!this.#committer.isAnswer(stored)) return await this.messageStored(stored);
    const time = seconds(this.context.clock);
    const bytes = this.#committer.stored();
    await this.#onEntry({ pos: stored.pos, time, kind: entryKinds.commit, bytes }, "");
    this.target ??= stored.pos;
    this.#committer.done();
  }

  async #onLeaving({ id, epoch, signature }: MessageOf<"LEAVING">): Promise<void> {
    const member = findMember(this.state.head?.roster ?? [], id);
    const known = this.state.leaves.find((leave) => equals(leave.id, id));
    if (!member || (known && known.epoch >= epoch)) return;
    await this.trust.needCards([id]);
    const leave: Leave = { id, epoch, signature };
    if (!isLeaveSigned(leave, this.state.id, this.context.directory.card(id)!.verifying)) return;
    // A newer request replaces an expired one.
    this.state.leaves = [...this.state.leaves.filter((other) => other !== known), leave];
    this.dirty = true;
    if (!equals(id, this.context.card.id)) this.news.notice(`${member.name} wants to leave the room.`);
  }

  #onPresence({ what, ids }: MessageOf<"PRESENCE">): void {
    for (const id of ids) {
      const key = encodeHex(id);
      const member = findMember(this.state.head?.roster ?? [], id);
      const here = what === 1;
      if (here === this.present.has(key)) continue;
      if (here) this.present.add(key);
      else this.present.delete(key);
      if (!member || equals(id, this.context.card.id) || !this.#presenceKnown) continue;
      if (here && this.justAdded.delete(key)) continue; // "joined the room" says it
      this.news.event({ type: "presence", room: this.label, who: member.name, here });
    }
    this.#presenceKnown = true; // the first list is no news
  }

  // ---- settling: commits that are due, then what waits to be sent

  protected async settle(): Promise<void> {
    const { state } = this;
    if (this.#committer.isWaiting) return;
    const connection = this.connection;
    await this.#entries.openEpoch();
    const change = await this.#committer.due(this.outbox.hasWork);
    if (this.connection !== connection) return; // cut meanwhile: the next connection settles anew
    if (change && this.#committer.mayCommit) {
      this.dirty = true;
      return await this.#committer.commit(change);
    }
    if (change || !state.readable || state.suspect || state.leaving || this.lacksKeyFile) return;
    this.sendWaiting();
  }
}

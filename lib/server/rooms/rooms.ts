/**
 * Rooms: the registry of a server: its rooms, who is linked, and the journal through which all of it changes. What a
 * record does is apply.ts; what is flushed is shown room by room.
 */

import { equals } from "@std/bytes/equals";
import { encodeHex } from "../../hex.ts";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { closeReasons, roomKinds } from "../../protocol/channel/link_messages.ts";
import { TransitSealer } from "../../protocol/channel/transit.ts";
import type { SigningKey } from "../../crypto/ed25519.ts";
import type { HistoryView } from "../../protocol/group/history.ts";
import { signHead } from "../../protocol/group/signed_head.ts";
import { type Card, parseCard } from "../../protocol/identity/card.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import type { ServerEvents } from "../events.ts";
import type { Limits } from "../limits.ts";
import type { Follower, Journal, LogRecord, LogState, Outcome } from "../store/journal.ts";
import { sharedNotes, type Store, type StoredRoom, StoreFailed } from "../store/store.ts";
import { UserRates } from "../user_rates.ts";
import { type AppliedState, applyRecord, type Origin } from "./apply.ts";
import { Bans } from "./bans.ts";
import { KeyFileLog } from "./key_file_log.ts";
import type { Peer } from "./peer.ts";
import { defaultFilesSeconds, defaultRetention, type Retention } from "./retention.ts";
import { ServerRoom } from "./room.ts";
import { relieve } from "./relief.ts";
import { RoomQuota } from "./room_quota.ts";
import { AddressFiles } from "../blobs/address_files.ts";
import { type BlobBytes, BlobsFailed } from "../blobs/blob_bytes.ts";
import { BlobIndex } from "../blobs/blob_index.ts";
import { Blobs } from "../blobs/blobs.ts";
import { decodeSettings, encodeSettings, type Settings, settingsChanged, settingsOf } from "../settings.ts";
import { alone, type OtherLink, type Others } from "../others.ts";
import { WorkBudget } from "../work_budget.ts";
import { LinkClaims } from "./link_claims.ts";
import type { RoomHost, RoomLog } from "./room_log.ts";
import type { StreamPeer } from "./subscription.ts";

const maxCards = 4096;
/** What files may take of the server's time at once. */
const filesBurstMs = 200;
const expireEveryMs = 3_600_000;

/** What the rooms of a server are made of. */
export interface RoomsParts {
  /** What it keeps. */
  readonly store: Store;
  /** What orders its changes. */
  readonly journal: Journal;
  /** Time. */
  readonly clock: Clock;
  /** Its limits. */
  readonly limits: Limits;
  /** Where they are: 32 bytes. */
  readonly site: Bytes;
  /** The server's key: it signs where histories stand. */
  readonly signing: SigningKey;
  /** What happens. */
  readonly events: ServerEvents;
  /** Runs something in a later turn of the event loop. */
  readonly defer: (act: () => void) => void;
  /** The same, past all that waits at the sockets: for long jobs, in slices. */
  readonly deferPastIo?: (act: () => void) => void;
  /** Randomness. */
  readonly random: RandomSource;
  /** Members see each sender's address. */
  readonly showAddresses?: boolean;
  /** Where others reach it, as an invite begins: `chat://HOST:PORT`. */
  readonly place?: string;
  /** How long sealed messages and files wait. */
  readonly retention?: Retention;
  /** Where chunks of files are kept; without it there are no files. */
  readonly blobBytes?: BlobBytes | null;
  /** Servers that share its rooms; none by default. */
  readonly others?: Others;
  /** Addresses, as limits count them, of proxies: behind one are many people. */
  readonly proxies?: ReadonlySet<string>;
}

/** The shared state of a running server. */
export class Rooms implements RoomHost, AppliedState, Follower {
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly site: Bytes;
  readonly events: ServerEvents;
  readonly retention: Required<Retention>;
  /** Members see each sender's address. */
  readonly showAddresses: boolean;
  /** Where others reach it, as an invite begins; empty when nobody has said. */
  readonly place: string;
  readonly peers = new Map<string, Peer>();
  readonly others: Others;
  /** How fast each user may talk, by id in hex: reconnecting does not fill a bucket. */
  readonly rates: UserRates;
  readonly bans: Bans;
  /** How many rooms there are, whose, and how much they weigh. */
  readonly quota: RoomQuota;
  /** Files. */
  readonly blobs: Blobs;
  /** What was brought from each address. */
  readonly addressFiles: AddressFiles;
  /** Ids whose last link was closed as too slow: they are told why when they are back. */
  readonly putOffAsSlow = new Set<string>();
  /** Which link of an identity is the one. */
  readonly claims: LinkClaims = new LinkClaims(this);
  /** Called for each new key-file room. */
  onKeyFileRoom: (room: KeyFileLog) => void = () => {};
  /** Called when a link has ended. */
  onLeft: (peer: Peer) => void = () => {};
  /** Called for each message of a key-file room, once it is on disk and shown. */
  onKeyFileMessage: ((room: KeyFileLog, pos: number, peer: Peer) => void) | null = null;
  #rooms = new Map<string, ServerRoom>();
  #keyFileRooms = new Map<string, KeyFileLog>();
  #cards = new Map<string, Card>();
  /** Of records that were proposed here and are not applied yet. */
  #origins = new Map<LogRecord, Origin>();
  /** Rooms with something to show with the next flush. */
  #showing = new Set<RoomLog>();
  #expiring = new Set<RoomLog>();
  #transitKeys = 0;
  #mixed: Bytes = new Uint8Array(32);
  #cancelExpire: () => void;
  #isStopped = false;
  #isSweeping = false;
  #filledPercent = 0;
  #isRelieving = false;

  /** @param parts of the server */
  constructor(private readonly parts: RoomsParts) {
    ({
      store: this.store,
      clock: this.clock,
      site: this.site,
      events: this.events,
      showAddresses: this.showAddresses = false,
      place: this.place = "",
      others: this.others = alone,
    } = parts);
    this.limits = { ...parts.limits };
    this.retention = { filesSeconds: defaultFilesSeconds, ...parts.retention ?? defaultRetention };
    this.#readSettings();
    this.quota = new RoomQuota(this.limits, this.store);
    this.rates = new UserRates(this.limits, this.clock, parts.proxies);
    this.bans = new Bans(
      this.store,
      this.clock,
      async (record) => (await this.propose(record)).type === "done",
    );
    const index = new BlobIndex(this.store, this.limits, this.retention);
    this.addressFiles = new AddressFiles(this.limits.filesPerAddress);
    this.blobs = new Blobs({
      index,
      limits: this.limits,
      bytes: parts.blobBytes ?? null,
      caughtUp: () => parts.journal.caughtUp(),
      work: new WorkBudget(filesBurstMs, this.limits.filesWorkMs, this.clock),
      clock: this.clock,
      propose: (record) => this.propose(record),
      fault: (error) => this.tellFault(error),
      removed: (file) => this.addressFiles.release(file),
    });
    parts.journal.follow(0, this);
    for (const stored of this.store.rooms()) {
      if (stored.kind === roomKinds.keyFile) this.addKeyFileRoom(stored);
      else this.add(stored);
    }
    this.#cancelExpire = this.clock.after(0, () => void this.#tidy());
  }

  /** Forgets what has waited long enough in all rooms, a slice in each turn; and again in an hour. */
  async #tidy(): Promise<void> {
    try {
      await this.caughtUp(); // so that the journal's time is now's
      for (const room of this.#everything()) {
        if (this.#isStopped) return;
        await room.expire();
        await this.#reapWhenDue(room);
        await this.nextTurn();
      }
      await this.blobs.expire(Math.floor(this.now() / 1000));
      await this.blobs.sweep();
    } catch (error) {
      this.tellFault(error);
    }
    this.#sweepSoon();
    if (!this.#isStopped) this.#cancelExpire = this.clock.after(expireEveryMs, () => void this.#tidy());
  }

  /** Takes what was given up from the disk, a slice in each turn. */
  #sweepSoon(): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    const sweep = async () => {
      do await this.nextTurn(); while (
        !this.#isStopped && (await this.propose({ kind: "sweep" })).type === "done"
      );
    };
    sweep().catch((error) => this.tellFault(error)).finally(() => this.#isSweeping = false);
  }

  /** When the disk is nearly full, the largest rooms give way. */
  #relieveSoon(): void {
    if (this.#isRelieving) return;
    this.#isRelieving = true;
    this.nextTurn().then(() => relieve(this.quota, () => this.#everything(), this))
      .catch((error) => this.tellFault(error)).finally(() => this.#isRelieving = false);
  }

  async #reapWhenDue(room: RoomLog): Promise<void> {
    const now = this.now();
    const isOld = room.retiredAt !== null && now / 1000 - room.retiredAt > this.retention.seconds;
    const isAtRest = !this.#isHeard(room) && room.isAtRest(now);
    if (isOld || isAtRest) await this.propose({ kind: "reap", room: room.id });
  }

  now(): number {
    return this.parts.journal.now();
  }

  #isHeard(room: RoomLog): boolean {
    return room.isHeard || [...this.others.links()].some(({ rooms }) => rooms.includes(room.key));
  }

  // ---- the registry

  /** All rooms that have members. */
  all(): ServerRoom[] {
    return [...this.#rooms.values()];
  }
  /** All rooms that have none. */
  keyFileRooms(): KeyFileLog[] {
    return [...this.#keyFileRooms.values()];
  }
  #everything(): RoomLog[] {
    return [...this.#rooms.values(), ...this.#keyFileRooms.values()];
  }
  get(id: Bytes): ServerRoom | undefined {
    return this.#rooms.get(encodeHex(id));
  }
  keyFileRoom(id: Bytes): KeyFileLog | undefined {
    return this.#keyFileRooms.get(encodeHex(id));
  }
  /** Somebody who is linked, by name. */
  peerNamed(name: string): Peer | undefined {
    return [...this.peers.values()].find((peer) => skeleton(peer.card.name) === skeleton(name));
  }
  cards = (id: Uint8Array): Card | undefined => {
    const key = encodeHex(id);
    let card = this.#cards.get(key);
    if (!card) {
      const bytes = this.store.card(id as Bytes);
      if (!bytes) return undefined;
      card = parseCard(bytes);
      if (this.#cards.size >= maxCards) this.#cards.clear();
      this.#cards.set(key, card);
    }
    return card;
  };

  add(stored: StoredRoom): ServerRoom {
    const room = new ServerRoom(stored, this);
    this.#rooms.set(room.key, room);
    if (!room.isRetired) this.quota.add(room);
    return room;
  }
  addKeyFileRoom(stored: StoredRoom): KeyFileLog {
    const room = new KeyFileLog(stored, this);
    this.#keyFileRooms.set(room.key, room);
    if (!room.isRetired) this.quota.add(room);
    this.onKeyFileRoom(room);
    return room;
  }
  /**
   * A room of two takes the place of a key-file room under its id: both are hashes, so only somebody who wanted to keep
   * the two apart can have made that.
   */
  dropKeyFileRoom(id: Bytes): void {
    const room = this.#keyFileRooms.get(encodeHex(id));
    if (!room) {
      if (this.store.room(id)?.kind === roomKinds.keyFile) this.store.dropRoom(id); // given up meanwhile
      return;
    }
    room.isDropped = true;
    this.#keyFileRooms.delete(room.key);
    this.#forget(room);
    this.store.dropRoom(id);
  }

  reap(room: ServerRoom | KeyFileLog): void {
    const rooms: Map<string, RoomLog> = room instanceof ServerRoom ? this.#rooms : this.#keyFileRooms;
    rooms.delete(room.key);
    if (!room.isRetired) this.quota.remove(room);
    if (room instanceof ServerRoom) room.admissions.stop();
    room.applyReap();
    this.blobs.index.applyDropRoom(room.id);
    this.#sweepSoon();
  }

  /** A room that is no more: nothing of it is shown. */
  #forget(room: RoomLog): void {
    if (room instanceof ServerRoom) room.admissions.stop();
    if (!room.isRetired) this.quota.remove(room);
    this.weighed(-room.weight);
    room.close();
    this.#showing.delete(room);
  }

  weighed(bytes: number): void {
    this.quota.storedBytes += bytes;
    const percent = this.quota.filledPercent;
    if (percent > this.#filledPercent) this.events.tell({ type: "disk filling", percent });
    this.#filledPercent = percent;
    if (bytes > 0 && this.quota.excessBytes > 0) this.#relieveSoon();
  }
  nextTurn(): Promise<void> {
    return new Promise(this.parts.deferPastIo ?? this.parts.defer);
  }

  // ---- changing

  /**
   * Proposes a change.
   *
   * @param origin whose request it is
   * @param resolved told what it has come to, once what it has changed is on disk and shown
   */
  proposeFor(record: LogRecord, origin: Origin, resolved: (outcome: Outcome) => void): void {
    this.#origins.set(record, origin);
    this.propose(record).then((outcome) => {
      this.#origins.delete(record);
      this.#guard(() => resolved(outcome));
    });
  }

  /** Proposes a change of the server's own. @returns its outcome, once what it has changed is on disk */
  propose(record: LogRecord): Promise<Outcome> {
    return this.parts.journal.propose(record);
  }

  /**
   * Runs `act` behind everything that is applied now, so that answers keep their order.
   *
   * @param undone instead, when that was undone: what the answer rests on may be gone
   */
  afterFlush(act: () => void, undone: () => void): void {
    const { journal } = this.parts;
    if (journal.isIdle) act();
    else journal.barrier().then((isKept) => this.#guard(isKept ? act : undone));
  }

  apply(_seq: number, timeMs: number, records: readonly LogRecord[]): Outcome[] {
    // What is known of them is kept until their proposers are told: they may be applied again, after an undone flush.
    return records.map((record) => applyRecord(this, record, timeMs, this.#origins.get(record)));
  }

  appended(history: Bytes): void {
    for (let i = 0; i < history.length; i++) this.#mixed[i] ^= history[i];
  }
  mixed(): Bytes {
    const mixed = this.#mixed;
    this.#mixed = new Uint8Array(32);
    return mixed;
  }

  /** Called by the journal's follower only. */
  settle(settings: Settings): void {
    const noted = this.store.note(sharedNotes.settings);
    const changes = noted ? settingsChanged(decodeSettings(noted), settings) : [];
    if (changes.length > 0) this.events.tell({ type: "settings changed", changes });
    this.store.putNote(sharedNotes.settings, encodeSettings(settings));
    this.#readSettings();
  }
  /** Those of a shared log stand in the store, and hold in place of this server's own. */
  #readSettings(): void {
    const noted = this.store.note(sharedNotes.settings);
    const { limits, retention } = noted ? decodeSettings(noted) : this.ownSettings;
    Object.assign(this.limits, limits);
    Object.assign(this.retention, retention);
  }
  /** Those with which this server was started. */
  get ownSettings(): Settings {
    return settingsOf(this.parts.limits, this.parts.retention ?? defaultRetention);
  }

  /** Makes them those of all who share the log. */
  async shareSettings(): Promise<void> {
    const own = encodeSettings(this.ownSettings);
    const noted = this.store.note(sharedNotes.settings);
    if (noted && !equals(noted, own)) await this.propose({ kind: "settings", settings: this.ownSettings });
  }

  // ---- people at several servers

  putOutBanned(): void {
    for (const { card: { name }, from, link } of this.peers.values()) {
      if (this.bans.has(name, from)) link.close(closeReasons.putOut);
    }
  }

  /** Somebody's link at another server has come, gone, or joined or left key-file rooms. */
  changedElsewhere(id: Bytes, before: OtherLink | undefined, now: OtherLink | undefined): void {
    const key = encodeHex(id);
    const tell = (room: RoomLog | undefined, what: 0 | 1) =>
      room?.broadcast({ type: "PRESENCE", room: room.id, what, ids: [id] }, this.peers.get(key));
    const isHere = this.peers.has(key);
    if (!isHere && (before === undefined) !== (now === undefined)) {
      for (const room of this.store.roomsOf(id)) tell(this.get(room), now ? 1 : 0);
    }
    for (const room of now?.rooms ?? []) {
      if (!before?.rooms.includes(room)) tell(this.#keyFileRooms.get(room), 1);
    }
    for (const room of before?.rooms ?? []) {
      if (!now?.rooms.includes(room)) tell(this.#keyFileRooms.get(room), 0);
    }
    this.claims.endIfReplaced(key);
  }

  /** Waits until all that is applied is on disk. @returns false: it was undone */
  barrier(): Promise<boolean> {
    return this.parts.journal.barrier();
  }

  /** Whether the last attempt to keep something failed. */
  get isStoreFailing(): boolean {
    return this.parts.journal.isFailing;
  }

  /** Whether changes come about a while after they were proposed, among those of other servers. */
  get isShared(): boolean {
    return this.parts.journal.isShared;
  }
  /** The log that several servers share; null: it is this one's own. */
  get log(): LogState | null {
    return this.parts.journal.log;
  }
  /** Whether changes wait because the log that orders them cannot be reached. */
  get isLogAway(): boolean {
    return this.parts.journal.isAway;
  }
  /** Waits until all is applied that anybody has been shown before this call. @returns false: that cannot be known now */
  caughtUp(): Promise<boolean> {
    return this.parts.journal.caughtUp();
  }

  // ---- showing

  signHead(room: Bytes, view: HistoryView): Bytes {
    return signHead({ site: this.site, room }, view, this.parts.signing);
  }

  showsWithFlush(room: RoomLog): void {
    this.#showing.add(room);
  }

  flushed(): void {
    const rooms = [...this.#showing];
    this.#showing.clear();
    for (const room of rooms) this.#guard(() => room.showFlushed());
    this.#guard(() => this.claims.flushed());
    this.blobs.flushed();
  }

  undone(): void {
    this.#mixed.fill(0);
    this.#cards.clear();
    this.#readSettings();
    for (const room of this.#showing) if (room.isGone) this.#cutGone(room);
    const kept = new Map(this.store.rooms().map((room) => [`${room.kind} ${encodeHex(room.id)}`, room]));
    for (const rooms of [this.#rooms, this.#keyFileRooms]) {
      for (const [key, room] of rooms) {
        const name = `${room.kind} ${key}`;
        const stored = kept.get(name);
        kept.delete(name);
        if (stored) {
          room.reload(stored);
          continue;
        }
        rooms.delete(key);
        this.#forget(room);
      }
    }
    for (const room of kept.values()) {
      if (room.kind === roomKinds.keyFile) this.addKeyFileRoom(room);
      else this.add(room);
    }
    this.quota.recount(this.#everything().filter(({ isRetired }) => !isRetired));
    this.bans.reload();
    this.blobs.undone();
    this.flushed(); // what reached the disk before
  }

  /** A room was given up, and was not: whoever streams it comes back to the one that is read again. */
  #cutGone(room: RoomLog): void {
    this.#showing.delete(room);
    room.cut();
  }

  forOne(peer: StreamPeer, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.tellFault(error);
      peer.link.drop();
    }
  }

  /** A disk that cannot be read is the operator's matter; all else is a bug of ours. */
  tellFault(error: unknown): void {
    if (error instanceof StoreFailed) return this.events.tell({ type: "store failed", error });
    if (error instanceof BlobsFailed) {
      if (!this.#isStopped) this.events.tell({ type: "files failed", error }); // else the way to them is closed
      return;
    }
    this.events.tell({ type: "bug", error: error instanceof Error ? error : new Error(String(error)) });
  }

  /** A fault of ours in one answer must not take the others with it. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.tellFault(error);
    }
  }

  addressOf(id: Bytes): string {
    if (!this.showAddresses) return "";
    const key = encodeHex(id);
    return (this.peers.get(key) ?? this.others.linkOf(key))?.address ?? "";
  }
  newTransitKey(room: Bytes): TransitSealer {
    return new TransitSealer(room, ++this.#transitKeys, this.parts.random(32));
  }

  expireSoon(room: RoomLog): void {
    if (this.#expiring.size === 0) {
      this.parts.defer(() => {
        const rooms = [...this.#expiring];
        this.#expiring.clear();
        for (const each of rooms) each.expire().catch((error) => this.tellFault(error));
      });
    }
    this.#expiring.add(room);
  }

  /** Flushes what waits, and ends all timers. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelExpire();
    for (const room of this.#rooms.values()) room.admissions.stop();
    // First: a file that is being written waits for what it has proposed.
    await this.parts.journal.close().finally(() => this.blobs.close());
  }
}

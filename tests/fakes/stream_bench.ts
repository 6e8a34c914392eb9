/**
 * A bench for one client room: the test is the server. It writes a log with other members' keys and feeds
 * it, true or bent, to the room of a victim, sahnawaz.
 */

import { test } from "./test.ts";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { generateX25519 } from "../../lib/crypto/x25519.ts";
import type { Connection } from "../../lib/client/connection/connection.ts";
import { RequestRefused } from "../../lib/client/connection/connection_errors.ts";
import { Directory } from "../../lib/client/connection/directory.ts";
import { KnownKeys } from "../../lib/client/trust/known_keys.ts";
import { OwnPrekeys } from "../../lib/client/connection/own_prekeys.ts";
import { MemberRoom } from "../../lib/client/rooms/member_room.ts";
import type { Evidence } from "../../lib/client/rooms/conviction.ts";
import type { RoomContext } from "../../lib/client/rooms/room_context.ts";
import type { RoomEvent } from "../../lib/client/room_events.ts";
import { RoomFiles } from "../../lib/client/rooms/room_files.ts";
import { newRoomState } from "../../lib/client/rooms/room_state.ts";
import { boxHash, sealBox } from "../../lib/protocol/group/box.ts";
import { type Commit, type CommitBody, makeCommit, parseCommit } from "../../lib/protocol/group/commit.ts";
import { chainStep, epochCheck, noKeyFile, senderChains } from "../../lib/protocol/group/epoch.ts";
import { entryHash, entryKinds, History, type SignedView } from "../../lib/protocol/group/history.ts";
import { errorCodes, type LinkMessage, type MessageOf } from "../../lib/protocol/channel/link_messages.ts";
import { type MessageHeader, sealMessage } from "../../lib/protocol/group/sealed_message.ts";
import { parsePrekey } from "../../lib/protocol/identity/prekey.ts";
import { FileTrouble } from "../../lib/storage/file_trouble.ts";
import { SealedFiles } from "../../lib/storage/sealed_files.ts";
import { cardBook, genesis, headOf, member, zeros } from "./commits.ts";
import { settle } from "./fake_clock.ts";
import { TokenBucket } from "../../lib/token_bucket.ts";
import { Backlog } from "../../lib/client/rooms/backlog.ts";
import { JumpingClock } from "./jumping_clock.ts";
import { type Person, person } from "./people.ts";
import { signedBy, testSite } from "./site.ts";

export class StreamBench {
  readonly events: RoomEvent[] = [];
  readonly faults: string[] = [];
  readonly sent: LinkMessage[] = [];
  /** What has convicted the server. */
  readonly convictions: Omit<Evidence, "card" | "runId">[] = [];
  /** The disk takes no more of them. */
  isDiskFull = false;
  readonly boxes = new Map<string, Bytes>();
  /** The true history, as an honest member sees it. */
  history!: History;
  head!: ReturnType<typeof headOf>;
  room!: MemberRoom;
  context!: RoomContext;
  /** Chains of every member in the current epoch. */
  chains = new Map<string, { key: Bytes; n: number }>();
  readonly clock = new JumpingClock();
  readonly openings = new TokenBucket(200, 2_000, this.clock);
  readonly backlog = new Backlog(100_000);
  /** Decryptions of boxes that the room asked for. */
  boxRequests = 0;
  withheld = new Set<string>();
  #cards!: Awaited<ReturnType<typeof cardBook>>;
  #dir!: string;
  #streamRefs: { ref: number; room: Bytes }[] = [];

  static async open(): Promise<StreamBench> {
    const bench = new StreamBench();
    await bench.#start();
    return bench;
  }

  async #start(): Promise<void> {
    this.#dir = Deno.makeTempDirSync({ prefix: "chat-bench-" });
    this.#cards = await cardBook();
    const victim = await person("sahnawaz");
    const files = await SealedFiles.open(this.#dir, victim.identity, systemRandom);
    this.context = {
      serverId: (await person("server")).card.id,
      site: testSite,
      serverKey: (await person("server")).card.verifying,
      identity: victim.identity,
      card: victim.card,
      directory: new Directory(files, victim.card, this.clock),
      known: new KnownKeys(this.#dir),
      prekeys: new OwnPrekeys(files, victim.identity, this.clock),
      files: new RoomFiles(files.folder("rooms")),
      openings: this.openings,
      unaskedOpenings: this.openings,
      endedAtTheDoor: () => {},
      keepConviction: (evidence) => {
        if (this.isDiskFull) throw new FileTrouble("Cannot write: the disk is full", "free some space");
        this.convictions.push(evidence);
        return "a file";
      },
      backlog: this.backlog,
      clock: this.clock,
      random: systemRandom,
      show: (event) => void this.events.push(event),
      areBlind: () => false,
      hasGuests: () => false,
      holds: () => false,
      ignores: () => false,
      record: () => {},
      sendWaitMs: () => 0,
      pinsRooms: () => true,
      storageFailed: () => {},
      gaveUp: () => false,
      bug: (error) => {
        throw error;
      },
      serverFault: (why) => void this.faults.push(why),
    };
    const ira = await person("ira");
    const first = genesis(ira);
    this.history = new History({ pos: 0, hash: first.room });
    this.history = this.history.after(entryHash(entryKinds.commit, first.bytes));
    this.head = headOf(first, 1);
    this.room = new MemberRoom(this.context, newRoomState(first.room, "lobby"));
    this.room.connect(this.#connection());
  }

  /** The victim comes back with what is on its disk. */
  reload(): void {
    const [loaded] = this.context.files.load();
    this.room = new MemberRoom(this.context, loaded);
    this.room.connect(this.#connection());
  }

  #connection(): Connection {
    const answer = (message: LinkMessage): LinkMessage => {
      switch (message.type) {
        case "CARD_GET":
          return {
            type: "CARD",
            ref: message.ref,
            cards: message.ids.map((id) =>
              this.withheld.has(encodeHex(id))
                ? new Uint8Array(0)
                : this.#cards(id)?.bytes ?? new Uint8Array(0)
            ),
          };
        case "PREKEY_GET":
          return { type: "PREKEY", ref: message.ref, prekeys: message.ids.map(() => new Uint8Array(0)) };
        case "BOX_GET": {
          this.boxRequests++;
          const box = this.boxes.get(encodeHex(message.hash));
          if (!box) throw new RequestRefused(errorCodes.NOT_FOUND);
          return { type: "BOX", ref: message.ref, box };
        }
        default:
          return { type: "DONE", ref: 1, info: 0 };
      }
    };
    let ref = 1;
    const connection = {
      isOver: false,
      request: (build: (ref: number) => LinkMessage) => {
        const message = build(ref++);
        this.sent.push(message);
        try {
          return Promise.resolve(answer(message));
        } catch (error) {
          return Promise.reject(error);
        }
      },
      sendInStream: (room: Bytes, build: (ref: number) => LinkMessage) => {
        this.sent.push(build(ref));
        this.#streamRefs.push({ ref, room });
        return ref++;
      },
      send: (message: LinkMessage) => void this.sent.push(message),
      takeCommitLock: () => Promise.resolve(() => {}),
      drop: () => void this.faults.push("dropped"),
    };
    return connection as unknown as Connection;
  }

  get last(): number {
    return this.history.view.pos;
  }

  /** Where the log ends, signed. */
  get view(): SignedView {
    return signedBy(this.head.room, this.history.view);
  }

  /** HEAD of the last position, or of another one. */
  headMessage(pos = this.last): LinkMessage {
    const { headSig: signature } = signedBy(this.head.room, { pos, hash: this.history.at(pos)! });
    return { type: "HEAD", room: this.head.room, pos, signature };
  }

  /** Feeds the room as the server would: no stream rests on an entry without its head. */
  async feed(...messages: LinkMessage[]): Promise<void> {
    for (const message of messages) this.room.receive(message);
    const last = messages.at(-1);
    const rests = last?.type === "ENTRY" || last?.type === "STORED" || last?.type === "ROOM_INFO";
    if (rests && this.last > 0) this.room.receive(this.headMessage());
    await this.idle();
  }

  /** Waits until the room has nothing left to do, however long the cryptography takes. */
  async idle(): Promise<void> {
    do await settle(2); while (!this.room.isIdle);
  }

  /** @param start where a newcomer's history begins */
  info(last = this.last, start = Math.max(0, last - 1)): LinkMessage {
    return {
      type: "ROOM_INFO",
      ref: 0,
      room: this.head.room,
      kind: 1,
      policy: 0,
      flags: 3,
      last,
      start,
      startHash: this.history.at(start) ?? zeros,
      name: new TextEncoder().encode("lobby"),
    };
  }
  entry(bytes: Bytes, kind: number, pos = this.last + 1): MessageOf<"ENTRY"> {
    return {
      type: "ENTRY",
      room: this.head.room,
      pos,
      time: Math.floor(Date.now() / 1000),
      kind,
      address: "",
      bytes,
    };
  }

  /** A commit by `author`, with a box for the victim; `bend` changes what is signed. */
  async commit(
    author: Person,
    bend: Partial<CommitBody> = {},
    options: { signer?: Person; box?: "none" | "lost" | "other secret"; roomKey?: Bytes } = {},
  ): Promise<{ commit: Commit; secret: Bytes }> {
    const victim = await person("sahnawaz");
    const secret = systemRandom(32);
    const epoch = bend.epoch ?? this.head.epoch + 1;
    const context = {
      room: this.head.room,
      epoch,
      prev: bend.prev ?? this.head.commitHash,
      author: author.card.id,
    };
    const prekey = parsePrekey((await this.context.prekeys.newest()).published);
    const boxed = options.box === "other secret" ? systemRandom(32) : secret;
    const box = await sealBox(
      boxed,
      context,
      await generateX25519(),
      prekey,
      victim.secrets.rsaSpki,
      systemRandom,
    );
    if (options.box !== "lost") this.boxes.set(encodeHex(boxHash(box)), box);
    const hash = options.box === "none" ? zeros : boxHash(box);
    const roster = (bend.roster ?? this.head.roster).map((m) =>
      m.name === "sahnawaz" ? { ...m, boxHash: hash } : { ...m, boxHash: zeros }
    );
    const body: CommitBody = {
      ...context,
      time: 1_700_000_000,
      view: this.view,
      policy: this.head.policy,
      roomName: this.head.roomName,
      leaves: [],
      how: 0,
      use: null,
      passes: [],
      bans: [],
      check: epochCheck(secret, noKeyFile, context),
      ...bend,
      roster,
    };
    return {
      commit: parseCommit(makeCommit(body, testSite, (options.signer ?? author).identity.signing)),
      secret,
    };
  }

  /** Takes a commit into the true log and the bench's own chains. */
  accept({ commit, secret }: { commit: Commit; secret: Bytes }): LinkMessage {
    const entry = this.entry(commit.bytes, entryKinds.commit);
    this.history = this.history.after(entryHash(entryKinds.commit, commit.bytes));
    this.head = headOf(commit, this.last);
    const ids = commit.roster.map((m) => m.id);
    const keys = senderChains(secret, noKeyFile, commit.hash, ids);
    this.chains = new Map(ids.map((id, i) => [encodeHex(id), { key: keys[i], n: 0 }]));
    return entry;
  }

  /** A message by `sender`; `bend` changes its header, `signer` who signs. */
  message(
    sender: Person,
    text: string,
    bend: Partial<MessageHeader> = {},
    options: { signer?: Person; chainOf?: Person; msgId?: Bytes; keep?: boolean } = {},
  ): Bytes {
    const chain = this.chains.get(encodeHex((options.chainOf ?? sender).card.id))!;
    const { messageKey, next } = chainStep(chain.key);
    const header: MessageHeader = {
      kind: 1,
      room: this.head.room,
      epoch: this.head.epoch,
      commit: this.head.commitHash.slice(0, 16),
      sender: sender.card.id,
      n: chain.n,
      view: this.view,
      salt: systemRandom(16),
      ...bend,
    };
    if (options.keep !== false) {
      chain.key = next;
      chain.n++;
    }
    const content = {
      type: 1,
      msgId: options.msgId ?? systemRandom(16),
      timeMs: 1,
      body: new TextEncoder().encode(text) as Bytes,
    };
    return sealMessage(
      header,
      content,
      messageKey,
      this.head.commitHash,
      (options.signer ?? sender).identity.signing,
    );
  }

  /** Appends an entry to the true log. */
  append(bytes: Bytes, kind: number = entryKinds.message): LinkMessage {
    const entry = this.entry(bytes, kind);
    this.history = this.history.after(entryHash(kind, bytes));
    return entry;
  }

  /** ira adds the victim and dana: the room is entered. */
  async admitVictim(): Promise<void> {
    const [ira, sam, dana] = await Promise.all(["ira", "sahnawaz", "dana"].map(person));
    const made = await this.commit(ira, { roster: [...this.head.roster, member(sam, 1), member(dana, 1)] });
    const entry = this.accept(made);
    await this.feed(this.info(), entry);
  }

  get said(): string[] {
    return this.events.flatMap((e) => e.type === "message" ? [`${e.from}: ${e.text}`] : []);
  }
  get warnings(): string[] {
    return this.events.flatMap((e) => e.type === "warning" ? [e.text] : []);
  }

  close(): void {
    this.room.disconnect();
    Deno.removeSync(this.#dir, { recursive: true });
  }
}

/** A test on a bench of its own. @param admitted the victim is a member from the start */
export function benchTest(name: string, act: (bench: StreamBench) => Promise<void>, admitted = true): void {
  test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const bench = await StreamBench.open();
      try {
        if (admitted) await bench.admitVictim();
        await act(bench);
      } finally {
        bench.close();
      }
    },
  });
}

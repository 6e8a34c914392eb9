/**
 * RoomOfLoad: N members in one room, ready to be talked to: an end-to-end room up to the protocol's limit of members,
 * a key-file room beyond.
 *
 * What is said has the size and the header of a real message of 100 bytes of text; where the key would make bytes
 * that look random, there are random bytes, since neither the server nor a generator that only counts can tell.
 */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { labelledHash } from "../../lib/crypto/hash.ts";
import { tagBytes } from "../../lib/crypto/seal.ts";
import { generateX25519 } from "../../lib/crypto/x25519.ts";
import { boxHash, sealBox } from "../../lib/protocol/group/box.ts";
import { type CommitBody, makeCommit, roomId } from "../../lib/protocol/group/commit.ts";
import { epochCheck, noKeyFile } from "../../lib/protocol/group/epoch.ts";
import { keyFileRoomId } from "../../lib/protocol/group/key_file_message.ts";
import { encodeHeader, namedCommitBytes } from "../../lib/protocol/group/sealed_message.ts";
import { encodeMessage, type LinkMessage, roomKinds } from "../../lib/protocol/channel/link_messages.ts";
import { makePrekey, parsePrekey, type PrekeySecrets } from "../../lib/protocol/identity/prekey.ts";
import { maxMembers, memberRoles, policies } from "../../lib/protocol/group/roster.ts";
import { parseCard } from "../../lib/protocol/identity/card.ts";
import { Writer } from "../../lib/protocol/codec/wire.ts";
import { LoadLink } from "./load_link.ts";
import { maxViewLag } from "../../lib/protocol/group/history.ts";
import { noHeadSignature, viewOfNothing } from "../../lib/protocol/group/signed_head.ts";
import { siteOf } from "../../lib/protocol/group/site.ts";
import { nowSeconds, type Person, shakeHands, type Shaken } from "./member.ts";

const textBytes = 100;
const pingEveryMs = 30_000;
const zeros = new Uint8Array(32);

/** A member who is linked. */
export interface Member {
  readonly person: Person;
  readonly link: LoadLink;
  /** Position that the next entry counts as, once the link only counts. */
  next: number;
  /** `n` of its next message. */
  n: number;
  /** Of what the server sends. */
  readonly trafficSecret: Bytes | null;
}

/** Members in a room. */
export class RoomOfLoad {
  /** In order of joining. */
  readonly members: Member[] = [];
  /** Room id. */
  room!: Bytes;
  /** Of a room with members. */
  name = "";
  /** Told when a member's link is over. */
  onEnd: (member: Member) => void = ({ person }) => {
    for (const wait of this.#waiting.splice(0)) {
      wait.reject(new Error(`the server closed the link of ${person.name}`));
    }
  };
  #commitPos = 0;
  #waiting: {
    match: (member: Member, message: LinkMessage) => boolean;
    resolve: () => void;
    reject: (why: Error) => void;
  }[] = [];
  #kind: number;
  /** The beginning of the hash of its last commit. */
  #named: Bytes = zeros;
  /** How many messages were made. */
  #spoken = 0;
  /** Where its server's rooms are. */
  #site: Bytes = zeros;

  /**
   * @param people who shall be in it
   * @param ports of the server, or of what passes connections on to it; of several they are used by turns
   * @param keepsSecrets whether the members' traffic secrets are wanted: costs an RSA decryption each
   */
  constructor(
    private readonly people: readonly Person[],
    private readonly ports: number | readonly number[],
    private readonly keepsSecrets = false,
  ) {
    this.#kind = people.length > maxMembers ? roomKinds.keyFile : roomKinds.ordinary;
  }

  /** Bytes of one ENTRY of it. */
  get entryBytes(): number {
    const { person: { identity: { id } } } = this.members[0];
    const bytes = this.#message(id, 0);
    const entry = { room: this.room, pos: 1, time: 1, kind: 2, address: "", bytes };
    return encodeMessage({ type: "ENTRY", ...entry }).length;
  }

  /** Handshakes, a few at a time, until all are welcome. @param atOnce how many at a time */
  async login(atOnce: number): Promise<void> {
    let next = 0;
    const worker = async () => {
      while (next < this.people.length) {
        const port = typeof this.ports === "number" ? this.ports : this.ports[next % this.ports.length];
        const person = this.people[next++];
        let secret: Bytes | null = null;
        const onSecret = this.keepsSecrets ? (known: Bytes) => secret = known : undefined;
        this.members.push(await this.#enter(person, await shakeHands(person, port, onSecret), secret));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  }

  async #enter(person: Person, shaken: Shaken, trafficSecret: Bytes | null): Promise<Member> {
    const link = new LoadLink(shaken);
    const member: Member = { person, link, next: 0, n: 0, trafficSecret };
    link.onMessage = (message) => {
      if (message.type === "WELCOME") this.#site = siteOf(shaken.established.peer.id, message.runId);
      this.#received(member, message);
    };
    void link.run().then(() => this.onEnd(member));
    link.say({ type: "HELLO", runId: new Uint8Array(16), rooms: [] });
    await this.#until((who, message) => who === member && message.type === "WELCOME");
    return member;
  }

  /** Makes the room, and has everybody enter it. */
  async join(): Promise<void> {
    await (this.#kind === roomKinds.keyFile ? this.#joinKeyFileRoom() : this.#makeRoom());
  }

  async #joinKeyFileRoom(): Promise<void> {
    this.room = keyFileRoomId(systemRandom(32), zeros, "load");
    for (const member of this.members) {
      const entered = this.#until((who, message) => who === member && message.type === "ROOM_INFO");
      member.link.say({ type: "JOIN", ref: 1, room: this.room, kind: roomKinds.keyFile, pos: 0 });
      await entered;
    }
  }

  async #makeRoom(): Promise<void> {
    const [creator, ...others] = this.members;
    const { identity, name } = creator.person;
    const prev = systemRandom(32);
    const roomName = this.name = `load${Math.floor(Math.random() * 1e9)}`;
    this.room = roomId(identity.id, roomName, prev);
    const first = { room: this.room, epoch: 0, prev, author: identity.id };
    const secret = systemRandom(32);
    const body: CommitBody = {
      ...first,
      time: nowSeconds(),
      view: viewOfNothing(this.room),
      policy: policies.open,
      roomName,
      roster: [{ id: identity.id, role: memberRoles.admin, since: 0, name, boxHash: zeros }],
      leaves: [],
      how: 0,
      use: null,
      passes: [],
      bans: [],
      check: epochCheck(secret, noKeyFile, first),
    };
    const genesis = makeCommit(body, this.#site, identity.signing);
    await this.#commit(creator, genesis, 1);
    const second = { ...first, epoch: 1, prev: labelledHash("chat2 commit", genesis) };
    const ephemeral = await generateX25519();
    const prekeys = await Promise.all(others.map((member) => this.#publishPrekey(member)));
    const boxes = await Promise.all(
      others.map(({ person }, i) =>
        sealBox(
          secret,
          second,
          ephemeral,
          parsePrekey(prekeys[i].published),
          person.identity.rsaSpki,
          systemRandom,
        )
      ),
    );
    for (const [i, box] of boxes.entries()) creator.link.say({ type: "BOX_PUT", ref: 10 + i, box });
    const added = others.map(({ person }, i) => ({
      id: person.identity.id,
      role: memberRoles.member,
      since: 1,
      name: parseCard(person.card).name,
      boxHash: boxHash(boxes[i]),
    }));
    const entered = others.map((member) =>
      this.#until((who, message) => who === member && message.type === "ENTRY" && message.pos === 2)
    );
    const view = { pos: 1, hash: zeros, headSig: noHeadSignature };
    const commit = makeCommit(
      {
        ...body,
        ...second,
        view,
        roster: [...body.roster, ...added],
        check: epochCheck(secret, noKeyFile, second),
      },
      this.#site,
      identity.signing,
    );
    await this.#commit(creator, commit, 2);
    await Promise.all(entered);
    this.#commitPos = 2;
    this.#named = labelledHash("chat2 commit", commit).slice(0, namedCommitBytes);
    for (const member of this.members) member.next = 3;
  }

  async #commit(author: Member, commit: Bytes, pos: number): Promise<void> {
    let code: number | null = null;
    const answered = this.#until((who, message) => {
      if (who !== author || (message.type !== "STORED" && message.type !== "ERROR")) return false;
      if (message.type === "ERROR") code = message.code;
      return message.ref === pos;
    });
    author.link.say({ type: "COMMIT", ref: pos, commit });
    await answered;
    if (code !== null) throw new Error(`the server has refused a commit with code ${code}`);
  }

  async #publishPrekey(member: Member): Promise<PrekeySecrets> {
    const { identity: { id, signing } } = member.person;
    const prekey = await makePrekey(id, signing, 0, nowSeconds());
    const done = this.#until((who, message) =>
      who === member && message.type === "DONE" && message.ref === 5
    );
    member.link.say({ type: "PREKEY_PUT", ref: 5, prekey: prekey.published });
    await done;
    return prekey;
  }

  /** One message of a member, ready to be sent. @param ref which STORED brings back */
  speak(member: Member, ref: number): void {
    const message = this.#message(member.person.identity.id, member.n++);
    member.link.say({ type: "SEND", ref, message });
  }

  #message(sender: Bytes, n: number): Bytes {
    const isKeyFile = this.#kind === roomKinds.keyFile;
    // Not where it stands, but so far behind at most as a server takes it.
    const pos = this.#commitPos + Math.max(0, this.#spoken++ - maxViewLag / 2);
    const view = { pos, hash: zeros, headSig: noHeadSignature };
    const salt = isKeyFile ? new Uint8Array(16) : systemRandom(16);
    const [epoch, commit] = isKeyFile ? [0, new Uint8Array(16)] : [1, this.#named];
    const header = { kind: this.#kind, room: this.room, epoch, commit, sender, n, view, salt };
    // 128: the smallest padded content, which 100 bytes of text fit into; 228: a Fernet token of them.
    const sealed = systemRandom(isKeyFile ? 228 : (textBytes + 29 <= 128 ? 128 : 256) + tagBytes);
    return new Writer(512).raw(encodeHeader(header)).vec32(sealed).raw(new Uint8Array(64)).done();
  }

  /** From now on all but these only count. */
  countAllBut(witnesses: readonly Member[]): void {
    for (const member of this.members) member.link.isWitness = witnesses.includes(member);
  }

  /** PINGs as clients do, each at its own time: who only listens must be heard of. */
  keepAlive(): void {
    for (const [i, { link }] of this.members.entries()) {
      const ping = () => {
        link.say({ type: "PING", any: 0 });
        setTimeout(ping, pingEveryMs);
      };
      setTimeout(ping, i * pingEveryMs / this.members.length);
    }
  }

  /** Ends all links. */
  close(): void {
    for (const { link } of this.members) link.close();
  }

  /** Told of everything that witnesses see. */
  onMessage: (member: Member, message: LinkMessage) => void = () => {};

  #received(member: Member, message: LinkMessage): void {
    this.#waiting = this.#waiting.filter((wait) => {
      if (!wait.match(member, message)) return true;
      wait.resolve();
      return false;
    });
    if (message.type === "PING") member.link.say({ type: "PONG", any: message.any });
    this.onMessage(member, message);
  }

  #until(match: (member: Member, message: LinkMessage) => boolean): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ match, resolve, reject }));
  }
}

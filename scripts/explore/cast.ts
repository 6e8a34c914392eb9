/**
 * Cast: who takes part in the exploration (protocol §15), and the entries that they make. All of it follows from what
 * was done before: the same steps make the same bytes. Boxes are names of secrets; all other cryptography is real.
 */

import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { signingKey } from "../../lib/crypto/ed25519.ts";
import { labelledHash, sha256 } from "../../lib/crypto/hash.ts";
import { type Commit, type CommitBody, makeCommit, parseCommit } from "../../lib/protocol/group/commit.ts";
import { headAfter, type RoomHead } from "../../lib/protocol/group/commit_rules.ts";
import { contentTypes } from "../../lib/protocol/group/content.ts";
import { chainStep, epochCheck, noKeyFile, senderChains } from "../../lib/protocol/group/epoch.ts";
import {
  type Chain,
  type Facts,
  type GroupState,
  newGroupState,
  type Waiting,
} from "../../lib/protocol/group/group_state.ts";
import {
  digestHash,
  entryHash,
  entryKinds,
  type HistoryView,
  type SignedView,
} from "../../lib/protocol/group/history.ts";
import { process } from "../../lib/protocol/group/process.ts";
import { findMember, type Member } from "../../lib/protocol/group/roster.ts";
import { messageKinds, namedCommitBytes, sealMessage } from "../../lib/protocol/group/sealed_message.ts";
import { signedViewOf, signHead } from "../../lib/protocol/group/signed_head.ts";
import { cardBook, genesis, member } from "../../tests/fakes/commits.ts";
import { type Person, person } from "../../tests/fakes/people.ts";
import { testSite } from "../../tests/fakes/site.ts";

const people = await Promise.all(["ira", "sahnawaz", "mallory", "dana", "erin", "server"].map(person));
/** Ira is the admin, sam a member, mallory the one who lies and is put out, dana her friend, erin a newcomer. */
export const [ira, sam, mallory, dana, erin, server] = people;
export const cards = await cardBook();
/** A pass of which mallory has the seed, and one that erin has. */
export const malloryPass = signingKey(new Uint8Array(32).fill(0x31));
export const erinPass = signingKey(new Uint8Array(32).fill(0x32));

/** The time of all entries, and of a pass that has not ended, in seconds. */
export const now = 1_700_000_100;

/** 32 bytes that are somebody's alone. */
export function draw(...parts: string[]): Bytes {
  return labelledHash("explore", ...parts.map((part) => new TextEncoder().encode(part)));
}

/** What stands at each position, and as which kind. */
export type Log = Readonly<Record<number, string>>;

/** An entry, and what its author knew when it was made. */
export interface Made {
  /** Short, for what is printed. */
  readonly name: string;
  /** By its bytes. */
  readonly id: string;
  readonly kind: number;
  readonly bytes: Bytes;
  readonly commit: Commit | null;
  readonly author: Person;
  /** All that an honest author had when it was made, by position; null for what somebody hostile has made. */
  readonly stood: Log | null;
  /** Whether mallory was out for its author, or is by it. */
  readonly isUnderRemoval: boolean;
}

/** By box hash in hex: what the box holds. */
const boxes = new Map<string, Bytes>();
/** By commit hash in hex. */
const secrets = new Map<string, Bytes>();

const idOf = (bytes: Bytes) => encodeHex(sha256(bytes)).slice(0, 16);

/** Signs where a room stands: the server signs whatever it has shown. */
export function signed(room: Bytes, view: HistoryView, site: Bytes = testSite): SignedView {
  return { ...view, headSig: signHead({ site, room }, view, server.identity.signing) };
}

/** A commit after `head`, with a box for each member. @param stood of an honest author */
export function commitAfter(
  name: string,
  head: RoomHead,
  author: Person,
  view: SignedView,
  bend: Partial<CommitBody> = {},
  stood: Log | null = null,
  signer: Person = author,
): Made {
  const epoch = head.epoch + 1;
  const place = { room: head.room, epoch, prev: head.commitHash, author: author.card.id };
  const what = [name, author.name, encodeHex(head.commitHash), String(view.pos), encodeHex(view.hash)];
  const secret = draw("secret", ...what);
  const boxFor = (m: Member): Member => {
    if (m.name === author.name) return { ...m, boxHash: new Uint8Array(32) };
    const boxHash = draw("box", m.name, ...what);
    boxes.set(encodeHex(boxHash), secret);
    return { ...m, boxHash };
  };
  const body: CommitBody = {
    ...place,
    how: 0,
    use: null,
    time: now,
    view,
    policy: head.policy,
    roomName: head.roomName,
    leaves: [],
    passes: head.passes,
    bans: head.bans,
    check: epochCheck(secret, noKeyFile, place),
    ...bend,
    roster: (bend.roster ?? head.roster).map(boxFor),
  };
  const bytes = makeCommit(body, testSite, signer.identity.signing);
  const commit = parseCommit(bytes);
  secrets.set(encodeHex(commit.hash), secret);
  return {
    name,
    id: idOf(bytes),
    kind: entryKinds.commit,
    bytes,
    commit,
    author,
    stood,
    isUnderRemoval: !findMember(commit.roster, mallory.card.id),
  };
}

/** What stands in the place of an entry. */
export function madeOf(name: string, kind: number, bytes: Bytes, author: Person): Made {
  return { name, id: idOf(bytes), kind, bytes, commit: null, author, stood: null, isUnderRemoval: false };
}

/** One honest client, as the group core and the alarm have it. It never changes: steps make the next one. */
export interface Local {
  readonly who: Person;
  /** All that was done, which determines the rest. */
  readonly key: string;
  readonly state: GroupState;
  readonly alarm: "hides" | "two histories" | null;
  /** Somebody was named as a liar. */
  readonly hasNamed: boolean;
  readonly waiting: ReadonlyMap<string, Waiting>;
  readonly log: Log;
  /** Entries that it was given whole. */
  readonly taken: readonly string[];
  /** It has taken in something that was made under mallory's removal. */
  readonly isTainted: boolean;
  readonly said: number;
  readonly committed: number;
}

/** Who has seen nothing yet. */
export function outside(who: Person, room: Bytes, over: Partial<GroupState> = {}): Local {
  return {
    who,
    key: who.name,
    state: { ...newGroupState(room, "lobby"), ...over },
    alarm: null,
    hasNamed: false,
    waiting: new Map(),
    log: {},
    taken: [],
    isTainted: false,
    said: 0,
    committed: 0,
  };
}

function factsOf({ who, waiting }: Local): Facts {
  return {
    own: who.card.id,
    site: testSite,
    server: server.card.verifying,
    cards,
    roomKey: noKeyFile,
    now,
    isBehind: false,
    pinnedRoom: () => null,
    conflicts: () => false,
    opened: (hash) => boxes.get(encodeHex(hash))?.slice() ?? "withheld",
    waiting: (bytes) => waiting.get(idOf(bytes)) ?? null,
  };
}

/** How an entry is given: as it is, as the hash of what has expired, or as the other kind. */
export type Form = "whole" | "hash" | "other kind";

const steps = new Map<string, Local | null>();

/** Gives the next entry to a client, with the head of what it has then. @returns null when its link ends */
export function give(
  local: Local,
  made: Made,
  form: Form = "whole",
  start: HistoryView | null = null,
): Local | null {
  const key = `${local.key}|${form[0]}${made.id}${start ? encodeHex(start.hash).slice(0, 8) : ""}`;
  let after = steps.get(key);
  if (after === undefined) steps.set(key, after = giveNew(local, made, form, key, start));
  return after;
}

function giveNew(local: Local, made: Made, form: Form, key: string, start: HistoryView | null): Local | null {
  const { state } = local;
  const view = state.history?.view ?? null;
  const other = made.kind === entryKinds.commit ? entryKinds.message : entryKinds.commit;
  const kind = form === "other kind" ? other : made.kind;
  const pos = (start ?? view!).pos + 1;
  let next: GroupState;
  let alarm = local.alarm;
  let hasNamed = local.hasNamed;
  if (form === "hash") {
    next = { ...state, history: state.history!.after(digestHash(entryKinds.message, sha256(made.bytes))) };
  } else {
    const entry = { pos, time: now, kind, bytes: made.bytes, start: start?.hash };
    const result = process(state, entry, factsOf(local));
    if (result.type !== "done") return null;
    next = result.state;
    for (const effect of result.effects) {
      if (effect.type === "hides") alarm = "hides";
      if (effect.type === "two histories") alarm ??= "two histories";
      if (effect.type === "false view") hasNamed = true;
    }
  }
  const at = next.history!.view;
  return {
    ...local,
    key,
    state: { ...next, proved: { pos: at.pos, signature: signed(state.id, at).headSig } },
    alarm,
    hasNamed,
    log: { ...local.log, [pos]: `${made.id} ${form === "hash" ? entryKinds.message : kind}` },
    taken: form === "hash" ? local.taken : [...local.taken, made.id],
    isTainted: local.isTainted || (form !== "hash" && made.isUnderRemoval),
  };
}

/** Whether a client may seal something now, as the client does. */
export function canSeal({ state, alarm }: Local): boolean {
  return state.status === "in" && alarm === null && state.pendingCommit === null;
}

/** It says something. */
export function say(local: Local): { local: Local; made: Made } {
  const { state, who } = local;
  const own = encodeHex(who.card.id);
  const chain = state.chains[own] as Chain & { key: Bytes };
  const { messageKey, next } = chainStep(chain.key);
  const head = state.head!;
  const msgId = draw("msg", local.key).slice(0, 16);
  const content = { type: contentTypes.text, msgId, timeMs: now * 1000, body: draw("text", local.key) };
  const header = {
    kind: messageKinds.ordinary,
    room: state.id,
    epoch: head.epoch,
    commit: head.commitHash.slice(0, namedCommitBytes),
    sender: who.card.id,
    n: chain.n,
    view: signedViewOf(state),
    salt: draw("salt", local.key).slice(0, 16),
  };
  const bytes = sealMessage(header, content, messageKey, head.commitHash, who.identity.signing);
  const made = {
    ...madeOf(`${who.name}'s line`, entryKinds.message, bytes, who),
    stood: local.log,
    isUnderRemoval: !findMember(head.roster, mallory.card.id),
  };
  return {
    made,
    local: {
      ...local,
      key: `${local.key}|say`,
      state: { ...state, chains: { ...state.chains, [own]: { key: next, n: chain.n + 1 } } },
      waiting: new Map([...local.waiting, [made.id, content]]),
      said: local.said + 1,
    },
  };
}

/** It commits something. */
export function commits(local: Local, name: string, bend: Partial<CommitBody>): { local: Local; made: Made } {
  const { state, who } = local;
  const made = commitAfter(name, state.head!, who, signedViewOf(state), bend, local.log);
  const { bytes, hash, epoch } = made.commit!;
  const secret = secrets.get(encodeHex(hash))!.slice();
  return {
    made,
    local: {
      ...local,
      key: `${local.key}|${name}`,
      state: { ...state, pendingCommit: { bytes, hash, epoch, secret } },
      committed: local.committed + 1,
    },
  };
}

/** The server says that its commit was refused. */
export function isRefused(local: Local): Local {
  return { ...local, key: `${local.key}|refused`, state: { ...local.state, pendingCommit: null } };
}

/** What was sealed with a commit. */
export function secretOf({ commit }: Made): Bytes {
  return secrets.get(encodeHex(commit!.hash))!.slice();
}

/** Where a room stands after its first entry. */
export function viewAfter(room: Bytes, { kind, bytes }: Made): HistoryView {
  return { pos: 1, hash: sha256(room, entryHash(kind, bytes)) };
}

/** The chains of an epoch, by the secret of its commit, for who knows it. */
export function chainOf(commit: Commit, who: Person): Bytes {
  const secret = secrets.get(encodeHex(commit.hash))!;
  const ids = commit.roster.map(({ id }) => id);
  const at = commit.roster.findIndex(({ name }) => name === who.name);
  return senderChains(secret.slice(), noKeyFile, commit.hash, ids)[at];
}

/** A room that ira has made, and let these people in to. */
export function roomOf(
  others: readonly Person[],
  bend: Partial<CommitBody> = {},
): { first: Made; second: Made } {
  const begins = genesis(ira);
  const { room } = begins;
  secrets.set(encodeHex(begins.hash), draw("first"));
  const first = { ...madeOf("the room", entryKinds.commit, begins.bytes, ira), commit: begins };
  const view = viewAfter(room, first);
  const roster = [member(ira, 0, 1), ...others.map((each) => member(each, 1))];
  const second = commitAfter(
    "all are in",
    headAfter(begins, 1),
    ira,
    signed(room, view),
    { roster, ...bend },
  );
  return { first, second };
}

/** A promise that breaks, and by which steps. */
export interface Finding {
  /** Its number, and what has happened. */
  readonly property: string;
  readonly steps: readonly string[];
}

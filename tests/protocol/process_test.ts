/**
 * The group core by itself: entries, facts and states as data; no room, no connection, no server. We are sahnawaz; ira
 * made the room and has let us in.
 */

import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { signingKey } from "../../lib/crypto/ed25519.ts";
import { usePass } from "../../lib/protocol/group/pass.ts";
import { beginShown, followShown, isBeforeShown, type Shown } from "../../lib/protocol/group/shown.ts";
import {
  type Commit,
  type CommitBody,
  commitHow,
  makeCommit,
  parseCommit,
} from "../../lib/protocol/group/commit.ts";
import { contentTypes } from "../../lib/protocol/group/content.ts";
import type { Effect, Processed } from "../../lib/protocol/group/effects.ts";
import { chainStep, epochCheck, noKeyFile, senderChains } from "../../lib/protocol/group/epoch.ts";
import {
  type Entry,
  type Facts,
  type GroupState,
  newGroupState,
  type Opened,
  type Waiting,
} from "../../lib/protocol/group/group_state.ts";
import {
  entryHash,
  entryKinds,
  History,
  type HistoryView,
  type SignedView,
} from "../../lib/protocol/group/history.ts";
import { process } from "../../lib/protocol/group/process.ts";
import { keyFileFlag, type Member } from "../../lib/protocol/group/roster.ts";
import { type MessageHeader, sealMessage } from "../../lib/protocol/group/sealed_message.ts";
import { cardBook, genesis, headOf, member, zeros } from "../fakes/commits.ts";
import { type Person, person } from "../fakes/people.ts";
import { signedBy, testSite, unsigned } from "../fakes/site.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { test } from "../fakes/test.ts";

const [ira, sam, dana, mallory, server] = await Promise.all(
  ["ira", "sahnawaz", "dana", "mallory", "server"].map(person),
);
const cards = await cardBook();
const random = seededRandom("process");
const first = genesis(ira);
const waiting = newGroupState(first.room, "lobby");
const facts = (over: Partial<Facts> = {}): Facts => ({
  own: sam.card.id,
  site: testSite,
  server: server.card.verifying,
  cards,
  roomKey: noKeyFile,
  now: 1_700_000_500,
  isBehind: false,
  pinnedRoom: () => null,
  conflicts: () => false,
  opened: () => undefined,
  waiting: () => null,
  ...over,
});

interface Made {
  readonly commit: Commit;
  readonly secret: Bytes;
  readonly boxHash: Bytes;
}

/** A commit by `author` that follows `head`, with a box for us whose content the facts tell. */
function commit(
  head: { commitHash: Bytes; epoch: number },
  author: Person,
  roster: readonly Member[],
  view: HistoryView | SignedView,
  bend: Partial<CommitBody> = {},
): Made {
  const secret = random(32);
  const boxHash = random(32);
  const place = { room: first.room, epoch: head.epoch + 1, prev: head.commitHash, author: author.card.id };
  const body: CommitBody = {
    ...place,
    time: 1_700_000_100,
    view: "headSig" in view ? view : signedBy(first.room, view),
    policy: 0,
    roomName: "lobby",
    leaves: [],
    how: 0,
    use: null,
    passes: [],
    bans: [],
    check: epochCheck(secret, noKeyFile, place),
    ...bend,
    roster: roster.map((m) => m.name === sam.name && author !== sam ? { ...m, boxHash } : m),
  };
  return { commit: parseCommit(makeCommit(body, testSite, author.identity.signing)), secret, boxHash };
}
const entry = (
  pos: number,
  bytes: Bytes,
  kind: number = entryKinds.commit,
  more: Partial<Entry> = {},
): Entry => {
  return { pos, time: 1_700_000_400, kind, bytes, ...more };
};
const opens = ({ boxHash, secret }: Made, what: Opened = secret.slice()): Partial<Facts> => ({
  opened: (hash) => encodeHex(hash) === encodeHex(boxHash) ? what : undefined,
});
const types = (effects: readonly Effect[]) => effects.map(({ type }) => type);
function done<S>(result: Processed<S>): { state: S; effects: readonly Effect[] } {
  if (result.type !== "done") throw new Error(JSON.stringify(result));
  return result;
}

/** Anything below may be read and not written: a step that changed its input would throw. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || value instanceof History) {
    return value;
  }
  Object.values(value).forEach(frozen);
  return Object.freeze(value);
}

const begun = new History({ pos: 0, hash: first.room }).after(entryHash(entryKinds.commit, first.bytes));
const two = [member(ira, 0, 1), member(sam, 1)];
const admits = commit(headOf(first, 1), ira, two, begun.view);
const start = begun.view.hash;
const admission = entry(2, admits.commit.bytes, entryKinds.commit, { start });
const inside = frozen(done(process(waiting, admission, facts(opens(admits)))).state);

/** Ira's chain in the epoch that admitted us. */
const iraChain = senderChains(admits.secret, noKeyFile, admits.commit.hash, two.map((m) => m.id))[0];

function message(
  text: string,
  bend: Partial<MessageHeader> = {},
  options: { signer?: Person; key?: Bytes; msgId?: Bytes; at?: number } = {},
): Bytes {
  let key = options.key ?? iraChain;
  for (let i = 0; i < (options.at ?? 0); i++) key = chainStep(key).next;
  const header: MessageHeader = {
    kind: 1,
    room: first.room,
    epoch: 1,
    commit: admits.commit.hash.slice(0, 16),
    sender: ira.card.id,
    n: options.at ?? 0,
    view: signedBy(first.room, inside.history!.view),
    salt: random(16),
    ...bend,
  };
  const content = {
    type: contentTypes.text,
    msgId: options.msgId ?? random(16),
    timeMs: 5,
    body: new TextEncoder().encode(text) as Bytes,
  };
  const { messageKey } = chainStep(key);
  return sealMessage(
    header,
    content,
    messageKey,
    admits.commit.hash,
    (options.signer ?? ira).identity.signing,
  );
}
const say = (bytes: Bytes, pos = 3) => entry(pos, bytes, entryKinds.message);

test("an admission: in the room, with its keys, by the name and the history of its commit", () => {
  const { state, effects } = done(process(waiting, admission, facts(opens(admits))));
  assertEquals(types(effects), ["spent", "epoch", "uncovered", "admitted"]);
  assertObjectMatch(state, { status: "in", readable: true, name: "lobby" });
  assertEquals(state.head!.epoch, 1);
  assertEquals(state.history!.view, begun.after(entryHash(entryKinds.commit, admits.commit.bytes)).view);
  assertEquals(state.chains[encodeHex(ira.card.id)], { key: iraChain, n: 0 });
  assertEquals(state.commitTime, 1_700_000_400, "the earlier of the server's time and ours");
});

test("an admission waits for the person where a member's key has changed, and for the room's own key file", () => {
  const doubted = process(
    waiting,
    admission,
    facts({ ...opens(admits), conflicts: ({ name }) => name === "ira" }),
  );
  assertObjectMatch(doubted, { type: "need", need: { type: "trust", people: [{ name: "ira" }] } });
  const locked = commit(headOf(first, 1), ira, two, begun.view, { policy: keyFileFlag });
  const wrong = facts({ ...opens(locked), roomKey: random(32) });
  assertEquals(process(waiting, entry(2, locked.commit.bytes, entryKinds.commit, { start }), wrong), {
    type: "wrong key file",
    roomName: "lobby",
  });
});

test("one step: the same state, entry and facts give the same result, and the state stays what it was", () => {
  const bytes = message("hello");
  const before = inside.history!.view;
  const [a, b] = [process(inside, say(bytes), facts()), process(inside, say(bytes), facts())];
  assertEquals(done(a).effects, done(b).effects);
  assertEquals(done(a).state.history!.view, done(b).state.history!.view);
  assertEquals(inside.history!.view, before);
  assertEquals(inside.chains[encodeHex(ira.card.id)].n, 0);
});

test("what is missing is asked for, in the order of the checks, and nothing has changed until it is there", () => {
  const three = [...two, member(dana, 2)];
  const adds = commit(inside.head!, ira, three, inside.history!.view);
  const step = entry(3, adds.commit.bytes);
  const noDana = {
    cards: (id: Uint8Array) => encodeHex(id) === encodeHex(dana.card.id) ? undefined : cards(id),
  };
  assertEquals(process(inside, step, facts(noDana)), {
    type: "need",
    need: { type: "cards", ids: [dana.card.id] },
  });
  const doubted = process(inside, step, facts({ conflicts: ({ name }) => name === "dana" }));
  assert(doubted.type === "need" && doubted.need.type === "trust");
  assertEquals(doubted.need.people.map(({ name }) => name), ["dana"]);
  const boxed = process(inside, step, facts());
  assert(boxed.type === "need" && boxed.need.type === "box");
  assertEquals(boxed.need.hash, adds.boxHash);
  const { state, effects } = done(process(inside, step, facts(opens(adds))));
  assertEquals(types(effects), ["agrees", "changed", "spent", "epoch", "uncovered"]);
  assertEquals(state.head!.roster.map((m) => m.name), ["ira", "sahnawaz", "dana"]);
});

test("who stays is not doubted again: the person may have accepted another key for the name since", () => {
  const refresh = commit(inside.head!, ira, two, inside.history!.view);
  const result = process(
    inside,
    entry(3, refresh.commit.bytes),
    facts({ ...opens(refresh), conflicts: () => true }),
  );
  assertEquals(result.type, "done");
});

for (
  const [what, why, more] of [
    ["no box", "no box", {}],
    ["a box that is withheld", "withheld", { opened: () => "withheld" }],
    ["a box with another secret", "not what was signed", { opened: () => random(32) }],
  ] as [string, string, Partial<Facts>][]
) {
  test(`a commit with ${what} counts, and leaves us without a key`, () => {
    const made = commit(inside.head!, ira, two, inside.history!.view);
    const bytes = why === "no box"
      ? parseCommit(makeCommit({ ...made.commit, roster: two }, testSite, ira.identity.signing)).bytes
      : made.commit.bytes;
    const { state, effects } = done(process(inside, entry(3, bytes), facts(more)));
    assertObjectMatch(effects.find(({ type }) => type === "no key")!, { author: "ira", why });
    assertEquals([state.readable, state.head!.epoch], [false, 2]);
    const unread = done(process(state, say(message("old"), 4), facts()));
    assertEquals(
      types(unread.effects),
      ["hides", "message refused"],
      "a message of the epoch before has no place",
    );
  });
}
const refusedCommits: [string, RegExp, () => Bytes][] = [
  ["is no commit", /not a commit/, () => random(100)],
  ["is signed by another", /signature/, () => {
    const made = commit(inside.head!, ira, two, inside.history!.view);
    return parseCommit(makeCommit(made.commit, testSite, mallory.identity.signing)).bytes;
  }],
  [
    "follows another",
    /prev/,
    () => commit({ ...inside.head!, commitHash: zeros }, ira, two, inside.history!.view).commit.bytes,
  ],
  [
    "removes somebody without the right to",
    /only an admin removes/,
    () => commit(inside.head!, sam, [member(sam, 1, 1)], inside.history!.view).commit.bytes,
  ],
];
for (const [what, says, make] of refusedCommits) {
  test(`a commit that ${what} is fed to the history and changes nothing else`, () => {
    const bytes = make();
    const { state, effects } = done(process(inside, entry(3, bytes), facts()));
    assert(effects[0].type === "commit refused");
    assertEquals(types(effects), ["commit refused", "hides"]);
    assert(says.test(effects[0].why), effects[0].why);
    assertEquals({ ...state, history: null }, { ...inside, history: null });
    assertEquals(state.history!.view, inside.history!.after(entryHash(entryKinds.commit, bytes)).view);
  });
}

const refusedMessages: [string, string, () => Bytes][] = [
  ["is no message", "no message", () => random(200)],
  ["is of another room", "another room", () => message("x", { room: zeros })],
  ["is of a later epoch", "another epoch", () => message("x", { epoch: 2 })],
  [
    "is of somebody outside",
    "no member",
    () => message("x", { sender: mallory.card.id }, { signer: mallory }),
  ],
  ["jumps too far", "out of order", () => message("x", { n: 10_001 })],
  ["is signed by another", "not signed", () => message("x", {}, { signer: mallory })],
  [
    "claims a view before its epoch",
    "impossible view",
    () => message("x", { view: unsigned(1, zeros) }),
  ],
  ["claims a view of itself", "view of what follows", () => message("x", { view: unsigned(3, zeros) })],
  ["is sealed with another key", "does not open", () => message("x", {}, { key: random(32) })],
];
for (const [what, why, make] of refusedMessages) {
  test(`a message that ${what} is refused as "${why}", and moves no chain`, () => {
    const { state, effects } = done(process(inside, say(make()), facts()));
    const refused = effects.find(({ type }) => type === "message refused");
    assertObjectMatch(refused!, { why });
    assertEquals(state.chains, inside.chains);
    assertEquals(state.seen, inside.seen);
    assertEquals(state.history!.view.pos, 3);
  });
}

test("a message is shown once: its number moves the chain, and a repeated msg_id is passed over", () => {
  const msgId = random(16);
  const one = done(process(inside, say(message("hello", {}, { msgId })), facts()));
  assertEquals(types(one.effects), ["agrees", "uncovered", "message"]);
  assertEquals(one.state.chains[encodeHex(ira.card.id)].n, 1);
  const again = done(process(one.state, say(message("hello", {}, { msgId, at: 1 }), 4), facts()));
  assertEquals(types(again.effects), ["agrees", "uncovered"]);
  const replayed = done(process(one.state, say(message("hello", {}, { msgId }), 4), facts()));
  assertObjectMatch(replayed.effects[0], { type: "message refused", why: "out of order" });
});

test("numbers that were never shown are told of, unless expired entries explain them", () => {
  const skips = say(message("third", {}, { at: 2 }));
  const told = done(process(inside, skips, facts())).effects;
  assertObjectMatch(told.find(({ type }) => type === "missing")!, { count: 2 });
  const explained = done(process({ ...inside, expired: 2 }, skips, facts())).effects;
  assertEquals(types(explained).includes("missing"), false);
});

test("a view that is not ours: signed by the server it is the alarm, else a lie; the message is shown all the same", () => {
  const { pos } = inside.history!.view;
  const other = { pos, hash: random(32) };
  const said = (view: SignedView) =>
    types(done(process(inside, say(message("x", { view })), facts())).effects);
  assertEquals(said(signedBy(first.room, other)), ["two histories", "uncovered", "message"]);
  assertEquals(said(unsigned(pos, other.hash)), ["false view", "uncovered", "message"]);
  assertEquals(said(signedBy(zeros, other)), ["false view", "uncovered", "message"], "of another room");
  assertEquals(
    said(signedBy(first.room, other, zeros)),
    ["false view", "uncovered", "message"],
    "of another site",
  );
});

test("an own message that waited is stored; one that did not means a restored backup", () => {
  const samChain = senderChains(admits.secret, noKeyFile, admits.commit.hash, two.map((m) => m.id))[1];
  const bytes = message("mine", { sender: sam.card.id }, { signer: sam, key: samChain });
  const item: Waiting = { msgId: random(16), type: contentTypes.text, timeMs: 1, body: new Uint8Array(0) };
  const stored = done(process(inside, say(bytes), facts({ waiting: () => item })));
  assertEquals(types(stored.effects), ["agrees", "stored", "uncovered", "message"]);
  assertEquals(stored.state.suspect, false);
  const strange = done(process(inside, say(bytes), facts()));
  assertEquals(types(strange.effects).includes("not ours"), true);
  assertEquals(strange.state.suspect, true);
});

test("our removal: the keys go, and the state says so", () => {
  const removes = commit(inside.head!, ira, [two[0]], inside.history!.view);
  const { state, effects } = done(process(inside, entry(3, removes.commit.bytes), facts()));
  assertEquals(types(effects), ["agrees", "changed", "epoch", "removed", "uncovered"]);
  assertEquals([state.status, state.chains, state.readable], ["gone", {}, false]);
});

test("a commit of ours takes its secret from the state, which then has it no more", () => {
  const made = commit(inside.head!, sam, two, inside.history!.view);
  const { bytes, hash, epoch } = made.commit;
  const state = frozen({
    ...inside,
    suspect: true,
    pendingCommit: { bytes, hash, epoch, secret: made.secret },
  });
  const after = done(process(state, entry(3, bytes), facts()));
  assertEquals([after.state.pendingCommit, after.state.readable, after.state.suspect], [null, true, false]);
  const spent = after.effects.find(({ type }) => type === "spent");
  assert(
    spent?.type === "spent" && spent.secrets.includes(made.secret),
    "to be overwritten by whoever stores",
  );
  const strange = done(process(inside, entry(3, bytes), facts()));
  assertObjectMatch(strange.effects[0], { type: "not ours", what: "commit" });
  assertEquals([strange.state.readable, strange.state.suspect], [false, true]);
});

const notEntered: [string, Processed<GroupState>, () => Processed<GroupState>][] = [
  ["another room is known by the name", {
    type: "not entered",
    why: "another room has its name",
    roomName: "lobby",
  }, () => process(waiting, admission, facts({ ...opens(admits), pinnedRoom: () => zeros }))],
  ["a key file was given, and the room has none", {
    type: "not entered",
    why: "has no key file",
    roomName: "lobby",
  }, () => process(waiting, admission, facts({ ...opens(admits), roomKey: new Uint8Array(32).fill(1) }))],
  ["it bears another name than the one asked for", {
    type: "fault",
    why: "the room has another name than the one asked for",
  }, () => process({ ...waiting, name: "attic" }, admission, facts(opens(admits)))],
  ["the server does not say where it begins", {
    type: "fault",
    why: "a history that begins nowhere",
  }, () => process(waiting, { ...admission, start: null }, facts(opens(admits)))],
  ["it is from before our removal", {
    type: "fault",
    why: "an admission from before the removal",
  }, () => process({ ...inside, status: "gone" }, admission, facts(opens(admits)))],
  [
    "it is no commit",
    { type: "fault", why: "a room begins with no commit" },
    () => process(waiting, say(message("x")), facts()),
  ],
];
for (const [what, expected, act] of notEntered) {
  test(`an admission is not followed when ${what}`, () => assertEquals(act(), expected));
}

/** What we were shown of the room before we came in. */
const shown = (commit: Commit): Shown => beginShown(commit, null, null, null)!;
test("an admission that follows what we were shown is followed, and that is forgotten", () => {
  const before = { ...waiting, shown: shown(first) };
  const { state } = done(process(before, admission, facts(opens(admits))));
  assertEquals([state.status, state.shown], ["in", null]);
});
test("an admission that comes later than what we were shown waits for the commits between", () => {
  const refresh = commit(headOf(first, 1), ira, [member(ira, 0, 1)], begun.view);
  const later = commit(headOf(refresh.commit, 2), ira, [member(ira, 0, 1), member(sam, 2)], begun.view);
  const came = entry(3, later.commit.bytes, entryKinds.commit, { start });
  const needed = process({ ...waiting, shown: shown(first) }, came, facts(opens(later)));
  assertEquals(needed, { type: "need", need: { type: "chain", to: 1 } });
  const { state } = done(process({ ...waiting, shown: shown(refresh.commit) }, came, facts(opens(later))));
  assertEquals(state.head!.epoch, 2);
});
const notShown: [string, RegExp, () => Processed<GroupState>][] = [
  ["is from before what we were shown", /before what it has shown/, () => {
    return process({ ...waiting, shown: shown(admits.commit) }, admission, facts(opens(admits)));
  }],
  ["does not follow what we were shown", /prev is not/, () => {
    const other = { ...shown(first), head: { ...headOf(first, 1), commitHash: zeros } };
    return process({ ...waiting, shown: other }, admission, facts(opens(admits)));
  }],
  ["breaks a rule after what we were shown", /only an admin changes roles|no admin|made admin/, () => {
    const bad = commit(headOf(first, 1), ira, [member(ira, 0, 0), member(sam, 1)], begun.view);
    const came = entry(2, bad.commit.bytes, entryKinds.commit, { start });
    return process({ ...waiting, shown: shown(first) }, came, facts(opens(bad)));
  }],
  ["is another's own entry, which lists us as new", /not added by this commit/, () => {
    const roster = [member(ira, 0, 1), member(sam, 1), member(dana, 1)];
    const bad = commit(headOf(first, 1), dana, roster, begun.view, { how: 1 });
    const came = entry(2, bad.commit.bytes, entryKinds.commit, { start });
    return process(waiting, came, facts(opens(bad)));
  }],
];
for (const [what, why, act] of notShown) {
  test(`an admission is not followed when it ${what}`, () => {
    const result = act();
    assert(result.type === "fault" && why.test(result.why), JSON.stringify(result));
  });
}
const renewals: [string, number | null, number, Person, boolean][] = [
  ["an admin's later pass", 4, 3, ira, true],
  ["a pass of the last epoch known", 3, 3, ira, false],
  ["no pass", null, 3, ira, false],
  ["a later pass of who was no admin", 4, 3, mallory, false],
];
for (const [what, epoch, known, inviter, isOne] of renewals) {
  test(`an own entry by ${what} ${isOne ? "renews" : "does not renew"} what cannot be trusted`, () => {
    const seed = signingKey(new Uint8Array(32).fill(5));
    const pass = { key: seed.publicKey, until: 1_700_000_200, name: "" };
    const at = { ...headOf(first, 0), epoch: 4, passes: [pass] };
    const own = commit(at, sam, [member(ira, 0, 1), member(sam, 5)], begun.view, {
      how: commitHow.pass,
      use: usePass(seed, testSite, first.room, sam.card.id),
    });
    const { bytes, hash } = own.commit;
    const pendingCommit = { bytes, hash, epoch: 5, secret: own.secret.slice() };
    const listed = epoch === null ? null : { epoch, pass: pass.key, inviter: inviter.card.id };
    const through = { epoch: 4, hash: at.commitHash };
    const head = { ...headOf(first, 1), epoch: known };
    const before = { ...waiting, head, pendingCommit, shown: { head: at, listed, through } };
    const came = entry(9, own.commit.bytes, entryKinds.commit, { start });
    const { state, effects } = done(process(before, came, facts()));
    assertObjectMatch(effects.at(-1)!, {
      type: "admitted",
      own: true,
      renewedBy: isOne ? ira.card.id : null,
    });
    assertEquals([state.readable, state.pendingCommit], [true, null]);
  });
}
test("what was known once must be passed through, by whatever invite the chain is begun anew", () => {
  const refresh = commit(headOf(first, 1), ira, [member(ira, 0, 1)], begun.view).commit;
  const other = commit(headOf(first, 1), ira, [member(ira, 0, 1)], begun.view).commit;
  const rules = { site: testSite, cards };
  const known = headOf(refresh, 2);
  const again = beginShown(first, null, null, known)!;
  assertEquals([isBeforeShown(again, 1), isBeforeShown(again, 2)], [true, false]);
  assertEquals(followShown(again, other, rules), null);
  assertObjectMatch(followShown(again, refresh, rules)!, { head: { epoch: 1 }, through: { epoch: 1 } });
  assertEquals(beginShown(other, null, null, known), null);
  assertEquals(beginShown(other, null, shown(refresh), null), null);
  assertObjectMatch(beginShown(first, null, shown(refresh), null)!, {
    through: { epoch: 1, hash: refresh.hash },
  });
});

test("our history begins where the server says, whatever the author's view", () => {
  const elsewhere = random(32);
  const { state } = done(process(waiting, { ...admission, pos: 40, start: elsewhere }, facts(opens(admits))));
  const expected = new History({ pos: 39, hash: elsewhere }).after(
    entryHash(entryKinds.commit, admits.commit.bytes),
  );
  assertEquals(state.history!.view, expected.view);
});

test("whoever invited us acts: the room is confirmed, once", () => {
  const invited = { ...inside, inviter: ira.card.id };
  const { state, effects } = done(process(invited, say(message("welcome")), facts()));
  assertEquals([types(effects).includes("inviter seen"), state.inviter], [true, null]);
});

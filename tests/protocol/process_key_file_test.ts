/** The group core of key-file rooms by itself: entries, facts and states as data. We are sahnawaz. */

import { assertEquals, assertObjectMatch } from "@std/assert";
import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { entryHash, entryKinds, History, type SignedView } from "../../lib/protocol/group/history.ts";
import { sealKeyFileMessage } from "../../lib/protocol/group/key_file_message.ts";
import {
  type KeyFileFacts,
  type KeyFileProcessed,
  type KeyFileState,
  processAnswer,
  processKeyFileEntry,
} from "../../lib/protocol/group/process_key_file.ts";
import { type Person, person } from "../fakes/people.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { test } from "../fakes/test.ts";
import { signedBy, testSite, unsigned } from "../fakes/site.ts";

const [ira, sam, dana, server] = await Promise.all(["ira", "sahnawaz", "dana", "server"].map(person));
const impostor: Person = { ...dana, card: { ...dana.card, name: "Sahnawaz" } };
const random = seededRandom("key file");
const [room, key, otherKey, startHash] = [random(32), random(32), random(32), random(32)];
const start = unsigned(0, startHash);
const state: KeyFileState = Object.freeze({ id: room, history: new History(start), next: 7, last: {} });
const people = [ira, sam, server, impostor];
const facts = (over: Partial<KeyFileFacts> = {}): KeyFileFacts => ({
  site: testSite,
  own: sam.card,
  server: server.card,
  key,
  cards: (id) => people.find(({ card }) => equals(card.id, id))?.card,
  conflicts: () => false,
  waiting: () => null,
  ...over,
});

interface Said {
  readonly by?: Person;
  readonly room?: Bytes;
  readonly n?: number;
  readonly view?: SignedView;
  readonly key?: Bytes;
  readonly signedBy?: Person;
}
function said({ by = ira, n = 3, view = start, ...over }: Said = {}): Bytes {
  const header = { room: over.room ?? room, sender: by.card.id, n, view };
  const signing = (over.signedBy ?? by).identity.signing;
  return sealKeyFileMessage(header, "hello", over.key ?? key, 1_700_000_000, random(16), signing);
}
const entry = (bytes: Bytes, kind: number = entryKinds.message) => ({ pos: 1, time: 1, kind, bytes });
function done(result: KeyFileProcessed<KeyFileState>) {
  if (result.type !== "done") throw new Error(JSON.stringify(result));
  return result;
}

test("a message moves its sender's number and the history, and is told", () => {
  const bytes = said();
  const { state: after, effects } = done(processKeyFileEntry(state, entry(bytes), facts()));
  assertEquals(effects.length, 1);
  assertObjectMatch(effects[0], { type: "message", own: false, waited: null, n: 3, text: "hello" });
  assertEquals(after.last, { [encodeHex(ira.card.id)]: 3 });
  assertEquals(after.next, 7);
  assertEquals(after.history!.view, state.history!.after(entryHash(entryKinds.message, bytes)).view);
  assertEquals(state.last, {}, "the state before is as it was");
});

const ahead = unsigned(1, random(32));
const refusals: [why: string, bytes: Bytes, extra?: { kind?: number; last?: number; isHidden?: true }][] = [
  ["no message of this room", random(200), { isHidden: true }],
  ["no message of this room", said({ room: random(32) }), { isHidden: true }],
  ["no message of this room", said(), { kind: entryKinds.commit, isHidden: true }],
  ["of the server", said({ by: server })],
  ["out of order", said({ n: 3 }), { last: 3 }],
  ["not signed", said({ signedBy: sam })],
  ["does not open with the file", said({ key: otherKey })],
  ["our name", said({ by: impostor })],
  ["view of what follows", said({ view: ahead }), { isHidden: true }],
];
for (const [i, [why, bytes, { kind, last, isHidden } = {}]] of refusals.entries()) {
  test(`an entry that is refused (${why}, ${i}) is fed to the history and changes nothing else`, () => {
    const before = { ...state, last: last === undefined ? {} : { [encodeHex(ira.card.id)]: last } };
    const { state: after, effects } = done(processKeyFileEntry(before, entry(bytes, kind), facts()));
    assertEquals(
      effects.map((effect) => effect.type === "refused" ? effect.why : effect.type),
      isHidden ? ["hides", why] : [why],
    );
    const history = before.history!.after(entryHash(kind ?? entryKinds.message, bytes));
    assertEquals(after.history!.view, history.view);
    assertEquals({ ...after, history: null }, { ...before, history: null });
  });
}

test("what does not open raises no alarm and asks for no trust: whoever has not the file has said nothing", () => {
  const bytes = said({ key: otherKey, view: unsigned(0, random(32)) });
  const { effects } = done(processKeyFileEntry(state, entry(bytes), facts({ conflicts: () => true })));
  assertEquals(effects.map(({ type }) => type), ["refused"]);
});

test("an author with another history is heard all the same: signed by the server it is the alarm, else a lie", () => {
  const before = { ...state, history: new History({ pos: 3, hash: startHash }) };
  const shows = (view: SignedView) => {
    const { effects } = done(processKeyFileEntry(before, { ...entry(said({ view })), pos: 4 }, facts()));
    return effects.map(({ type }) => type);
  };
  assertEquals(shows(unsigned(3, startHash)), ["message"]);
  assertEquals(shows(unsigned(3, random(32))), ["false view", "message"]);
  assertEquals(shows(signedBy(room, { pos: 3, hash: random(32) })), ["two histories", "message"]);
});

test("a card that is missing and a key that has changed are asked for; nothing has moved", () => {
  const missing = processKeyFileEntry(state, entry(said()), facts({ cards: () => undefined }));
  assertObjectMatch(missing, { type: "need", need: { type: "cards" } });
  const changed = processKeyFileEntry(state, entry(said()), facts({ conflicts: () => true }));
  assertObjectMatch(changed, { type: "need", need: { type: "trust" } });
});

test("an own message is known by its bytes; one that this machine did not send is told, and moves our number", () => {
  const bytes = said({ by: sam, n: 9 });
  const msgId = random(16);
  const waited = done(processKeyFileEntry(state, entry(bytes), facts({ waiting: () => msgId })));
  assertObjectMatch(waited.effects[0], { type: "message", own: true, waited: msgId });
  assertEquals(waited.state.next, 10);
  const unknown = done(processKeyFileEntry(state, entry(bytes), facts()));
  assertEquals(unknown.effects.map(({ type }) => type), ["not ours", "message"]);
  assertEquals(unknown.state.next, 10);
});

test("an answer is the server's alone, to our own history, once; it is no part of the log", () => {
  const answer = said({ by: server, n: 5 });
  const { state: after, effects } = done(processAnswer(state, 0, answer, facts()));
  assertObjectMatch(effects[0], { type: "message", own: false, n: 5, text: "hello" });
  assertEquals(after.history, state.history);
  assertEquals(
    done(processAnswer(after, 0, answer, facts())).effects.map((e) => e.type === "refused" && e.why),
    [
      "out of order",
    ],
  );
  const faults: [Bytes, number][] = [
    [said({ by: ira }), 0],
    [said({ by: server, signedBy: ira }), 0],
    [answer, 1],
    [said({ by: server, view: unsigned(0, random(32)) }), 0],
    [random(100), 0],
  ];
  for (const [bytes, pos] of faults) assertEquals(processAnswer(state, pos, bytes, facts()).type, "fault");
  const sealed = said({ by: server, key: otherKey });
  assertObjectMatch(done(processAnswer(state, 0, sealed, facts())).effects[0], {
    why: "does not open with the file",
  });
});

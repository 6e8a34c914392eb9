/** Property 15: for each rule of protocol §7.1, a commit that breaks only that rule. */

import { test } from "../fakes/test.ts";
import { assertEquals, assertObjectMatch, assertThrows } from "@std/assert";
import { Malformed } from "../../lib/errors.ts";
import { equals } from "@std/bytes/equals";
import { makeCard, parseCard, roles } from "../../lib/protocol/identity/card.ts";
import { compareBytes } from "../../lib/crypto/bytes.ts";
import { bansAfter } from "../../lib/protocol/group/make_commit.ts";
import { directRoomId, makeLeave, parseCommit } from "../../lib/protocol/group/commit.ts";
import {
  checkAdmission,
  checkGenesis,
  checkSuccessor,
  type RoomHead,
  withAdmin,
} from "../../lib/protocol/group/commit_rules.ts";
import { cardBook, genesis, headOf, member, successor, zeros } from "../fakes/commits.ts";
import { person } from "../fakes/people.ts";
import { testSite, unsigned } from "../fakes/site.ts";

const [ira, sam, dana, erin, mallory, server] = await Promise.all(
  ["ira", "sahnawaz", "dana", "erin", "mallory", "server"].map(person),
);
const cards = await cardBook();
const facts = { site: testSite, cards };
const first = genesis(ira);
/** ira (admin), sam and dana, at epoch 5. */
const roster = [member(ira, 0, 1), member(sam, 1), member(dana, 2)];
const head: RoomHead = { ...headOf(first, 10), epoch: 5, roster };
const closed = { ...head, policy: 1 };
/** sam was put out. */
const without = { ...head, roster: [roster[0], roster[2]], bans: [sam.card.id] };
const check = (commit: ReturnType<typeof successor>, h = head, pos = 11) =>
  checkSuccessor(commit, pos, h, facts)?.rule ?? null;
const box = new Uint8Array(32).fill(1);
const leave = (p: typeof ira, epoch: number, signer = p) =>
  makeLeave(p.card.id, head.room, epoch, signer.identity.signing);

const valid: [string, () => number | null][] = [
  ["a refresh by a plain member", () => check(successor(head, sam))],
  [
    "an addition by a plain member of an open room",
    () => check(successor(head, sam, { roster: [...roster, member(erin, 6)] })),
  ],
  [
    "an addition by an admin of a closed room",
    () => check(successor(closed, ira, { roster: [...roster, member(erin, 6)] }), closed),
  ],
  ["a leave of long ago", () => {
    const late = { ...head, epoch: 500 };
    return check(successor(late, dana, { roster: [roster[0], roster[2]], leaves: [leave(sam, 4)] }), late);
  }],
  [
    "a ban by an admin",
    () => check(successor(head, ira, { roster: [roster[0], roster[2]], bans: [sam.card.id] })),
  ],
  ["a ban that an admin lifts", () => check(successor(without, ira, { bans: [] }), without)],
  [
    "an admin who lets in whom she had put out",
    () => check(successor(without, ira, { roster: [...without.roster, member(sam, 6)], bans: [] }), without),
  ],
  ["a removal by an admin", () => check(successor(head, ira, { roster: [roster[0], roster[2]] }))],
  [
    "a leave carried out by another",
    () => check(successor(head, dana, { roster: [roster[0], roster[2]], leaves: [leave(sam, 5)] })),
  ],
  [
    "the last admin's leave, with the first member made admin",
    () =>
      check(
        successor(head, dana, { roster: [{ ...roster[1], role: 1 }, roster[2]], leaves: [leave(ira, 5)] }),
      ),
  ],
  [
    "a change of roles by an admin",
    () => check(successor(head, ira, { roster: [roster[0], { ...roster[1], role: 1 }, roster[2]] })),
  ],
  ["closing by an admin", () => check(successor(head, ira, { policy: 1 }))],
  [
    "boxes for the others",
    () =>
      check(
        successor(head, sam, { roster: roster.map((m) => m === roster[1] ? m : { ...m, boxHash: box }) }),
      ),
  ],
];
for (const [what, act] of valid) test(`a commit with ${what} is valid`, () => assertEquals(act(), null));

const h = (bend: Partial<RoomHead>) => ({ ...head, ...bend });
const broken: [number, string, () => number | null][] = [
  [1, "a signature of somebody else", () => check(successor(head, sam, {}, mallory))],
  [
    1,
    "an author who was not a member",
    () => check(successor(head, mallory, { roster: [...roster, member(mallory, 6)] })),
  ],
  [
    1,
    "an author who is not in the new roster",
    () => check(successor(head, sam, { roster: [roster[0], roster[2]] })),
  ],
  [
    1,
    "a box for its author",
    () => check(successor(head, sam, { roster: roster.map((m) => ({ ...m, boxHash: box })) })),
  ],
  [2, "another room", () => check(successor(head, sam, { room: zeros }))],
  [2, "an epoch that skips", () => check(successor(head, sam, { epoch: 7 }))],
  [2, "the epoch of the last commit", () => check(successor(head, sam, { epoch: 5 }))],
  [2, "another prev", () => check(successor(head, sam, { prev: zeros }))],
  [2, "a view before the last commit", () => check(successor(head, sam, { view: unsigned(9, zeros) }))],
  [2, "a view at its own position", () => check(successor(head, sam, { view: unsigned(11, zeros) }))],
  [
    3,
    "members in another order",
    () => check(successor(head, sam, { roster: [roster[1], roster[0], roster[2]] })),
  ],
  [
    3,
    "another since for who stays",
    () => check(successor(head, sam, { roster: [roster[0], { ...roster[1], since: 2 }, roster[2]] })),
  ],
  [
    3,
    "an addition before who stays",
    () => check(successor(head, sam, { roster: [roster[0], member(erin, 6), roster[1], roster[2]] })),
  ],
  [3, "an addition as admin", () => check(successor(head, ira, { roster: [...roster, member(erin, 6, 1)] }))],
  [
    3,
    "an addition with another since",
    () => check(successor(head, ira, { roster: [...roster, member(erin, 5)] })),
  ],
  [
    3,
    "an addition to a closed room by a plain member",
    () => check(successor(closed, sam, { roster: [...roster, member(erin, 6)] }), closed),
  ],
  [
    3,
    "a member whose card has role 2",
    () => check(successor(head, ira, { roster: [...roster, member(server, 6)] })),
  ],
  [
    3,
    "a member without a card",
    () => check(successor(head, ira, { roster: [...roster, { ...member(erin, 6), id: box }] })),
  ],
  [6, "a ban by a plain member", () => check(successor(head, sam, { bans: [erin.card.id] }))],
  [6, "a ban that a plain member lifts", () => check(successor(without, dana, { bans: [] }), without)],
  [
    6,
    "a plain member who lets in whom an admin had put out",
    () => check(successor(without, dana, { roster: [...without.roster, member(sam, 6)], bans: [] }), without),
  ],
  [6, "a member who is kept out", () => check(successor(head, ira, { bans: [sam.card.id] }))],
  [
    6,
    "an id that is kept out twice",
    () => check(successor(head, ira, { bans: [erin.card.id, erin.card.id] })),
  ],
  [4, "a removal by a plain member", () => check(successor(head, sam, { roster: [roster[0], roster[1]] }))],
  [4, "a leave that removes nobody", () => check(successor(head, ira, { leaves: [leave(sam, 5)] }))],
  [
    4,
    "a leave of somebody who was no member",
    () => check(successor(head, ira, { roster: [roster[0], roster[2]], leaves: [leave(erin, 5)] })),
  ],
  [
    4,
    "a leave signed by somebody else",
    () => check(successor(head, dana, { roster: [roster[0], roster[2]], leaves: [leave(sam, 5, mallory)] })),
  ],
  [
    4,
    "a leave from before the member's stay",
    () => check(successor(head, dana, { roster: [roster[0], roster[2]], leaves: [leave(sam, 0)] })),
  ],
  [
    4,
    "a leave of the commit's own epoch",
    () => check(successor(head, dana, { roster: [roster[0], roster[2]], leaves: [leave(sam, 6)] })),
  ],
  [
    4,
    "one leave twice",
    () =>
      check(
        successor(head, dana, { roster: [roster[0], roster[2]], leaves: [leave(sam, 5), leave(sam, 5)] }),
      ),
  ],
  [
    5,
    "a role changed by a plain member",
    () => check(successor(head, sam, { roster: [roster[0], { ...roster[1], role: 1 }, roster[2]] })),
  ],
  [5, "a policy changed by a plain member", () => check(successor(head, sam, { policy: 1 }))],
  [5, "another room name", () => check(successor(head, ira, { roomName: "other" }))],
  [
    5,
    "the key-file flag gone",
    () => check(successor(h({ policy: 0x80 }), ira, { policy: 0 }), h({ policy: 0x80 })),
  ],
  [
    5,
    "a room turned direct",
    () => check(successor(head, ira, { policy: 2, roomName: "" }), h({ roomName: "" })),
  ],
  [
    5,
    "no admin left, by an admin",
    () => check(successor(head, ira, { roster: roster.map((m) => ({ ...m, role: 0 })) })),
  ],
  [
    5,
    "no admin left by a leave",
    () => check(successor(head, dana, { roster: [roster[1], roster[2]], leaves: [leave(ira, 5)] })),
  ],
  [
    5,
    "the wrong member made admin",
    () =>
      check(
        successor(head, dana, { roster: [roster[1], { ...roster[2], role: 1 }], leaves: [leave(ira, 5)] }),
      ),
  ],
  [6, "an id twice", () => check(successor(head, ira, { roster: [...roster, { ...roster[2] }] }))],
  [
    6,
    "a name that is not the card's",
    () => check(successor(head, ira, { roster: [...roster, { ...member(erin, 6), name: "erinn" }] })),
  ],
];
for (const [rule, what, act] of broken) {
  test(`a commit with ${what} breaks rule ${rule}`, () => assertEquals(act(), rule));
}

const direct = (() => {
  const [lo, hi] = [ira.card.id, sam.card.id].sort(compareBytes);
  const room = directRoomId(testSite, lo, hi);
  return {
    room,
    prev: zeros,
    view: unsigned(0, room),
    policy: 2,
    roomName: "",
    roster: [member(ira), member(sam)],
  };
})();
const begin = (commit: ReturnType<typeof genesis>) => checkGenesis(commit, 1, facts);
test("a room begins with its author alone, as admin; a direct room with its two people", () => {
  assertEquals(begin(first), null);
  assertEquals(begin(genesis(ira, direct)), null);
});
const badBeginnings: [string, () => unknown][] = [
  ["two members", () => begin(genesis(ira, { roster: [member(ira, 0, 1), member(sam)] }))],
  ["an author who is no admin", () => begin(genesis(ira, { roster: [member(ira)] }))],
  ["another since", () => begin(genesis(ira, { roster: [member(ira, 1, 1)] }))],
  ["another id than creator and name give", () => begin(genesis(ira, { roomName: "other" }))],
  ["a view of something", () => begin(genesis(ira, { view: unsigned(0, zeros) }))],
  ["somebody kept out", () => begin(genesis(ira, { bans: [sam.card.id] }))],
  ["leaves", () => begin(genesis(ira, { leaves: [leave(sam, 0)] }))],
  ["another signature", () => begin(genesis(ira, {}, mallory))],
  ["epoch 1", () => begin(genesis(ira, { epoch: 1 }))],
  [
    "a direct room of other people",
    () => begin(genesis(ira, { ...direct, roster: [member(ira), member(dana)] })),
  ],
  [
    "a direct room with an admin",
    () => begin(genesis(ira, { ...direct, roster: [member(ira, 0, 1), member(sam)] })),
  ],
  ["a direct room with a prev", () => begin(genesis(ira, { ...direct, prev: box }))],
];
for (const [what, act] of badBeginnings) {
  test(`a room that begins with ${what} is refused`, () => assertEquals(act() !== null, true));
}
test("nobody is added to or removed from a direct room, and its policy stays", () => {
  const d = headOf(genesis(ira, direct), 1);
  assertEquals(check(successor(d, ira), d, 2), null);
  assertEquals(check(successor(d, ira, { roster: [...d.roster, member(dana, 1)] }), d, 2), 3);
  assertEquals(check(successor(d, ira, { roster: [d.roster[0]] }), d, 2), 4);
  assertEquals(check(successor(d, ira, { policy: 0, roomName: "x" }), d, 2), 5);
});
test("a newcomer takes the commit that adds her, and no other", () => {
  const adds = successor(head, sam, { roster: [...roster, member(erin, 6)] });
  assertEquals(checkAdmission(adds, 11, erin.card.id, facts), null);
  assertEquals(checkAdmission(adds, 11, dana.card.id, facts)?.rule, 3);
  assertEquals(checkAdmission(adds, 10, erin.card.id, facts)?.rule, 2);
  assertEquals(
    checkAdmission(
      successor(head, sam, { roster: [...roster, member(erin, 6)] }, mallory),
      11,
      erin.card.id,
      facts,
    )?.rule,
    1,
  );
});
test("withAdmin() makes the first member admin where none would remain", () => {
  assertEquals(withAdmin([member(sam), member(dana)], 0).map((m) => m.role), [1, 0]);
  assertEquals(withAdmin([member(sam), member(dana, 0, 1)], 0).map((m) => m.role), [0, 1]);
  assertEquals(withAdmin([member(sam), member(dana)], 2).map((m) => m.role), [0, 0]);
});
test("a direct room keeps nobody out", () => {
  const d = headOf(genesis(ira, direct), 1);
  assertEquals(check(successor(d, ira, { bans: [erin.card.id] }), d, 2), 6);
});
test("bansAfter(): the oldest give way, who is let in is kept out no longer, and nobody is there twice", () => {
  const ids = Array.from({ length: 66 }, (_, n) => new Uint8Array(32).fill(n + 1));
  assertEquals(bansAfter(ids.slice(0, 64), [], { ban: [ids[64], ids[65], ids[63]] }), ids.slice(2));
  assertEquals(bansAfter(ids.slice(0, 3), [{ ...member(sam), id: ids[1] }], { unban: [ids[2]] }), [ids[0]]);
  assertEquals(bansAfter([], [], { ban: [ids[0], ids[0]] }), [ids[0]]);
});
test("not even by a signed wish is a direct room left", () => {
  const d = headOf(genesis(ira, direct), 1);
  const wish = makeLeave(sam.card.id, d.room, 0, sam.identity.signing);
  assertEquals(check(successor(d, ira, { roster: [d.roster[0]], leaves: [wish] }), d, 2), 4);
});
test("a direct room with oneself, and a newcomer's commit with an id twice, break rule 6", () => {
  const room = directRoomId(testSite, ira.card.id, ira.card.id);
  const alone = genesis(ira, {
    ...direct,
    room,
    view: unsigned(0, room),
    roster: [member(ira), member(ira)],
  });
  assertEquals(begin(alone)?.rule, 6);
  const twice = successor(head, sam, { roster: [...roster, member(erin, 6), member(dana, 2)] });
  assertObjectMatch(checkAdmission(twice, 11, erin.card.id, facts)!, {
    rule: 6,
    why: "an id is there twice",
  });
});
test("two members whose names look alike break rule 6", () => {
  const likeIra = parseCard(makeCard(mallory.identity, roles.user, "1RA", 1));
  const book = (id: Uint8Array) => equals(id, mallory.card.id) ? likeIra : cards(id);
  const adds = successor(head, ira, { roster: [...roster, { ...member(mallory, 6), name: "1RA" }] });
  assertEquals(checkSuccessor(adds, 11, head, { site: testSite, cards: book })?.rule, 6);
});
const malformed: [string, () => Uint8Array][] = [
  ["a direct room with a name", () => genesis(ira, { policy: 2 }).bytes],
  ["policy 3", () => genesis(ira, { policy: 3 }).bytes],
  ["a direct room with the key-file flag", () => genesis(ira, { policy: 0x82, roomName: "" }).bytes],
  ["no members", () => genesis(ira, { roster: [] }).bytes],
  ["a role of 2", () => genesis(ira, { roster: [{ ...member(ira), role: 2 }] }).bytes],
  ["65 ids that are kept out", () => genesis(ira, { bans: Array(65).fill(sam.card.id) }).bytes],
  ["17 leaves", () => genesis(ira, { leaves: Array(17).fill(leave(sam, 0)) }).bytes],
  ["a byte too many", () => Uint8Array.from([...first.bytes, 0])],
];
for (const [what, make] of malformed) {
  test(`a commit with ${what} does not parse`, () => void assertThrows(() => parseCommit(make()), Malformed));
}
test("every changed byte of a commit is noticed: it does not parse, or a rule is broken", () => {
  for (let at = 0; at < first.bytes.length; at++) {
    try {
      const changed = parseCommit(first.bytes.map((b, i) => i === at ? b ^ 1 : b));
      assertEquals(begin(changed) === null, false, `byte ${at}`);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
    }
  }
});

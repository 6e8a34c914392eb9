/**
 * NewcomerWalk: what somebody goes by who enters by an invite (property 28). Ira has listed a pass of erin's before she
 * puts mallory out, and another one after that; server and mallory show erin any commits that there are, and may let her
 * in on a branch of theirs. By the later invite, or once she has known of the removal, she never ends in a room with
 * mallory.
 */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import type { Commit } from "../../lib/protocol/group/commit.ts";
import { checkListing, headAfter, type RoomHead } from "../../lib/protocol/group/commit_rules.ts";
import { beginShown, followShown, isBeforeShown, type Shown } from "../../lib/protocol/group/shown.ts";
import { findMember } from "../../lib/protocol/group/roster.ts";
import { member } from "../../tests/fakes/commits.ts";
import { testSite } from "../../tests/fakes/site.ts";
import {
  cards,
  commitAfter,
  dana,
  draw,
  erin,
  erinPass,
  give,
  ira,
  type Made,
  mallory,
  malloryPass,
  now,
  outside,
  roomOf,
  sam,
  signed,
} from "./cast.ts";
import type { Walked } from "./walk.ts";

const facts = { site: testSite, cards };
const view = (room: Bytes, pos: number) => signed(room, { pos, hash: draw("L", String(pos)) });
const early = { key: malloryPass.publicKey, until: now, name: "" };
const late = { key: erinPass.publicKey, until: now, name: "" };

interface Pool {
  /** All commits that erin may be shown: the true ones, and those of branches of mallory's. */
  readonly all: readonly Made[];
  readonly removal: Made;
}

function pool(): Pool {
  const { first, second } = roomOf([sam, mallory, dana]);
  const all: Made[] = [first, second];
  const { room } = first.commit!;
  const after = (made: Made): RoomHead => headAfter(made.commit!, 0);
  const add = (name: string, on: Made, author = ira, bend = {}, signer = author): Made => {
    const made = commitAfter(name, after(on), author, view(room, 5), bend, null, signer);
    all.push(made);
    return made;
  };
  const begins = add("ira's early invite", second, ira, { passes: [early] });
  const rest = second.commit!.roster.filter(({ name }) => name !== mallory.name);
  const removal = add("mallory's removal", begins, ira, { roster: rest, bans: [mallory.card.id] });
  const lists = add("ira's late invite", removal, ira, { passes: [early, late] });
  add("ira's new keys", lists);
  const hidden = add("mallory's new keys", begins, mallory);
  const deeper = add("mallory's next keys", hidden, mallory);
  add("mallory's last keys", deeper, mallory);
  // What mallory would like to be taken for ira's invite.
  const listing = { passes: [early, late] };
  add("mallory lists the pass", hidden, mallory, listing);
  add("mallory lists the pass in ira's name", hidden, ira, listing, mallory);
  add("mallory lists it, as an admin", hidden, mallory, {
    ...listing,
    roster: second.commit!.roster.map((m) => m.name === mallory.name ? { ...m, role: 1 } : m),
  });
  // A plain member's commit from before, and an admin's without the pass.
  add("sam's new keys", begins, sam, listing);
  add("ira's commit from before", begins, ira);
  return { all, removal };
}

/** Walks all that erin may be shown, and by whom she may be let in. @param depth commits after the invite's */
export function walkNewcomer(depth: number): Walked {
  const { all, removal } = pool();
  const walked: Walked = { worlds: 0, finding: null };
  const { room } = all[0].commit!;
  const found = (what: string, steps: readonly string[]) => {
    walked.finding ??= { property: `28: ${what}`, steps };
  };
  const admissions = all.flatMap((made) => {
    const { roster } = made.commit!;
    const head = headAfter(made.commit!, 0);
    return [ira, mallory, dana].filter(({ card }) => findMember(roster, card.id)).map((author) =>
      commitAfter(`${author.name} lets erin in after ${made.name}`, head, author, view(room, 5), {
        roster: [...roster, member(erin, head.epoch + 1)],
      })
    );
  });
  const isIn = (roster: Commit["roster"]) => findMember(roster, mallory.card.id) !== undefined;
  const check = (shown: Shown, known: RoomHead | null, steps: readonly string[]) => {
    // She goes on until nothing newer is shown, and never ends before what she has known.
    const isOver = !isBeforeShown(shown, shown.head.epoch + 1);
    if (isOver && isIn(shown.head.roster)) found("she enters a room with who was put out before", steps);
    for (const made of admissions) {
      walked.worlds++;
      const local = outside(erin, room, { shown, head: known });
      const key = `${local.key} ${steps.join()}`;
      const next = give({ ...local, key }, made, "whole", { pos: 9, hash: draw("start") });
      if (next?.state.status === "in" && isIn(made.commit!.roster)) {
        found("she is let in beside what she was shown, with who was put out", [...steps, made.name]);
      }
    }
  };
  const goOn = (shown: Shown, known: RoomHead | null, left: number, steps: readonly string[]): void => {
    check(shown, known, steps);
    for (const { name, commit } of left > 0 ? all : []) {
      walked.worlds++;
      const next = followShown(shown, commit!, facts);
      if (next && !("rule" in next)) goOn(next, known, left - 1, [...steps, `she is shown ${name}`]);
    }
  };
  const seen = headAfter(removal.commit!, 0);
  // By the early invite she knows nothing of the removal, unless she has seen it.
  for (const [pass, known] of [[late, null], [late, seen], [early, seen]] as const) {
    for (const { name, commit } of all) {
      walked.worlds++;
      const what = { room, lister: ira.card.id, pass: pass.key };
      if (checkListing(commit!, what, facts)) continue;
      const listed = { epoch: commit!.epoch, pass: pass.key, inviter: ira.card.id };
      const shown = beginShown(commit!, listed, null, known);
      const first = `her ${known ? "" : "first "}invite names ${name}`;
      if (shown) goOn(shown, known, depth, [first]);
    }
  }
  return walked;
}

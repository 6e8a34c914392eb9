/**
 * NewcomerWalk: what somebody goes by who enters by an invite (property 28). Ira puts mallory out and then lists erin's
 * pass; server and mallory show erin any commits that there are, and may let her in on a branch of theirs. She never
 * ends in a room with mallory.
 */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import type { Commit } from "../../lib/protocol/group/commit.ts";
import {
  checkListing,
  checkSuccessor,
  headAfter,
  type RoomHead,
} from "../../lib/protocol/group/commit_rules.ts";
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
  now,
  outside,
  roomOf,
  sam,
  signed,
} from "./cast.ts";
import type { Walked } from "./fork_walk.ts";

const facts = { site: testSite, cards };
const view = (room: Bytes, pos: number) => signed(room, { pos, hash: draw("L", String(pos)) });
const pass = { key: erinPass.publicKey, until: now, name: "" };

/** All commits that erin may be shown: the true ones, and those of a branch of mallory's. */
function pool(): Made[] {
  const { first, second } = roomOf([sam, mallory, dana]);
  const all: Made[] = [first, second];
  const { room } = first.commit!;
  const after = (made: Made): RoomHead => headAfter(made.commit!, 0);
  const add = (name: string, on: Made, author = ira, bend = {}, signer = author): Made => {
    const made = commitAfter(name, after(on), author, view(room, 5), bend, null, signer);
    all.push(made);
    return made;
  };
  const rest = second.commit!.roster.filter(({ name }) => name !== mallory.name);
  const removal = add("mallory's removal", second, ira, { roster: rest, bans: [mallory.card.id] });
  const lists = add("ira's invite", removal, ira, { passes: [pass] });
  add("ira's new keys", lists);
  const hidden = add("mallory's new keys", second, mallory);
  const deeper = add("mallory's next keys", hidden, mallory);
  add("mallory's last keys", deeper, mallory);
  // What mallory would like to be taken for ira's invite.
  const listing = { passes: [pass] };
  add("mallory lists the pass", hidden, mallory, listing);
  add("mallory lists the pass in ira's name", hidden, ira, listing, mallory);
  add("mallory lists it, as an admin", hidden, mallory, {
    ...listing,
    roster: second.commit!.roster.map((m) => m.name === mallory.name ? { ...m, role: 1 } : m),
  });
  // A plain member's commit from before, and an admin's without the pass.
  add("sam's new keys", second, sam, listing);
  add("ira's commit from before", second, ira);
  return all;
}

/** Walks all that erin may be shown, and by whom she may be let in. @param depth commits after the invite's */
export function walkNewcomer(depth: number): Walked {
  const all = pool();
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
  const check = (shown: RoomHead, listed: number, steps: readonly string[]) => {
    if (findMember(shown.roster, mallory.card.id)) {
      found("she enters a room with who was put out before", steps);
    }
    for (const made of admissions) {
      walked.worlds++;
      const local = outside(erin, room, { shown: { head: shown, listed } });
      const key = `${local.key} ${steps.join()}`;
      const next = give({ ...local, key }, made, "whole", { pos: 9, hash: draw("start") });
      const isIn = next?.state.status === "in";
      if (isIn && findMember(made.commit!.roster, mallory.card.id)) {
        found("she is let in beside what she was shown, with who was put out", [...steps, made.name]);
      }
    }
  };
  const goOn = (shown: RoomHead, listed: number, left: number, steps: readonly string[]): void => {
    check(shown, listed, steps);
    for (const { name, commit } of left > 0 ? all : []) {
      walked.worlds++;
      if (checkSuccessor(commit!, null, shown, facts)) continue;
      goOn(headAfter(commit!, 0), listed, left - 1, [...steps, `she is shown ${name}`]);
    }
  };
  for (const { name, commit } of all) {
    walked.worlds++;
    const what = { room, lister: ira.card.id, pass: pass.key };
    if (checkListing(commit as Commit, what, facts)) continue;
    goOn(headAfter(commit!, 0), commit!.epoch, depth, [`her invite names ${name}`]);
  }
  return walked;
}

/**
 * ForkWalk: a server and a removed member together (properties 16 and 25). Ira and sam are honest, mallory is in the
 * room with them; ira may put her out. The server gives each of the two any entry there is, whole, as a hash or as the
 * other kind, repeats and hides, and signs whatever it has shown; mallory makes new keys on any branch that she is in.
 */

import { equals } from "@std/bytes/equals";
import { findMember } from "../../lib/protocol/group/roster.ts";
import {
  canSeal,
  commitAfter,
  commits,
  draw,
  type Form,
  give,
  ira,
  isRefused,
  type Local,
  type Log,
  type Made,
  mallory,
  outside,
  roomOf,
  sam,
  say,
  secretOf,
  signed,
  viewAfter,
} from "./cast.ts";
import { type Step, walkAll, type Walked } from "./walk.ts";

/** Two honest clients, and all entries that there are. */
interface World {
  readonly locals: readonly [Local, Local];
  readonly pool: readonly Made[];
}

interface Move extends Step<World> {
  /** What an honest client has just sealed. */
  readonly sealedBy?: Local;
  /** What a client was just given. */
  readonly given?: { readonly to: Local; readonly before: Local; readonly made: Made; readonly form: Form };
}

/** The room at its beginning: both are in, with mallory, and know where it stands. */
export function begin(): World & { readonly all: Made } {
  const { first, second } = roomOf([sam, mallory]);
  const { room } = first.commit!;
  const pending = (made: Made, secret = draw("pending", made.id)) => ({
    bytes: made.bytes,
    hash: made.commit!.hash,
    epoch: made.commit!.epoch,
    secret,
  });
  let a = give(outside(ira, room, { pendingCommit: pending(first) }), first, "whole", {
    pos: 0,
    hash: room,
  })!;
  a = { ...a, state: { ...a.state, pendingCommit: pending(second, secretOf(second)) } };
  a = give(a, second)!;
  const b = give(outside(sam, room), second, "whole", viewAfter(room, first))!;
  const same = equals(a.state.history!.view.hash, b.state.history!.view.hash);
  if (!same || !a.state.readable || !b.state.readable) throw new Error("the room does not begin");
  return {
    locals: [{ ...a, key: "ira", isTainted: false }, { ...b, key: "sam", isTainted: false }],
    pool: [],
    all: second,
  };
}

function* movesOf(world: World): Generator<Move> {
  for (const at of [0, 1] as const) {
    const local = world.locals[at];
    // Who is alarmed seals nothing more, and who is out has nothing to seal for.
    if (local.alarm !== null || local.state.status !== "in") continue;
    const withLocal = (next: Local, ...made: Made[]): World => {
      const locals = at === 0 ? [next, world.locals[1]] as const : [world.locals[0], next] as const;
      const known = new Set(world.pool.map(({ id }) => id));
      return { locals, pool: [...world.pool, ...made.filter(({ id }) => !known.has(id))] };
    };
    yield* acts(local, withLocal);
    const gives = (made: Made, form: Form): Move | null => {
      const next = give(local, made, form);
      if (!next) return null;
      const what = `the server gives ${local.who.name} ${made.name}${form === "whole" ? "" : ` as ${form}`}`;
      return { what, world: withLocal(next, made), given: { to: next, before: local, made, form } };
    };
    for (const made of world.pool) {
      // Again once: whoever sees a line twice must not be misled by it, and a third time is the same.
      const times = local.taken.filter((id) => id === made.id).length;
      if (times < (made.commit ? 1 : 2)) yield* some(gives(made, "whole"));
      if (times > 0) continue;
      yield* some(gives(made, "hash"));
      yield* some(gives(made, "other kind"));
    }
    yield* some(gives(hidden(local), "whole"));
  }
}

function* some(move: Move | null): Generator<Move> {
  if (move) yield move;
}

/** What an honest client does of itself. */
function* acts(local: Local, withLocal: (next: Local, ...made: Made[]) => World): Generator<Move> {
  const { who, state } = local;
  if (state.pendingCommit) {
    yield { what: `the server refuses ${who.name}'s commit`, world: withLocal(isRefused(local)) };
  }
  if (!canSeal(local)) return;
  const head = state.head!;
  if (state.readable && !state.suspect && local.said < 1) {
    const { local: next, made } = say(local);
    yield { what: `${who.name} says something`, world: withLocal(next, made), sealedBy: local };
  }
  if (local.committed >= 1) return;
  if (state.suspect || !state.readable) {
    const { local: next, made } = commits(local, `${who.name}'s new keys`, {});
    yield { what: `${who.name} makes new keys`, world: withLocal(next, made), sealedBy: local };
  }
  const isAdmin = who === ira && findMember(head.roster, mallory.card.id) !== undefined;
  if (!isAdmin) return;
  const roster = head.roster.filter(({ name }) => name !== mallory.name);
  const { local: next, made } = commits(local, "mallory's removal", { roster, bans: [mallory.card.id] });
  yield { what: "ira puts mallory out", world: withLocal(next, made) };
}

/** Mallory makes new keys after what a client has, as if nothing had happened. */
function hidden(local: Local): Made {
  const { head, history, id } = local.state;
  const isIn = findMember(head!.roster, mallory.card.id) !== undefined;
  // Where she is out she tries all the same.
  const roster = isIn ? head!.roster : [...head!.roster];
  return commitAfter("mallory's new keys", head!, mallory, signed(id, history!.view), { roster });
}

/** Whether two have different logs where both have one, or the author has seen more. */
function differsWithin({ log, state }: Local, stood: Log): boolean {
  const first = state.history!.first + 1;
  return Object.entries(stood).some(([pos, what]) => Number(pos) >= first && log[Number(pos)] !== what);
}

/** @param only which of the two is looked for; null for both */
function broken({ sealedBy, given }: Move, only: number | null): string | null {
  if (only !== 16 && sealedBy?.isTainted && findMember(sealedBy.state.head!.roster, mallory.card.id)) {
    return "25: who has taken in something made under the removal seals what the removed member opens";
  }
  if (!given || given.form === "hash" || !given.made.stood || given.to.alarm !== null) return null;
  const { to, before, made: { commit, stood, author } } = given;
  const isApplied = commit && equals(to.state.head!.commitHash, commit.hash) && to.state.status === "in";
  if (only !== 16 && isApplied && author !== to.who && !to.state.readable) {
    return "27: who is in has no key of an honest commit";
  }
  if (only === 25 || !differsWithin(before, stood)) return null;
  return "16: what somebody honest has made under another history crosses, and no alarm is raised";
}

/** Walks all that may happen in so many steps. @param only the property that is looked for; null for all */
export function walkForks(depth: number, only: number | null = null): Walked {
  return walkAll({
    begin: begin(),
    moves: movesOf,
    broken: (move: Move) => broken(move, only),
    keyOf: ({ locals }) => locals.map(({ key }) => key).join(" / "),
  }, depth);
}

/**
 * LiarWalk: an honest server, and a member who lies (property 26). Ira and sam are honest, and may be behind; mallory says
 * and commits with views of all kinds. The server keeps one log, by the rules that clients go by too.
 */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import { checkSuccessor, headAfter, type RoomHead } from "../../lib/protocol/group/commit_rules.ts";
import { contentTypes } from "../../lib/protocol/group/content.ts";
import { chainStep } from "../../lib/protocol/group/epoch.ts";
import { entryHash, entryKinds, History, type SignedView } from "../../lib/protocol/group/history.ts";
import { checkMessageView, checkPlace } from "../../lib/protocol/group/message_rules.ts";
import {
  messageKinds,
  namedCommitBytes,
  parseMessage,
  sealMessage,
} from "../../lib/protocol/group/sealed_message.ts";
import { signHead } from "../../lib/protocol/group/signed_head.ts";
import { testSite } from "../../tests/fakes/site.ts";
import {
  canSeal,
  cards,
  chainOf,
  commitAfter,
  draw,
  give,
  type Local,
  type Made,
  madeOf,
  mallory,
  say,
  server,
  signed,
} from "./cast.ts";
import { begin as beginFork } from "./fork_walk.ts";
import { type Step, walkAll, type Walked } from "./walk.ts";

interface World {
  readonly log: readonly Made[];
  readonly history: History;
  readonly head: RoomHead;
  /** The commit of the epoch. */
  readonly commit: Made;
  /** Next numbers of each sender in the epoch. */
  readonly numbers: Readonly<Record<string, number>>;
  readonly locals: readonly [Local, Local];
  /** How much of the log each has. */
  readonly at: readonly [number, number];
}

/** A step to null: somebody honest calls it a breach. */
type Move = Step<World | null>;

/** The first two positions are the room's beginning. */
const before = 2;

function begin(): World {
  const { locals, all } = beginFork();
  const history = locals[1].state.history!;
  const head = headAfter(all.commit!, before);
  return { log: [], history, head, commit: all, numbers: {}, locals, at: [0, 0] };
}

/** What an honest server keeps. @returns null when it refuses */
function store(world: World, made: Made): World | null {
  const pos = world.history.view.pos + 1;
  const { head, numbers } = world;
  const who = made.author.name;
  if (made.commit) {
    if (checkSuccessor(made.commit, pos, head, { site: testSite, cards })) return null;
  } else {
    const message = parseMessage(made.bytes);
    if (checkPlace(message, head) || checkMessageView(message.view, head, pos)) return null;
    if (message.n !== (numbers[who] ?? 0)) return null;
  }
  const kept = {
    ...world,
    log: [...world.log, made],
    history: world.history.after(entryHash(made.kind, made.bytes)),
  };
  return made.commit
    ? { ...kept, head: headAfter(made.commit, pos), commit: made, numbers: {} }
    : { ...kept, numbers: { ...numbers, [who]: (numbers[who] ?? 0) + 1 } };
}

/** Views that mallory may state: what is so, what is not, and heads that the server has signed elsewhere. */
function lies({ head, history }: World): [string, SignedView][] {
  const { room } = head;
  const last = history.view;
  const early = { pos: head.commitPos, hash: history.at(head.commitPos)! };
  const false_ = (pos: number) => ({ pos, hash: draw("a history that is not", String(pos)) });
  const [otherSite, otherRoom]: Bytes[] = [draw("another run"), draw("another room")];
  const by = (site: Bytes, of: Bytes, view: { pos: number; hash: Bytes }) => ({
    ...view,
    headSig: signHead({ site, room: of }, view, server.identity.signing),
  });
  return [
    ["a true view", signed(room, last)],
    ["an earlier one", signed(room, early)],
    ["another history, not signed", { ...false_(last.pos), headSig: new Uint8Array(64) }],
    ["another history, under the head of the true one", {
      ...false_(last.pos),
      headSig: signed(room, last).headSig,
    }],
    ["another history, signed by herself", {
      ...false_(last.pos),
      headSig: signHead({ site: testSite, room }, false_(last.pos), mallory.identity.signing),
    }],
    ["the head of another run", by(otherSite, room, false_(last.pos))],
    ["the head of another room", by(testSite, otherRoom, false_(last.pos))],
    // Another position of this room, as if it were this one.
    ["the head of an earlier position", {
      pos: last.pos,
      hash: early.hash,
      headSig: signed(room, early).headSig,
    }],
    ["what is still to come", signed(room, false_(last.pos + 1))],
  ];
}

function says(world: World, view: SignedView): Made {
  const { head, commit, numbers } = world;
  const n = numbers[mallory.name] ?? 0;
  let chain = chainOf(commit.commit!, mallory);
  for (let i = 0; i < n; i++) chain = chainStep(chain).next;
  const header = {
    kind: messageKinds.ordinary,
    room: head.room,
    epoch: head.epoch,
    commit: head.commitHash.slice(0, namedCommitBytes),
    sender: mallory.card.id,
    n,
    view,
    salt: draw("salt", String(n)).slice(0, 16),
  };
  const content = {
    type: contentTypes.text,
    msgId: draw("msg", String(n)).slice(0, 16),
    timeMs: 1,
    body: draw("x"),
  };
  const key = chainStep(chain).messageKey;
  const bytes = sealMessage(header, content, key, head.commitHash, mallory.identity.signing);
  return madeOf("mallory's line", entryKinds.message, bytes, mallory);
}

function* movesOf(world: World): Generator<Move> {
  for (const at of [0, 1] as const) {
    const local = world.locals[at];
    const withLocal = (next: Local, by = 0): World => ({
      ...world,
      locals: at === 0 ? [next, world.locals[1]] : [world.locals[0], next],
      at: at === 0 ? [world.at[0] + by, world.at[1]] : [world.at[0], world.at[1] + by],
    });
    const made = world.log[world.at[at]];
    if (made) {
      const next = give(local, made);
      yield { what: `${local.who.name} is given ${made.name}`, world: next && withLocal(next, 1) };
    }
    if (canSeal(local) && local.state.readable && local.said < 1) {
      const { local: next, made } = say(local);
      const stored = store(withLocal(next), made);
      if (stored) yield { what: `${local.who.name} says something`, world: stored };
    }
  }
  for (const [what, view] of lies(world)) {
    const line = store(world, says(world, view));
    if (line) yield { what: `mallory says something, with ${what}`, world: line };
    const made = commitAfter(`mallory's commit with ${what}`, world.head, mallory, view);
    const stored = store(world, made);
    if (stored) yield { what: `mallory commits, with ${what}`, world: stored };
  }
}

function broken({ world }: Move): string | null {
  if (!world) return "26: an honest server is said to break the protocol";
  const alarmed = world.locals.find(({ alarm }) => alarm !== null);
  return alarmed ? `26: an honest server is accused (${alarmed.alarm})` : null;
}

/** Walks all that may happen in so many steps. */
export function walkLies(depth: number): Walked {
  return walkAll<World | null, Move>({
    begin: begin(),
    moves: (world) => movesOf(world!),
    broken,
    keyOf: (world) => [...world!.log.map(({ id }) => id), ...world!.locals.map(({ key }) => key)].join(" "),
  }, depth);
}

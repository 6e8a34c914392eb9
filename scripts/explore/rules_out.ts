/**
 * RulesOut: what becomes of the promises when a rule of the text is taken out. The source is copied, the rule is cut out
 * of the copy, and the walk that looks for the attack is run on that: a rule for which it finds none is a rule that
 * nothing needs, or an exploration that sees nothing.
 */

import { pathToFileURL } from "node:url";
import { join } from "@std/path";
import type { Finding } from "./cast.ts";
import type { WalkName, walks } from "./walks.ts";

/** One rule, and where it stands. */
export interface RuleOut {
  /** Section of the protocol, and what it says. */
  readonly rule: string;
  readonly walk: WalkName;
  /** Steps within which the attack is found. */
  readonly depth: number;
  /** The property that breaks. */
  readonly property: number;
  readonly file: string;
  /** Each stands in the file just once, and is replaced. */
  readonly edits: readonly (readonly [from: string, to: string])[];
}

/** Makes the rules that one walk needs. @param depth steps within which the attack is found */
const ruleOf =
  (walk: WalkName, depth: number) =>
  (rule: string, property: number, file: string, ...edits: RuleOut["edits"]): RuleOut => ({
    rule,
    walk,
    depth,
    property,
    file: `lib/protocol/group/${file}.ts`,
    edits,
  });
const fork = ruleOf("forks", 6);
const door = (rule: string, ...edits: RuleOut["edits"]) =>
  ruleOf("doors", 4)(rule, 27, "commit_rules", ...edits);
const lie = (rule: string, file: string, ...edits: RuleOut["edits"]) =>
  ruleOf("lies", 4)(rule, 26, file, ...edits);
const newcomer = (rule: string, file: string, ...edits: RuleOut["edits"]) =>
  ruleOf("newcomer", 3)(rule, 28, file, ...edits);

/** All rules that are taken out. */
export const rulesOut: readonly RuleOut[] = [
  fork("7.3 a message names its commit", 25, "message_rules", [
    'if (!equals(message.commit, head.commitHash.subarray(0, namedCommitBytes))) return "another commit";',
    "",
  ]),
  fork("9 a message of another epoch or commit raises the alarm", 25, "process_message", [
    "if (wrong) return neverStored(misplaced[wrong]);",
    "if (wrong) return refused(misplaced[wrong], null);",
  ]),
  fork("9 a commit that breaks a rule raises the alarm", 25, "process_commit", [
    'effects: [{ type: "commit refused", why }, { type: "hides" }],',
    'effects: [{ type: "commit refused", why }],',
  ]),
  fork("9 what is no message raises the alarm", 25, "process_message", [
    'if (!message) return neverStored("no message");',
    'if (!message) return refused("no message", null);',
  ]),
  fork("9 two histories that the server has signed raise the alarm", 16, "fork_check", [
    'return isSigned ? { type: "two histories", author, view } : { type: "false view", author };',
    "return null;",
  ]),
  fork("9 a view that is not before its own entry raises the alarm", 16, "process_message", [
    'if (badView) return neverStored(badView === "past" ? "impossible view" : "view of what follows", sender);',
    'if (badView) return refused("impossible view", sender);',
  ]),
  fork("9 the view of a commit is compared, too", 16, "process_commit", [
    'if (viewed && (viewed.type !== "agrees" || commit.how === commitHow.member)) effects.push(viewed);',
    "",
  ]),
  lie("9 only the server's own signature shows two histories", "fork_check", [
    "const isSigned = view.pos > 0 && isHeadSigned(place, view, view.headSig, server);",
    "const isSigned = true;",
  ]),
  lie("9 a head is of one run of the server", "signed_head", [".raw(site).raw(room)", ".raw(room)"]),
  lie("9 a head is of one room", "signed_head", [".raw(site).raw(room)", ".raw(site)"]),
  lie("9 a head is of one position", "signed_head", [
    ".u64(pos).raw(hash).done();\n}",
    ".raw(hash).done();\n}",
  ]),
  door("7.6 by an own entry one enters open rooms only", [
    "if (head.policy !== policies.open && !(isByPass && head.policy === policies.closed)) {",
    "if (head.policy === policies.direct) {",
  ]),
  door("7.6 an entry leaves policy and leaves as they are", [
    "if (commit.policy !== head.policy || commit.roomName !== head.roomName || commit.leaves.length > 0) {",
    "if (commit.roomName !== head.roomName) {",
  ]),
  door("7.6 an entry adds its author, and changes nobody", [
    'if (!isSame || !equals(own.id, commit.author)) return broken(3, "an entry adds another than its author");',
    "",
  ]),
  door("7.6 who enters has role 0, since this epoch", [
    "if (own.role !== memberRoles.member || own.since !== commit.epoch) {",
    "if (own.role > memberRoles.admin) {",
  ]),
  door("7.6 an entry leaves the bans", ["if (bans) return bans;", ""]),
  door("7.6 an own entry leaves the passes", [
    'return samePasses(commit.passes, head.passes) ? null : broken(5, "an entry changes the passes");',
    "return null;",
  ]),
  door("7.6 a pass is listed", [
    'if (!pass || !isPassFor(pass, own.name, commit.time)) return broken(3, "no pass lets her in");',
    'if (pass && !isPassFor(pass, own.name, commit.time)) return broken(3, "no pass lets her in");',
  ]),
  door("7.6 a pass is for its name, and until its time", [
    'if (!pass || !isPassFor(pass, own.name, commit.time)) return broken(3, "no pass lets her in");',
    'if (!pass) return broken(3, "no pass lets her in");',
  ]),
  door("7.6 a pass is signed for its user", [
    'if (!isPassUsed(use!, site, commit.room, commit.author)) return broken(3, "the pass is not signed");',
    "",
  ]),
  door("7.6 a pass is spent by going from the list", [
    'return samePasses(commit.passes, rest) ? null : broken(5, "an entry leaves other passes behind");',
    "return null;",
  ]),
  door("7.1, 1 the author signs", [
    'if (!author || !isCommitSigned(commit, site, author.verifying)) return broken(1, "the signature is wrong");',
    'if (!author) return broken(1, "the signature is wrong");',
  ], [
    'if (!isCommitSigned(commit, facts.site, author.verifying)) return broken(1, "the signature is wrong");',
    "",
  ]),
  door("7.1, 1 who is no member only enters", [
    "if (isMember === (commit.how === commitHow.member)) return null;",
    "if (true) return null;",
  ]),
  door("7.1, 2 a commit follows the last one", [
    'if (!equals(commit.prev, head.commitHash)) return broken(2, "prev is not the last commit");',
    "",
  ]),
  door("7.1, 2 epochs count on", [
    'if (commit.epoch !== head.epoch + 1) return broken(2, "the epoch does not follow");',
    "",
  ]),
  door("7.1, 3 who stays keeps the order", [
    'if (++at >= head.roster.length) return broken(3, "who stays does not keep the order");',
    "if (++at >= head.roster.length) break;",
  ]),
  door("7.1, 3 who stays keeps name and since", [
    "if (before.name !== member.name || before.since !== member.since) {",
    "if (before.name !== member.name) {",
  ]),
  door("7.1, 3 additions have role 0, since this epoch", [
    "if (additions.some((m) => m.role !== memberRoles.member || m.since !== commit.epoch)) {",
    "if (additions.some((m) => m.role > memberRoles.admin)) {",
  ]),
  door("7.1, 3 only an admin adds to a closed room", [
    "if (policy === policies.closed && !isAdmin(findMember(head.roster, commit.author))) {",
    "if (policy === policies.direct) {",
  ]),
  door("7.1, 4 only an admin removes who did not leave", [
    "return isAdmin(findMember(head.roster, commit.author)) || removed.every((m) => left.has(m))\n    ? null",
    "return true\n    ? null",
  ]),
  door("7.1, 4 who leaves has signed it", [
    "if (!card || !isLeaveSigned(leave, commit.room, card.verifying)) {",
    "if (!card) {",
  ]),
  door("7.1, 5 only an admin changes roles", [
    'return asExpected ? null : broken(5, "only an admin changes roles");',
    "return null;",
  ]),
  door("7.1, 5 only an admin changes the policy", [
    'if (!admin) return broken(5, "only an admin changes the policy");',
    "",
  ]),
  door("7.1, 5 only an admin changes the passes", [
    'if (!isAdmin(findMember(head.roster, commit.author))) return broken(5, "only an admin changes the passes");',
    "",
  ]),
  door("7.1, 5 passes go with whoever stops being an admin", [
    'return passes.length > 0 ? broken(5, "an admin has gone, and passes stay") : null;',
    "return null;",
  ]),
  door("7.1, 6 nobody who is kept out is in the roster", [
    'if (commit.bans.some((id) => findMember(commit.roster, id))) return broken(6, "a member is kept out");',
    "",
  ]),
  door("7.1, 6 only an admin changes who is kept out", [
    'return isSame ? null : broken(6, "only an admin changes who is kept out");',
    "return null;",
  ]),
  door("7.1, 6 no pass is there twice", [
    "if (new Set(commit.passes.map(({ key }) => encodeHex(key))).size !== commit.passes.length) {",
    "if (commit.passes.length > 32) {",
  ]),
  newcomer("7.6 who invites has signed the commit that an invite names", "commit_rules", [
    'if (!equals(commit.author, lister)) return broken(1, "the author is not who has invited");',
    "",
  ]),
  newcomer("7.6 that commit is signed", "commit_rules", [
    'if (!author || !isCommitSigned(commit, site, author.verifying)) return broken(1, "the signature is wrong");',
    'if (!author) return broken(1, "the signature is wrong");',
  ]),
  newcomer("7.6 that commit lists the pass", "commit_rules", [
    'return isListed ? null : broken(5, "it does not list the pass");',
    "return null;",
  ]),
  newcomer("7.6 what was known once is not taken back", "shown", [
    "return through.epoch > head.epoch || equals(through.hash, head.commitHash) ? shown : null;",
    "return shown;",
  ]),
  newcomer("7.6 what admits her follows from what she was shown", "process_commit", [
    "if (!shown || commit.epoch !== shown.head.epoch + 1) return null;",
    "if (true) return null;",
  ]),
  newcomer("7.6 nothing from before what she was shown admits her", "process_commit", [
    'if (shown && isBeforeShown(shown, commit.epoch)) return fault("an admission from before what it has shown");',
    "",
  ]),
];

const copied = ["lib", "scripts/explore", "tests/fakes", "tests/vectors"];

/** Looks for the attack that a rule is for, with the rule taken out. @returns what was found; null for nothing */
export async function without({ file, edits, walk, depth, property }: RuleOut): Promise<Finding | null> {
  const dir = await Deno.makeTempDir({ prefix: "chat-explore-" });
  try {
    for (const path of copied) await copy(path, join(dir, path));
    let text = await Deno.readTextFile(file);
    for (const [from, to] of edits) {
      if (text.split(from).length !== 2) throw new Error(`"${from}" does not stand in ${file} just once`);
      text = text.replace(from, () => to);
    }
    await Deno.writeTextFile(join(dir, file), text);
    const all: { walks: typeof walks } = await import(
      pathToFileURL(join(dir, "scripts/explore/walks.ts")).href
    );
    return all.walks[walk](depth, property).finding;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function copy(from: string, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  if (!isDirectory) {
    await Deno.mkdir(join(to, ".."), { recursive: true });
    return await Deno.copyFile(from, to);
  }
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}

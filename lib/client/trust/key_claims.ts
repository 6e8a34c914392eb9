/**
 * KeyClaims: which changed keys the person may accept (protocol §4.3), and what of it is still open.
 *
 * A word given on the command line is good for one key, once: a later claim to the same name must not be
 * accepted by it. When several keys claim one name, the person has to say by its digits which one is meant.
 */

import { encodeHex } from "../../hex.ts";
import { safetyDigits } from "../../crypto/digits.ts";
import { ChatError } from "../../errors.ts";
import { type Named, skeleton } from "../../protocol/identity/name.ts";

/** Keys that stand against the known ones, in this run. */
export class KeyClaims {
  /** Whether a changed key was accepted in this run. */
  hasAccepted = false;
  #word: string | null;
  #claims = new Map<string, Map<string, Named>>();

  /** @param word what `--trust` names, or null */
  constructor(word: string | null) {
    this.#word = word;
  }

  /** What `--trust` names, as long as it has not been used. */
  get word(): string | null {
    return this.#word;
  }

  /** Another word was given. */
  say(word: string): void {
    this.#word = word;
    this.hasAccepted = false;
  }

  /** Whether `--trust` names this person or room. */
  names(name: string): boolean {
    return this.#word !== null && skeleton(this.#word) === skeleton(name);
  }

  /** The word has done what it was given for. */
  used(): void {
    this.hasAccepted = true;
    this.#word = null;
  }

  /** A key stands against the one that is known for a name. */
  note(claim: Named): void {
    const name = skeleton(claim.name);
    if (!this.#claims.has(name)) this.#claims.set(name, new Map());
    this.#claims.get(name)!.set(encodeHex(claim.id), claim);
  }

  /** All keys that were claimed for a name. */
  of(name: string): Named[] {
    return [...this.#claims.get(skeleton(name))?.values() ?? []];
  }

  /**
   * The key that the person means.
   *
   * @param own our id, for the digits
   * @param digits the beginning of the digits that `/verify` shows; needed when there are several keys
   * @throws ChatError when it is not clear which one
   */
  choose(name: string, own: Uint8Array, digits: string): Named | null {
    const claims = this.of(name);
    const said = digits.replaceAll(" ", "");
    const fitting = claims.filter(({ id }) => safetyDigits(own, id).replaceAll(" ", "").startsWith(said));
    if (fitting.length === 1) return fitting[0];
    if (claims.length === 0) return null;
    if (fitting.length === 0) {
      throw new ChatError(`No key of ${name} has these digits`, `"/verify ${name}" shows them`);
    }
    throw new ChatError(
      `${claims.length} different keys claim to be ${name}'s, and at most one of them is`,
      `"/verify ${name}" shows the digits of each; "/trust ${name} 12345" accepts the one whose digits begin so`,
    );
  }

  /** A key of the name is accepted: the name is settled, and the word used up if it was meant by it. */
  accepted(name: string): void {
    this.hasAccepted = true;
    if (this.names(name)) this.used();
    this.#claims.delete(skeleton(name));
  }
}

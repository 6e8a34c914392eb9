/**
 * Accounts: who may enter, and what the operator can do about it (protocol §8.4).
 *
 * Every refusal is one answer after the same work, so that nobody learns which half was wrong. Nothing here knows
 * of links; sign_in.ts does.
 */

import { encodeBase64Url } from "@std/encoding/base64url";
import { equals } from "@std/bytes/equals";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { sha256 } from "../../crypto/hash.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import { isPassword } from "../../protocol/identity/password.ts";
import { theServer } from "./audit.ts";
import { LoginThrottle } from "./login_throttle.ts";
import type { Passwords } from "./passwords.ts";
import type { Account, AccountListed, AccountStore, LoginOutcome } from "./store.ts";

const tokenBytes = 16;
/** Overtaken by another server on the same database: looked at again so often. */
const changeTries = 3;

/** Who may register. */
export type RegistrationMode = "open" | "token" | "closed";

/** Somebody who wants in. */
export interface Attempt {
  /** The name on the card of the link. */
  readonly cardName: string;
  /** As LOGIN or REGISTER says. */
  readonly name: string;
  /** UTF-8. */
  readonly password: Bytes;
  /** A registration with this token, maybe empty; null: a login. */
  readonly token: Bytes | null;
  /** Whom the link has proved. */
  readonly identity: Bytes;
  /** From where, as limits count it. */
  readonly address: string;
  /** Whether the link is still there. */
  isWanted(): boolean;
  /** Whether this name may be registered here at all: not if another key has it without an account. */
  isFree(): boolean;
  /** Takes the account's one place for this link. @returns false when somebody else is in */
  claim(account: string): Promise<boolean>;
}

/** What an attempt comes to. */
export type Verdict = { readonly account: Account; readonly isNew: boolean } | "refused" | "in use";

interface Judgement {
  readonly verdict: Verdict;
  readonly outcome: LoginOutcome | "gone";
}

/** What accounts are made of. */
export interface AccountsParts {
  /** Where they are kept. */
  readonly store: AccountStore;
  /** Hashes. */
  readonly passwords: Passwords;
  /** Who may register. */
  readonly registration: RegistrationMode;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
}

/** The accounts of a running server. All methods may throw AccountsUnavailable. */
export class Accounts {
  readonly #throttle: LoginThrottle;
  #running = new Map<string, Promise<unknown>>();

  /** @param parts passed in */
  constructor(private readonly parts: AccountsParts) {
    this.#throttle = new LoginThrottle(parts.clock);
  }

  /** Who may register. */
  get registration(): RegistrationMode {
    return this.parts.registration;
  }

  /** Judges a login or a registration, and notes what it came to. */
  async enter(attempt: Attempt): Promise<Verdict> {
    const { cardName, address, identity } = attempt;
    const name = skeleton(cardName);
    if (!this.#throttle.begin(name, address)) return "refused";
    const { verdict, outcome } = await this.#atDoor(name, address, async () => {
      const judged = await this.#judge(attempt);
      // The client left before the answer, so this attempt has told it nothing.
      return judged.outcome === "refused" && !attempt.isWanted() ? { ...judged, outcome: "gone" } : judged;
    });
    const { store, clock } = this.parts;
    // The row of the registration holds all of this already.
    const isNew = typeof verdict === "object" && verdict.isNew;
    if (!isNew && outcome !== "gone") {
      await store.noteLogin({
        name: cardName,
        skeleton: name,
        identity,
        address,
        atMs: clock.now(),
        outcome,
      });
    }
    return verdict;
  }

  /** Counts an attempt that the throttle has let begin. */
  async #atDoor(name: string, address: string, act: () => Promise<Judgement>): Promise<Judgement> {
    let judged: Judgement | null = null;
    try {
      judged = await act();
    } finally {
      if (judged?.outcome !== "refused") {
        this.#throttle.ended(name, address, judged?.outcome === "logged in");
      } else if (this.#throttle.failed(name, address)) judged = { ...judged, outcome: "door closed" };
    }
    return judged;
  }

  async #judge(attempt: Attempt): Promise<Judgement> {
    const { store, passwords } = this.parts;
    const name = skeleton(attempt.cardName);
    const refused = { verdict: "refused", outcome: "refused" } as const;
    const isWellFormed = isPassword(attempt.password) && skeleton(attempt.name) === name;
    const account = await store.find(name);
    if (account === null && attempt.token !== null && isWellFormed) {
      return await this.#mayRegister(attempt) ? await this.#register(attempt) : refused;
    }
    // Registering an account that exists is a login: the first ACCEPTED may have been lost.
    const credential = account?.credential ?? null;
    const isRight = await passwords.verify(attempt.password, credential, attempt.isWanted);
    // Decided by the row read above: a second query would take time only when the password was right.
    if (!isRight || !isWellFormed || account === null || !isOpenTo(account, attempt)) return refused;
    return await this.#serially(name, () => this.#admit(attempt, account.credential.revision));
  }

  async #mayRegister(attempt: Attempt): Promise<boolean> {
    const { registration, store, passwords } = this.parts;
    const may = registration === "open" ||
      (registration === "token" && await store.hasToken(sha256(attempt.token!)));
    if (may && attempt.isFree()) return true;
    await passwords.verify(attempt.password, null, attempt.isWanted);
    return false;
  }

  async #register(attempt: Attempt): Promise<Judgement> {
    const { store, passwords, clock, registration } = this.parts;
    const name = skeleton(attempt.cardName);
    const credential = await passwords.hash(attempt.password);
    return await this.#serially(name, async () => {
      // The second to claim a name must not affect the link of the first.
      const isFree = attempt.isWanted() && await store.find(name) === null;
      const outcome = isFree && await attempt.claim(name)
        ? await store.register({
          name: attempt.cardName,
          skeleton: name,
          credential,
          identity: attempt.identity,
          address: attempt.address,
          atMs: clock.now(),
          tokenHash: registration === "token" ? sha256(attempt.token!) : null,
        })
        : "taken";
      if (outcome !== "made") return { verdict: "refused", outcome: "refused" };
      return { verdict: { account: (await store.find(name))!, isNew: true }, outcome: "logged in" };
    });
  }

  /**
   * Password and key are right: whether they still are, and whether nobody else is in.
   *
   * @param revision of the credential that the password was held against
   */
  async #admit(attempt: Attempt, revision: number): Promise<Judgement> {
    const { store, passwords, clock } = this.parts;
    const name = skeleton(attempt.cardName);
    for (let tries = 0; tries < changeTries && attempt.isWanted(); tries++) {
      // Looked up again: it may have been changed, released or disabled while the password was checked.
      const account = await store.find(name);
      if (!account || !isOpenTo(account, attempt)) break;
      const { binding: { identity }, credential } = account;
      if (credential.revision !== revision && !await passwords.verify(attempt.password, credential)) break;
      if (!await attempt.claim(name)) return { verdict: "in use", outcome: "in use" };
      const act = { by: attempt.cardName, atMs: clock.now() };
      if (!identity && !await store.setBinding(account, attempt.identity, act)) continue;
      // The claim may have waited for seconds: the operator may have acted meanwhile.
      const now = await store.find(name);
      if (!now?.binding.identity || !isOpenTo(now, attempt)) break;
      await this.#bringUpToDate(account, attempt.password);
      return { verdict: { account, isNew: false }, outcome: "logged in" };
    }
    return { verdict: "refused", outcome: "refused" };
  }

  async #bringUpToDate(account: Account, password: Bytes): Promise<void> {
    const { store, passwords, clock } = this.parts;
    if (passwords.isCurrent(account.credential)) return;
    const act = { by: theServer, atMs: clock.now() };
    await store.setCredential(account, await passwords.hash(password), act);
  }

  /** Logins of one account go one after the other. */
  async #serially<T>(name: string, act: () => Promise<T>): Promise<T> {
    const before = this.#running.get(name);
    const run = (before ?? Promise.resolve()).then(act, act);
    const settled = run.catch(() => {});
    this.#running.set(name, settled);
    try {
      return await run;
    } finally {
      if (this.#running.get(name) === settled) this.#running.delete(name);
    }
  }

  /**
   * The owner's own change of the password.
   *
   * @returns false when the old one is wrong, or the new one cannot be one
   */
  async changePassword(name: string, old: Bytes, next: Bytes, address: string): Promise<boolean> {
    const { store, passwords, clock } = this.parts;
    return await this.#asOwner(name, old, address, async (account) => {
      if (!isPassword(next)) return false;
      const act = { by: account.name, atMs: clock.now() };
      return await store.setCredential(account, await passwords.hash(next), act);
    });
  }

  /** The owner lets the next login come from another key. @returns false when the password is wrong */
  async releaseOwn(name: string, password: Bytes, address: string): Promise<boolean> {
    const { store, clock } = this.parts;
    return await this.#asOwner(name, password, address, async (account) => {
      const act = { by: account.name, atMs: clock.now() };
      return account.binding.identity === null || await store.setBinding(account, null, act);
    });
  }

  async #asOwner(
    name: string,
    password: Bytes,
    address: string,
    act: (account: Account) => Promise<boolean>,
  ): Promise<boolean> {
    const { store, passwords } = this.parts;
    const key = skeleton(name);
    if (!this.#throttle.begin(key, address)) return false;
    const { verdict } = await this.#atDoor(key, address, async () => {
      const account = await store.find(key);
      const isRight = await passwords.verify(password, account?.credential ?? null);
      return isRight && account
        ? { verdict: { account, isNew: false }, outcome: "logged in" }
        : { verdict: "refused", outcome: "refused" };
    });
    return typeof verdict === "object" && await this.#serially(key, () => act(verdict.account));
  }

  // ---- what the operator does

  /** All accounts. */
  list(): Promise<AccountListed[]> {
    return this.parts.store.accounts();
  }

  /** Unbinds a lost key. @returns the account; null when there is none */
  release(name: string, by: string): Promise<Account | null> {
    return this.#operate(
      name,
      (account, act) => account.binding.identity === null || this.parts.store.setBinding(account, null, act),
      by,
    );
  }

  /** Lets nobody in with an account any more, or again. @returns the account; null when there is none */
  setDisabled(name: string, disabled: boolean, by: string): Promise<Account | null> {
    return this.#operate(
      name,
      (account, act) =>
        account.ban.disabled === disabled || this.parts.store.setDisabled(account, disabled, act),
      by,
    );
  }

  async #operate(
    name: string,
    change: (account: Account, act: { by: string; atMs: number }) => boolean | Promise<boolean>,
    by: string,
  ): Promise<Account | null> {
    for (;;) {
      const account = await this.parts.store.find(skeleton(name));
      if (!account || await change(account, { by, atMs: this.parts.clock.now() })) return account;
    }
  }

  /** Mints a token for one registration. @returns the token, which is kept nowhere */
  async mintToken(by: string): Promise<string> {
    const token = encodeBase64Url(this.parts.random(tokenBytes));
    const hash = sha256(new TextEncoder().encode(token));
    await this.parts.store.addToken(hash, { by, atMs: this.parts.clock.now() });
    return token;
  }

  /** Lets go of the store. */
  close(): Promise<void> {
    return this.parts.store.close();
  }
}

/** Whether an account lets this key in, if the password is right. */
function isOpenTo({ ban, binding: { identity } }: Account, attempt: Attempt): boolean {
  return !ban.disabled && (identity === null || equals(identity, attempt.identity));
}

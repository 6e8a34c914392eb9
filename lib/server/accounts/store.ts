/**
 * AccountStore: who may enter, kept so that nothing is ever changed or removed (protocol §8.4).
 *
 * Accounts, credentials, bindings, bans, tokens and login events are rows that are only ever added; of each kind the
 * newest counts. So a database user with SELECT and INSERT is enough, and the rows are the audit trail.
 *
 * Promises, each with a test in the contract suite that runs against every implementation:
 *  1. Of any number of registrations of one skeleton exactly one makes an account; the others leave nothing behind.
 *  2. A registration token admits one registration, however many come at once.
 *  3. What was added stays as it was; find() tells the newest of each kind.
 *  4. Of two changes that rest on the same state one is added; the other adds nothing and returns false.
 *  5. When a call returns, what it added survives a kill of the process (memory excepted).
 *  6. Text (without U+0000) and bytes come back as they went in, whatever they say.
 *  7. A call that fails throws AccountsUnavailable and has added all or nothing: nothing, unless the database had
 *     taken it and could not answer in time.
 *  8. audit() tells each row with who and when, oldest first.
 */

import { ChatError, exitCodes } from "../../errors.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { Credential } from "./passwords.ts";

/** The newest rows of one account; `revision` counts the changes of each kind from 1. */
export interface Account {
  /** The name's skeleton: what the account is known by. */
  readonly skeleton: string;
  /** The name as it was registered. */
  readonly name: string;
  /** When it was registered, ms since 1970. */
  readonly atMs: number;
  /** Its password. */
  readonly credential: Credential & { readonly revision: number };
  /** The identity that it belongs to; null when released. */
  readonly binding: { readonly revision: number; readonly identity: Bytes | null };
  /** Whether the operator has disabled it. */
  readonly ban: { readonly revision: number; readonly disabled: boolean };
}

/** An account for the operator's list. */
export interface AccountListed extends Account {
  /** The newest login, ms since 1970; null for none. */
  readonly lastLoginMs: number | null;
}

/** Who did something, and when. */
export interface Act {
  /** An account's name, or the operator; at most 64 characters. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** What a login came to. */
export type LoginOutcome = "logged in" | "refused" | "in use" | "door closed";

/** One try to come in. */
export interface LoginEvent {
  /** As claimed. */
  readonly name: string;
  /** Its skeleton. */
  readonly skeleton: string;
  /** Who tried, by the link. */
  readonly identity: Bytes;
  /** From where, as limits count addresses. */
  readonly address: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** What it came to. */
  readonly outcome: LoginOutcome;
}

/** A new account. */
export interface Registration {
  /** As typed. */
  readonly name: string;
  /** Its skeleton. */
  readonly skeleton: string;
  /** The password's hash. */
  readonly credential: Credential;
  /** Whom it belongs to. */
  readonly identity: Bytes;
  /** From where. */
  readonly address: string;
  /** When, ms since 1970. */
  readonly atMs: number;
  /** SHA-256 of the token that allows it; null where none is needed. */
  readonly tokenHash: Bytes | null;
}

/** One line of the audit trail. */
export interface AuditRow {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Who did it. */
  readonly by: string;
  /** What was done, in words. */
  readonly what: string;
  /** The account, or the claimed name; empty for none. */
  readonly name: string;
  /** From which address, or which key; maybe empty. */
  readonly detail: string;
}

/** Where accounts are kept. All methods may throw AccountsUnavailable. */
export interface AccountStore {
  /** Where, for messages: without any secret. */
  readonly place: string;
  /** Looks whether it can be used at all. @returns warnings for the operator */
  check(): Promise<string[]>;
  /** The account of a skeleton. */
  find(skeleton: string): Promise<Account | null>;
  /** Makes an account: a registration is a login too. */
  register(registration: Registration): Promise<"made" | "taken" | "token refused">;
  /** Whether a token was minted and has not been used. */
  hasToken(hash: Bytes): Promise<boolean>;
  /** Notes a login that was tried. */
  noteLogin(event: LoginEvent): Promise<void>;
  /** Another password, or another hash of it. @returns false when it was overtaken */
  setCredential(account: Account, credential: Credential, act: Act): Promise<boolean>;
  /** Binds to an identity, or releases. @returns false when it was overtaken */
  setBinding(account: Account, identity: Bytes | null, act: Act): Promise<boolean>;
  /** Disables or enables. @returns false when it was overtaken */
  setDisabled(account: Account, disabled: boolean, act: Act): Promise<boolean>;
  /** Allows one registration to the holder of the token with this hash. */
  addToken(hash: Bytes, act: Act): Promise<void>;
  /** All accounts, by skeleton. */
  accounts(): Promise<AccountListed[]>;
  /** The whole trail, oldest first. */
  audit(): AsyncIterable<AuditRow>;
  /** Lets go. */
  close(): Promise<void>;
}

/** The accounts cannot be read or written now. */
export class AccountsUnavailable extends ChatError {
  /** Makes one. @param place of the store @param why in the system's words @param exitCode if it ends the program */
  constructor(place: string, why: string, hint: string, exitCode: number = exitCodes.unreachable) {
    super(`Cannot use the accounts in ${place}: ${why}`, hint, exitCode);
  }
}

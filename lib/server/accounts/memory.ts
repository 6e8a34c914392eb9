/** Accounts in memory, gone with the process: what the other stores are held against, and `--accounts memory:`. */

import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { auditOf } from "./audit.ts";
import type { Credential } from "./passwords.ts";
import type {
  Account,
  AccountListed,
  AccountStore,
  Act,
  AuditRow,
  LoginEvent,
  Registration,
} from "./store.ts";

/** Rows in arrays and maps. */
export class MemoryAccounts implements AccountStore {
  readonly place = "memory";
  #accounts = new Map<string, Account>();
  #tokens = new Map<string, { used: boolean }>();
  #logins = new Map<string, number>();
  #trail: AuditRow[] = [];

  check(): Promise<string[]> {
    return Promise.resolve([]);
  }

  find(skeleton: string): Promise<Account | null> {
    return Promise.resolve(this.#accounts.get(skeleton) ?? null);
  }

  register(registration: Registration): Promise<"made" | "taken" | "token refused"> {
    const { name, skeleton, credential, identity, atMs, tokenHash } = registration;
    if (this.#accounts.has(skeleton)) return Promise.resolve("taken");
    const token = tokenHash ? this.#tokens.get(encodeHex(tokenHash)) : null;
    if (token === undefined || token?.used) return Promise.resolve("token refused");
    if (token) token.used = true;
    this.#accounts.set(skeleton, {
      skeleton,
      name,
      atMs,
      credential: { ...credential, revision: 1 },
      binding: { identity, revision: 1 },
      ban: { disabled: false, revision: 0 },
    });
    this.#logins.set(skeleton, atMs);
    this.#trail.push(auditOf.registered(registration));
    return Promise.resolve("made");
  }

  hasToken(hash: Bytes): Promise<boolean> {
    return Promise.resolve(this.#tokens.get(encodeHex(hash))?.used === false);
  }

  noteLogin(event: LoginEvent): Promise<void> {
    if (event.outcome === "logged in") this.#logins.set(event.skeleton, event.atMs);
    this.#trail.push(auditOf.login(event));
    return Promise.resolve();
  }

  setCredential(account: Account, credential: Credential, act: Act): Promise<boolean> {
    const revision = account.credential.revision + 1;
    return this.#change(
      account,
      (now) => now.credential.revision < revision && { ...now, credential: { ...credential, revision } },
      auditOf.credential(account.name, act),
    );
  }

  setBinding(account: Account, identity: Bytes | null, act: Act): Promise<boolean> {
    const revision = account.binding.revision + 1;
    return this.#change(
      account,
      (now) => now.binding.revision < revision && { ...now, binding: { identity, revision } },
      auditOf.binding(account.name, identity, act),
    );
  }

  setDisabled(account: Account, disabled: boolean, act: Act): Promise<boolean> {
    const revision = account.ban.revision + 1;
    return this.#change(
      account,
      (now) => now.ban.revision < revision && { ...now, ban: { disabled, revision } },
      auditOf.ban(account.name, disabled, act),
    );
  }

  #change({ skeleton }: Account, act: (now: Account) => Account | false, row: AuditRow): Promise<boolean> {
    const changed = act(this.#accounts.get(skeleton)!);
    if (!changed) return Promise.resolve(false);
    this.#accounts.set(skeleton, changed);
    this.#trail.push(row);
    return Promise.resolve(true);
  }

  addToken(hash: Bytes, act: Act): Promise<void> {
    this.#tokens.set(encodeHex(hash), { used: false });
    this.#trail.push(auditOf.token(act));
    return Promise.resolve();
  }

  accounts(): Promise<AccountListed[]> {
    const all = [...this.#accounts.values()].sort((a, b) => a.skeleton < b.skeleton ? -1 : 1);
    return Promise.resolve(
      all.map((account) => ({ ...account, lastLoginMs: this.#logins.get(account.skeleton) ?? null })),
    );
  }

  async *audit(): AsyncGenerator<AuditRow> {
    yield* this.#trail.toSorted((a, b) => a.atMs - b.atMs);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

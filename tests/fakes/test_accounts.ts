/** Accounts for tests: cheap hashes, so that a hundred logins take no minute. */

import type { Clock } from "../../lib/clock.ts";
import { systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { Accounts, type RegistrationMode } from "../../lib/server/accounts/accounts.ts";
import { MemoryAccounts } from "../../lib/server/accounts/memory.ts";
import { type PasswordCost, Passwords } from "../../lib/server/accounts/passwords.ts";
import type { AccountStore } from "../../lib/server/accounts/store.ts";

export const cheap: PasswordCost = { memoryKiB: 64, passes: 1, lanes: 1 };

export interface TestAccountsOptions {
  store?: AccountStore;
  registration?: RegistrationMode;
  cost?: PasswordCost;
  clock?: Clock;
}

export function testAccounts(options: TestAccountsOptions = {}): Accounts {
  return new Accounts({
    store: options.store ?? new MemoryAccounts(),
    passwords: new Passwords(systemRandom, options.cost ?? cheap),
    registration: options.registration ?? "open",
    clock: options.clock ?? systemClock,
    random: systemRandom,
  });
}

/** What the command line of somebody who registers, or logs in, says. */
export const registers = (password: string, registrationToken: string | null = null) => ({
  login: { register: true, password, registrationToken },
});
export const logsIn = (password: string) => ({
  login: { register: false, password, registrationToken: null },
});

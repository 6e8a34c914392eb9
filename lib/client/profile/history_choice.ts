/**
 * HistoryChoice: how long what is said is kept on this machine. A person's last choice holds until another one is made;
 * programs keep nothing unless they are told to.
 */

import { ChatError, exitCodes } from "../../errors.ts";
import type { SealedFiles } from "../../storage/sealed_files.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";

const file = "history.state";
const defaultDays = 30;
const maxDays = 3650;

/** Days that a line is kept; 0 for not at all, Infinity for ever. */
export type KeptDays = number;

/** What is wished on the command line. */
export interface HistoryWish {
  /** `--history`; null when it is not given. */
  readonly days: KeptDays | null;
  /** Whether it is a person's: it holds from now on, and without one the last holds. */
  readonly isPersons: boolean;
}

/** Reads `off`, `all` or days, as `30d`. @throws ChatError */
export function parseKeptDays(text: string): KeptDays {
  if (text === "off") return 0;
  if (text === "all") return Infinity;
  const days = /^(\d{1,4})d$/.exec(text)?.[1];
  if (days !== undefined && Number(days) >= 1 && Number(days) <= maxDays) return Number(days);
  throw new ChatError(
    `--history cannot be "${text}"`,
    `give 30d (or another number of days up to ${maxDays}), off or all`,
    exitCodes.usage,
  );
}

interface Stored {
  /** Null for ever. */
  readonly days: number | null;
  readonly told: boolean;
}

/** The choice for one server. */
export class HistoryChoice {
  /** What holds in this run. */
  readonly days: KeptDays;
  readonly #isTold: boolean;

  /** @param files of the server @throws FileTrouble */
  constructor(private readonly files: SealedFiles, private readonly wish: HistoryWish) {
    const bytes = files.read(file);
    const stored = bytes ? decodeState<Stored>(bytes) : null;
    const before = stored ? stored.days ?? Infinity : defaultDays;
    this.days = wish.days ?? (wish.isPersons ? before : 0);
    this.#isTold = stored?.told === true && before === this.days;
    if (wish.isPersons && stored && before !== this.days) this.#store(false);
  }

  /** What the person must be told of it, once; null when that has been done. @throws FileTrouble */
  takeNotice(): string | null {
    if (!this.wish.isPersons || this.#isTold) return null;
    this.#store(true);
    if (this.days === 0) return null;
    const howLong = this.days === Infinity
      ? "for good"
      : `for ${this.days} ${this.days === 1 ? "day" : "days"}`;
    return `What is said here is kept on this machine ${howLong}, sealed to your key ` +
      '("/forget" wipes it, "--history off" ends it).';
  }

  #store(told: boolean): void {
    const stored: Stored = { days: this.days === Infinity ? null : this.days, told };
    this.files.write(file, encodeState(stored));
  }
}

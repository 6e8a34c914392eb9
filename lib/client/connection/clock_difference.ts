/** ClockDifference: how far our clock is from the server's, in words, and what that breaks. */

import { ChatError } from "../../errors.ts";

/** From here on others may refuse our keys, or we theirs (protocol §4.4). */
const noticedSeconds = 300;
/** From here on keys are refused for sure. */
const refusedSeconds = 600;

const units = [[86_400, "day"], [3_600, "hour"], [60, "minute"]] as const;

/** As `21 days behind the server's`. @param seconds ours less the server's */
function inWords(seconds: number): string {
  const size = Math.abs(seconds);
  const [unit, name] = units.find(([unit]) => size >= 2 * unit) ?? units.at(-1)!;
  const count = Math.round(size / unit);
  return `${count} ${name}${count === 1 ? "" : "s"} ${seconds < 0 ? "behind" : "ahead of"} the server's`;
}

/** What a person is told on coming in; null when the clocks agree. @param seconds ours less the server's */
export function clockWarning(seconds: number): string | null {
  if (Math.abs(seconds) <= noticedSeconds) return null;
  return `This machine's clock is ${
    inWords(seconds)
  }: others may refuse your keys, or you theirs. Set it right ` +
    "(date shows it); if it is right, tell the server's operator.";
}

/** Whether keys that we date are refused. @param seconds our clock less the server's; null when that is not known */
export function isWrongClock(seconds: number | null): boolean {
  return seconds !== null && Math.abs(seconds) > refusedSeconds;
}

/** Keys of ours were refused. @param seconds our clock less the server's; null when it did not say its own */
export function keysRefused(seconds: number | null): ChatError {
  if (seconds !== null && isWrongClock(seconds)) {
    return new ChatError(
      `Your keys are dated by a wrong clock: this machine's is ${inWords(seconds)}`,
      "set it right (date shows it), and join again; if it is right, tell the server's operator",
    );
  }
  return new ChatError(
    "The server refused your prekey: it knows a newer one of yours",
    "this profile is an old copy, or another machine has its keys: go on with the newer one",
  );
}

/** TransferText: files and how they get on, in words: one wording for terminals, pipes and screen readers. */

import type { RoomEvent, SharedFile } from "../client/room_events.ts";
import { sanitize } from "../sanitize.ts";
import { shellWord } from "../shell_word.ts";
import { sizeInWords } from "../size_in_words.ts";
import { dayInWords } from "../timestamp.ts";

/** How a transfer gets on. */
export type Progress = Extract<RoomEvent, { readonly type: "progress" }>;

/** What somebody has sent; never what a line of theirs can look like. @param from as it is shown @param words what is said of it */
export function fileText(
  from: string,
  { name, size, untilMs }: SharedFile,
  words: string,
  own: boolean,
): string {
  const what = `${from} sent ${name}, ${sizeInWords(size)}, until ${dayInWords(untilMs)}`;
  const how = own ? what : `${what}: /get ${name}`;
  return words.trim() === "" ? how : `${how}\n    ${sanitize(words)}`;
}

/** A row over the prompt, as `↑ report.pdf 41 % of 12.3 MB · 1.2 MB/s · 6 s`. */
export function progressRow({ way, name, done, size, rate, leftMs, isWaiting }: Progress): string {
  const part = `${way === "up" ? "↑" : "↓"} ${name} ${percent(done, size)} % of ${sizeInWords(size)}`;
  if (isWaiting) return `${part} · waiting`;
  const speed = rate > 0 ? ` · ${sizeInWords(rate)}/s` : "";
  return `${part}${speed}${leftMs === null ? "" : ` · ${timeLeft(leftMs)}`}`;
}

/** A line, for who reads line by line. */
export function progressLine({ way, name, done, size }: Progress): string {
  const doing = way === "up" ? "Sending" : "Fetching";
  return done === 0
    ? `${doing} ${name}, ${sizeInWords(size)}.`
    : `${doing} ${name}: ${percent(done, size)} % of ${sizeInWords(size)}.`;
}

/** A file is at its place. */
export function savedText({ name, path, size }: { name: string; path: string; size: number }): string {
  return `Saved ${name}, ${sizeInWords(size)}: ${shellWord(path)}`;
}

/** Of a whole, in hundredths; all of it only when all is there. */
export function percent(done: number, size: number): number {
  return size === 0 ? 100 : done >= size ? 100 : Math.floor(done * 100 / size);
}

function timeLeft(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

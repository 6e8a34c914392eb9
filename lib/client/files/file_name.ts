/**
 * FileName: the name of a file that somebody else has chosen, made one that can be shown and written: both are the same
 * string. It is a name and no path, begins with no dot, turns no text around, means no device, and fits every file system.
 */

import { sanitizeLine } from "../../sanitize.ts";

const maxBytes = 200;
const letters = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const otherwise = "file";
// What a path, a shell, a stream of NTFS, or a terminal makes something else of.
const forbidden = /[/\\:*?"<>|\p{Cc}\ufffd]/gu;
const devices = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?$/i;
const invisible = /[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]/gu;

/** A name that can be shown and written. @param name as its sender calls it; a path means its last part */
export function safeFileName(name: string): string {
  // What one step takes out may bring two letters together that another one joins.
  let safe = stepToSafe(name);
  for (let next = stepToSafe(safe); next !== safe; next = stepToSafe(safe)) {
    if (bytesOf(next) > bytesOf(safe)) return otherwise;
    safe = next;
  }
  return devices.test(safe) ? `_${safe}` : safe;
}

function stepToSafe(name: string): string {
  const last = name.split(/[/\\]/).findLast((part) => part.trim() !== "") ?? "";
  const text = sanitizeLine(last.replace(invisible, "").normalize("NFC")).replace(forbidden, "_");
  // What Windows drops at the end, and what hides a file or means a folder at the beginning.
  const bare = text.replace(/\s+/gu, " ").replace(/^[\s.~-]+/u, "").replace(/[\s.]+$/u, "");
  const cut = cutToBytes(bare, maxBytes);
  return cut === "" || /^_+$/.test(cut) ? otherwise : cut;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Cut between two letters, the end of the name with its dot kept. */
function cutToBytes(name: string, most: number): string {
  if (bytesOf(name) <= most) return name;
  const [extension = ""] = /\.[^.]{1,16}$/u.exec(name) ?? [];
  const room = most - bytesOf(extension);
  let stem = "";
  for (const { segment: letter } of letters.segment(name.slice(0, name.length - extension.length))) {
    if (bytesOf(stem + letter) > room) break;
    stem += letter;
  }
  return stem.replace(/[\s.]+$/u, "") + extension;
}

/** The same name with a number, for where it is taken: `report (2).pdf`. */
export function numberedName(name: string, n: number): string {
  if (n === 1) return name;
  const [extension = ""] = /(?<=.)(\.tar)?\.[^.\s]{1,16}$/u.exec(name) ?? [];
  return `${name.slice(0, name.length - extension.length)} (${n})${extension}`;
}

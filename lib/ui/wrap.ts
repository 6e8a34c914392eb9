/**
 * Wrap: lines broken for a window, with what follows indented.
 *
 * A terminal that breaks a long line goes on at its first column, where a stranger could place what looks like a line
 * of ours. So lines are broken here; only an address that can be clicked stays in one piece.
 */

import { command } from "../program.ts";
import { graphemes, mostColumnsOf } from "./graphemes.ts";

const indent = "    ";
// Has no brackets, so a wrapped row can never start with "[+]" or "[!]".
const address = /^https?:\/\/[\w\-.~:/?#@!$&'()*+,;=%]+$/;

/** Breaks each line of a text. @param columns of the window @param text may have sequences that change colours */
export function wrap(text: string, columns: number): string {
  const width = columns - 1;
  if (width < 2 * indent.length) return text;
  return text.split("\n").map((line) => mostColumnsOf(plain(line)) <= width ? line : wrapLine(line, width))
    .join("\n");
}

/** A command of ours with an invite in it, which is to be copied whole: it is left to the terminal to break it. */
export function isInviteLine(line: string): boolean {
  return line.startsWith(`${command("join -u NAME")} '`) &&
    /^[\x21-\x7e]+'$/.test(line.slice(line.indexOf(" '") + 2));
}

const colours = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, "g");
/** Without the sequences that change colours, which take no columns. */
function plain(text: string): string {
  return text.replaceAll(colours, "");
}

function wrapLine(line: string, width: number): string {
  const rows: string[] = [];
  let row = "", column = 0;
  const begin = () => {
    rows.push(row.trimEnd());
    row = indent;
    column = indent.length;
  };
  const isBegun = () => row.trim() !== "";
  // Every character that terminals draw as a blank counts as one.
  for (const word of line.match(/[\p{Zs}]+|[^\p{Zs}]+/gu) ?? []) {
    const columns = mostColumnsOf(plain(word));
    if (column + columns <= width) {
      row += word;
      column += columns;
      continue;
    }
    if (/^\p{Zs}/u.test(word)) {
      if (isBegun()) begin();
      continue;
    }
    if (isBegun() && columns <= width - indent.length) begin();
    if (address.test(word)) {
      if (isBegun()) begin();
      row += word;
      column = width; // what follows begins a row of its own
      continue;
    }
    for (const grapheme of graphemes(word)) {
      const more = mostColumnsOf(grapheme);
      if (column + more > width) begin();
      row += grapheme;
      column += more;
    }
  }
  rows.push(row.trimEnd());
  return rows.filter((each, i) => i === 0 || each !== "").join("\n");
}

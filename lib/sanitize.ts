/**
 * Sanitize: remote text made harmless.
 *
 * Nothing that a stranger writes may move the cursor, recolour, set titles, open links, turn the direction
 * of text, or look like a line of ours. One filter stands before every output path.
 */

// What is to be ignored by default includes letters that are drawn as blanks of a width nobody agrees on (U+3164).
const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
// U+200C and U+200D hold emoji families and some scripts together; U+FE0E and U+FE0F choose between text and emoji.
const kept = new Set(["\u200c", "\u200d", "\ufe0e", "\ufe0f"]);
const maxMarks = 8;
const marks = new RegExp(`([\\p{M}\u200c\u200d]{${maxMarks}})[\\p{M}\u200c\u200d]+`, "gu");
const replacement = "\ufffd";

/** A name as somebody typed it, for an error: cut, and what is no printable ASCII as "?". */
export function typedName(text: string): string {
  return text.slice(0, 40).replace(/[^\x21-\x7e]/g, "?");
}

/** One line of remote text: control, format and separator characters replaced, combining marks capped. */
export function sanitizeLine(text: string): string {
  return text.replaceAll("\t", " ").replace(hidden, (c) => kept.has(c) ? c : replacement)
    .replace(marks, "$1");
}

/**
 * Remote text of several lines: later ones are indented, so that none can pass for a line of ours, and of many empty
 * ones two are left, so that nobody can scroll away what others have said.
 */
export function sanitize(text: string): string {
  const lines = text.split(/\r\n|\r|\n|\u2028|\u2029/);
  const isEmpty = (i: number) => lines[i].trim() === "";
  return lines.filter((_, i) => i < 2 || !(isEmpty(i) && isEmpty(i - 1) && isEmpty(i - 2)))
    .map((line) => sanitizeLine(line.replaceAll("\t", "    "))).join("\n    ");
}

/**
 * Frame: an editor's state as rows of a terminal, and where its cursor stands. Pure.
 *
 * Rows are broken here and never by the terminal, whose own wrapping at the last column differs from kind to kind;
 * that column therefore stays empty. What does not fit on the screen is scrolled, around the cursor.
 */

import type { EditorState } from "./editor.ts";
import { columnsOf, graphemes, shown } from "../graphemes.ts";

/** What stands at the bottom of the screen. */
export interface Frame {
  /** None is wider than the terminal less one column; at least one. */
  readonly rows: readonly string[];
  /** Of the cursor, from 0. */
  readonly row: number;
  /** Of the cursor, from 0. */
  readonly column: number;
}

/** What a frame shows. */
export interface FrameParts {
  /** Rows above the prompt: own lines that wait; each cut to one row. */
  readonly above: readonly string[];
  /** Before the line. */
  readonly prompt: string;
  /** The line; null while the prompt asks for a secret. */
  readonly state: EditorState | null;
}

/** Draws. @param columns, height of the terminal */
export function frameOf({ above, prompt, state }: FrameParts, columns: number, height: number): Frame {
  const width = Math.max(2, columns - 1);
  const most = Math.max(1, height - 1);
  const { rows, row, column } = line(promptOf(prompt, state), state, width);
  // The rows of the line go before what waits above it.
  const first = Math.max(0, Math.min(row - most + 1 + Math.min(2, most - 1), rows.length - most));
  const seen = rows.slice(first, first + most);
  const room = most - seen.length;
  const top = room > 0 ? above.slice(-room).map((each) => cutTo(each, width)) : [];
  return { rows: [...top, ...seen], row: top.length + row - first, column };
}

function promptOf(prompt: string, state: EditorState | null): string {
  if (state?.held) {
    const lines = state.held.text.split("\n").length;
    return `Pasted: ${lines} lines, ${state.held.bytes} bytes. Send o: as one message, l: line by line, n: not at all; then Enter: `;
  }
  if (!state?.search) return prompt;
  const { words, at } = state.search;
  return at === null && words !== "" ? `(nothing said with "${words}") ` : `(said before with "${words}") `;
}

/** The prompt and the line, broken into rows. */
function line(prompt: string, state: EditorState | null, width: number): Frame {
  const text = state ? textOf(state) : "";
  const cursor = state?.search || state?.held ? text.length : state?.cursor ?? 0;
  const rows: string[] = [];
  let row = "", column = 0;
  let at = { row: 0, column: 0 };
  const put = (grapheme: string) => {
    const visible = shown(grapheme);
    const columns = columnsOf(visible);
    if (column + columns > width) {
      rows.push(row);
      row = "";
      column = 0;
    }
    row += visible;
    column += columns;
  };
  // A question is broken between words; a word that is wider than the window, anywhere.
  for (const word of prompt.match(/\s+|\S+/gu) ?? []) {
    const columns = [...graphemes(word)].reduce((sum, each) => sum + columnsOf(shown(each)), 0);
    if (column > 0 && column + columns > width && columns <= width && word.trim() !== "") {
      rows.push(row);
      row = "";
      column = 0;
    }
    for (const grapheme of graphemes(word)) put(grapheme);
  }
  let index = 0;
  const note = () => {
    if (index === cursor) at = { row: rows.length, column };
  };
  note();
  for (const grapheme of graphemes(text)) {
    // After a full row the cursor is at the start of the next one.
    if (grapheme === "\n") {
      rows.push(row);
      row = "";
      column = 0;
    } else put(grapheme);
    index += grapheme.length;
    note();
  }
  rows.push(row);
  return { rows, ...at };
}

function textOf({ text, search, history, held }: EditorState): string {
  if (held) return held.answer;
  return search ? search.at === null ? "" : history[search.at] : text;
}

/** One row of a text, with a mark where it was cut. */
function cutTo(text: string, width: number): string {
  let row = "", column = 0;
  for (const grapheme of graphemes(text.replaceAll("\n", " "))) {
    const visible = shown(grapheme);
    const columns = columnsOf(visible);
    if (column + columns > width - 1) return `${row}…`;
    row += visible;
    column += columns;
  }
  return row;
}

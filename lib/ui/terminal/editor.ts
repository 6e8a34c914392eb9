/**
 * Editor: one line of text, and what each key does to it. Pure: a state and a key give a state, and maybe something
 * for the world to do.
 *
 * Keys are those that people's hands know from readline. The line may hold line feeds (Alt+Enter, a paste that is
 * sent as one message); it is sent only by Enter.
 */

import { boundaryAfter, boundaryBefore, boundaryFrom } from "../graphemes.ts";
import { type Key, maxPasteBytes } from "./keys.ts";

/** Pasted lines that wait for the person's word. */
export interface HeldPaste {
  /** All of it, with line feeds. */
  readonly text: string;
  /** UTF-8 bytes. */
  readonly bytes: number;
  /** What the person has answered so far: Enter ends it. */
  readonly answer: string;
}

/** Ways to complete a word. */
export interface Offer {
  /** Where the word begins. */
  readonly from: number;
  /** What may stand there, the likeliest first. */
  readonly words: readonly string[];
  /** Which one does. */
  readonly at: number;
}

/** Everything that one line is. Positions are in UTF-16 units, on the border of a grapheme. */
export interface EditorState {
  /** What is typed. */
  readonly text: string;
  /** Where the next character goes. */
  readonly cursor: number;
  /** Earlier lines, oldest first. */
  readonly history: readonly string[];
  /** Which of them is shown; null: the line itself. */
  readonly at: number | null;
  /** The line itself, while an earlier one is shown. */
  readonly draft: string;
  /** Earlier lines as they were changed, until one is entered; by their place. */
  readonly edited: Readonly<Record<number, string>>;
  /** What was cut last. */
  readonly cut: string;
  /** Lines as they were before each change, for undo. */
  readonly before: readonly { readonly text: string; readonly cursor: number }[];
  /** What Tab has put between `from` and the cursor, and what it would put there next. */
  readonly offer: Offer | null;
  /** Looking for an earlier line (Ctrl+R). */
  readonly search: { readonly words: string; readonly at: number | null } | null;
  /** A paste of several lines that is asked about. */
  readonly held: HeldPaste | null;
}

/** What the terminal is to do. */
export type Effect =
  /** The line is entered. */
  | { readonly type: "enter"; readonly text: string }
  /** Pasted lines are said as they stand, one message each; what they stand for as commands counts for nothing. */
  | { readonly type: "say"; readonly lines: readonly string[] }
  /** Tab: the word before the cursor. */
  | { readonly type: "complete" }
  /** Ctrl+C; `empty` when there was nothing to clear. */
  | { readonly type: "interrupt"; readonly empty: boolean }
  /** Ctrl+D on an empty line. */
  | { readonly type: "end" }
  /** Ctrl+Z. */
  | { readonly type: "suspend" }
  /** Ctrl+L. */
  | { readonly type: "clear" }
  /** Alt+1 … Alt+9. */
  | { readonly type: "switch"; readonly to: number }
  /** It was not taken, with the reason in words. */
  | { readonly type: "refused"; readonly why: string };

/** A state, and what follows. */
export interface Pressed {
  /** After the key. */
  readonly state: EditorState;
  /** At most one thing. */
  readonly effect: Effect | null;
}

const maxHistory = 500;
const maxUndo = 100;
const maxAnswerMs = 20;

/** An empty line. */
export function emptyLine(history: readonly string[] = []): EditorState {
  return {
    text: "",
    cursor: 0,
    history,
    at: null,
    draft: "",
    edited: {},
    cut: "",
    before: [],
    offer: null,
    search: null,
    held: null,
  };
}

/**
 * Puts the first of several words where one was begun; the next Tab takes the next.
 *
 * @param from where it begins
 * @param limitBytes most bytes of the line: a word with which it would be longer is not offered
 */
export function complete(
  state: EditorState,
  from: number,
  offered: readonly string[],
  limitBytes: number,
): EditorState {
  const rest = bytesOf(state.text) - bytesOf(state.text.slice(from, state.cursor));
  const words = offered.filter((word) => rest + bytesOf(word) <= limitBytes);
  if (words.length === 0) return state;
  return { ...changed(state, from, state.cursor, words[0]), offer: { from, words, at: 0 } };
}

/** The next or previous word that was offered. */
function turn(state: EditorState, offer: Offer, by: number): EditorState {
  const at = (offer.at + by + offer.words.length) % offer.words.length;
  return { ...changed(state, offer.from, state.cursor, offer.words[at]), offer: { ...offer, at } };
}

/** What a key does. @param limitBytes most bytes of a line: a longer one is refused whole, never cut */
export function press(state: EditorState, key: Key, limitBytes: number): Pressed {
  if (state.held) return answerPaste(state, state.held, key, limitBytes);
  if (state.search) {
    const searched = searchKey(state, key);
    if (searched) return searched;
    return press(endSearch(state), key, limitBytes);
  }
  if (state.offer) {
    const by = key.kind !== "key" ? 0 : key.name === "tab" ? 1 : key.name === "s-tab" ? -1 : 0;
    if (by !== 0) return only(turn(state, state.offer, by));
    return press({ ...state, offer: null }, key, limitBytes);
  }
  if (key.kind === "text") return insert(state, key.text, limitBytes);
  if (key.kind === "paste") return paste(state, key.text, key.bytes, limitBytes);
  const room = /^m-([1-9])$/.exec(key.name);
  if (room) return { state, effect: { type: "switch", to: Number(room[1]) } };
  return keys[key.name]?.(state, limitBytes) ?? only(state);
}

type Act = (state: EditorState, limitBytes: number) => Pressed;

const only = (state: EditorState): Pressed => ({ state, effect: null });
const move = (to: (state: EditorState) => number): Act => (state) =>
  only(aligned({ ...state, cursor: to(state) }));
/** Cuts from here to there. */
const cut = (range: (state: EditorState) => readonly [number, number]): Act => (state) => {
  const [from, to] = range(state);
  if (from === to) return only(state);
  return only({ ...changed(state, from, to, ""), cut: state.text.slice(from, to) });
};
const remove = (range: (state: EditorState) => readonly [number, number]): Act => (state) => {
  const [from, to] = range(state);
  return only(from === to ? state : changed(state, from, to, ""));
};

const home = ({ text, cursor }: EditorState) => text.lastIndexOf("\n", cursor - 1) + 1;
const end = ({ text, cursor }: EditorState) => {
  const feed = text.indexOf("\n", cursor);
  return feed < 0 ? text.length : feed;
};
const left = ({ text, cursor }: EditorState) => boundaryBefore(text, cursor);
const right = ({ text, cursor }: EditorState) => boundaryAfter(text, cursor);
const letter = /[\p{L}\p{N}\p{M}_]/u;
/** Where characters before `at` stop to be of a kind. A search from the end: lines can be long. */
const before = (text: string, at: number, isOfKind: (character: string) => boolean) => {
  while (at > 0) {
    const isPair = at > 1 && text.codePointAt(at - 2)! > 0xffff;
    const from = at - (isPair ? 2 : 1);
    if (!isOfKind(text.slice(from, at))) break;
    at = from;
  }
  return at;
};
const wordLeft = ({ text, cursor }: EditorState) =>
  before(text, before(text, cursor, (c) => !letter.test(c)), (c) => letter.test(c));
const wordRight = ({ text, cursor }: EditorState) =>
  cursor + /^[^\p{L}\p{N}\p{M}_]*[\p{L}\p{N}\p{M}_]*/u.exec(text.slice(cursor))![0].length;
/** Ctrl+W cuts up to a blank, as shells do. */
const blankLeft = ({ text, cursor }: EditorState) =>
  before(text, before(text, cursor, (c) => /\s/.test(c)), (c) => /\S/.test(c));

const deleteRight = remove((s) => [s.cursor, right(s)]);

/** The table of keys. */
const keys: Record<string, Act> = {
  "enter": (state) => enter(state),
  "m-enter": (state, limit) => insert(state, "\n", limit),
  "left": move(left),
  "c-b": move(left),
  "right": move(right),
  "c-f": move(right),
  "home": move(home),
  "c-a": move(home),
  "end": move(end),
  "c-e": move(end),
  "m-b": move(wordLeft),
  "c-left": move(wordLeft),
  "m-left": move(wordLeft),
  "m-f": move(wordRight),
  "c-right": move(wordRight),
  "m-right": move(wordRight),
  "backspace": remove((s) => [left(s), s.cursor]),
  "delete": deleteRight,
  "c-d": (state, limit) => state.text === "" ? { state, effect: { type: "end" } } : deleteRight(state, limit),
  "c-k": cut((s) => [s.cursor, end(s) === s.cursor ? right(s) : end(s)]),
  "c-u": cut((s) => [home(s), s.cursor]),
  "c-w": cut((s) => [blankLeft(s), s.cursor]),
  "m-backspace": cut((s) => [wordLeft(s), s.cursor]),
  "m-d": cut((s) => [s.cursor, wordRight(s)]),
  "c-y": (state, limit) => insert(state, state.cut, limit),
  "c-t": (state) => transpose(state),
  "c-_": (state) => undo(state),
  "up": (state) => older(state),
  "c-p": (state) => older(state),
  "down": (state) => newer(state),
  "c-n": (state) => newer(state),
  "m-<": (state) => state.history.length > 0 ? show(state, 0) : only(state),
  "m->": (state) => show(state, null),
  "c-r": (state) => only({ ...state, search: { words: "", at: null } }),
  "tab": (state) => ({ state, effect: { type: "complete" } }),
  "c-c": (state) => ({
    state: emptyLine(state.history),
    effect: { type: "interrupt", empty: state.text === "" },
  }),
  "c-z": (state) => ({ state, effect: { type: "suspend" } }),
  "c-l": (state) => ({ state, effect: { type: "clear" } }),
};

/** Replaces a part of the line; what stood there can be had back. */
function changed(state: EditorState, from: number, to: number, text: string): EditorState {
  const { text: old, cursor } = state;
  // After an edit the characters at the seam may form one grapheme.
  return aligned({
    ...state,
    text: old.slice(0, from) + text + old.slice(to),
    cursor: from + text.length,
    before: [...state.before.slice(1 - maxUndo), { text: old, cursor }],
  });
}

function insert(state: EditorState, text: string, limitBytes: number): Pressed {
  if (text === "") return only(state);
  const next = changed(state, state.cursor, state.cursor, text);
  const bytes = bytesOf(next.text);
  if (bytes > limitBytes) {
    return { state, effect: { type: "refused", why: tooLong(bytes, limitBytes) } };
  }
  return only(next);
}

/** The cursor on the border of a grapheme: a mark or a flag may have joined what stood apart. */
function aligned(state: EditorState): EditorState {
  const cursor = boundaryFrom(state.text, state.cursor);
  return cursor === state.cursor ? state : { ...state, cursor };
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
function tooLong(bytes: number, limitBytes: number): string {
  return `That would be ${bytes} bytes; a message holds at most ${limitBytes}. Nothing was taken.`;
}

function enter(state: EditorState): Pressed {
  const { text, history } = state;
  const kept = remembered(history, text);
  return { state: { ...emptyLine(kept), cut: state.cut }, effect: { type: "enter", text } };
}

function remembered(history: readonly string[], text: string): readonly string[] {
  const isNew = text.trim() !== "" && text !== history.at(-1);
  return isNew ? [...history.slice(1 - maxHistory), text] : history;
}

function transpose(state: EditorState): Pressed {
  const { text } = state;
  const at = state.cursor === text.length ? left(state) : state.cursor;
  const from = boundaryBefore(text, at), to = boundaryAfter(text, at);
  if (from === at || at === to) return only(state);
  return only(changed(state, from, to, text.slice(at, to) + text.slice(from, at)));
}

function undo(state: EditorState): Pressed {
  const last = state.before.at(-1);
  return only(last ? { ...state, ...last, before: state.before.slice(0, -1) } : state);
}

// ---- earlier lines

function older(state: EditorState): Pressed {
  // In a multi-row line the arrow keys move between rows first.
  const row = home(state);
  if (row > 0) return only({ ...state, cursor: row - 1 });
  const next = state.at === null ? state.history.length - 1 : state.at - 1;
  return next < 0 ? only(state) : show(state, next);
}
function newer(state: EditorState): Pressed {
  if (end(state) < state.text.length) return only({ ...state, cursor: end(state) + 1 });
  if (state.at === null) return only(state);
  return show(state, state.at + 1 < state.history.length ? state.at + 1 : null);
}
function show(state: EditorState, at: number | null): Pressed {
  const draft = state.at === null ? state.text : state.draft;
  const edited = state.at === null ? state.edited : { ...state.edited, [state.at]: state.text };
  const text = at === null ? draft : edited[at] ?? state.history[at];
  return only({ ...state, at, draft, edited, text, cursor: text.length, before: [] });
}

// ---- Ctrl+R

/** A key while looking; null: it ends the search and then means what it always does. */
function searchKey(state: EditorState, key: Key): Pressed | null {
  const { words } = state.search!;
  if (key.kind === "text") return only(search(state, words + key.text, state.history.length));
  if (key.kind !== "key") return null;
  switch (key.name) {
    case "c-r":
      return only(search(state, words, state.search!.at ?? state.history.length));
    case "backspace":
      return only(search(state, words.slice(0, boundaryBefore(words, words.length)), state.history.length));
    case "c-g":
    case "c-c":
      return only({ ...state, search: null });
    case "escape":
      return only(endSearch(state)); // what was found is the line, to be changed
    default:
      return null;
  }
}
function search(state: EditorState, words: string, below: number): EditorState {
  let at = below - 1;
  while (at >= 0 && !(words !== "" && state.history[at].toLowerCase().includes(words.toLowerCase()))) at--;
  const found = at >= 0
    ? at
    : state.search!.at !== null && words === state.search!.words
    ? state.search!.at
    : null;
  return { ...state, search: { words, at: found } };
}
function endSearch(state: EditorState): EditorState {
  const { at } = state.search!;
  const ended = { ...state, search: null };
  return at === null ? ended : show(ended, at).state;
}

// ---- paste

function paste(state: EditorState, text: string, bytes: number, limitBytes: number): Pressed {
  const lines = text.replace(/\n+$/, "");
  if (bytes > maxPasteBytes) {
    return { state, effect: { type: "refused", why: tooLong(bytes, limitBytes) } };
  }
  if (!lines.includes("\n")) return insert(state, lines, limitBytes);
  if (lines.trim() === "") return only(state);
  return only({ ...state, held: { text: lines, bytes: bytesOf(lines), answer: "" } });
}

const answers: Record<string, "one" | "lines" | "nothing"> = {
  "o": "one",
  "one": "one",
  "one message": "one",
  "l": "lines",
  "line": "lines",
  "line by line": "lines",
  "n": "nothing",
  "no": "nothing",
  "nothing": "nothing",
  "escape": "nothing",
  "c-c": "nothing",
  "c-g": "nothing",
};

/** One message, line by line, or nothing: never a part of it, and never by a key that was meant for the line. */
function answerPaste(state: EditorState, held: HeldPaste, key: Key, limitBytes: number): Pressed {
  const answering = (answer: string) => only({ ...state, held: { ...held, answer } });
  if (key.kind === "text") return answering((held.answer + key.text).slice(0, maxAnswerMs));
  if (key.kind !== "key") return only(state);
  if (key.name === "backspace") return answering(held.answer.slice(0, -1));
  if (key.name === "c-u") return answering("");
  const given = key.name === "enter" ? held.answer.trim().toLowerCase() : key.name;
  const answer = Object.hasOwn(answers, given) ? answers[given] : null;
  if (answer === null) return key.name === "enter" ? answering("") : only(state);
  const whole = state.text.slice(0, state.cursor) + held.text + state.text.slice(state.cursor);
  const free = { ...state, held: null };
  switch (answer) {
    case "one": {
      if (bytesOf(whole) > limitBytes) {
        return { state: free, effect: { type: "refused", why: tooLong(bytesOf(whole), limitBytes) } };
      }
      return {
        state: { ...emptyLine(remembered(state.history, whole)), cut: state.cut },
        effect: { type: "say", lines: [whole] },
      };
    }
    case "lines": {
      const lines = whole.split("\n").filter((line) => line.trim() !== "");
      const longest = Math.max(...lines.map(bytesOf));
      if (longest > limitBytes) {
        return { state: free, effect: { type: "refused", why: tooLong(longest, limitBytes) } };
      }
      return {
        state: { ...emptyLine(remembered(state.history, whole)), cut: state.cut },
        effect: { type: "say", lines },
      };
    }
    case "nothing":
      return only(free);
  }
}

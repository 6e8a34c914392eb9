/**
 * Keys: the bytes of a terminal as what a person has pressed (ECMA-48, xterm's control sequences).
 *
 * Pasted text comes between marks (bracketed paste) and is one key, however it is cut into reads: it is never taken
 * for typing. Sequences that mean nothing here are dropped whole, so that none of them ends up in a line.
 */

/** One thing pressed. */
export type Key =
  /** Printable text, as much as came at once. */
  | { readonly kind: "text"; readonly text: string }
  /** Pasted text; `bytes` is its size even when it was too large to be kept. */
  | { readonly kind: "paste"; readonly text: string; readonly bytes: number }
  /** A key by name: `enter`, `left`, `c-a` with Ctrl, `m-b` with Alt. */
  | { readonly kind: "key"; readonly name: string };

/** More pasted than this is counted, and not kept. */
export const maxPasteBytes = 1024 * 1024;

const pasteStart = "\x1b[200~";
const pasteEnd = "\x1b[201~";
const maxSequence = 64;

const controls: Record<string, string> = {
  "\r": "enter",
  "\n": "enter",
  "\t": "tab",
  "\x7f": "backspace",
  "\b": "backspace",
  "\x1f": "c-_",
};
const finals: Record<string, string> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  H: "home",
  F: "end",
  Z: "s-tab",
};
const tildes: Record<string, string> = {
  1: "home",
  3: "delete",
  4: "end",
  5: "page-up",
  6: "page-down",
  7: "home",
  8: "end",
};

/** Reads a stream of bytes; what is not whole yet waits. */
export class KeyReader {
  #decoder = new TextDecoder();
  #rest = "";
  /** What of a sequence too long to be kept is still to come, and means nothing. */
  #skips: "string" | "sequence" | null = null;
  #paste: { parts: string[]; bytes: number } | null = null;

  /** Takes bytes as they come. @returns what they make whole */
  feed(bytes: Uint8Array): Key[] {
    // A paste whose end never comes must not swallow the keyboard for ever.
    if (this.#paste && bytes.length === 1 && bytes[0] === 3) {
      this.#paste = null;
      this.#rest = "";
      return [{ kind: "key", name: "c-c" }];
    }
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    return this.#take(false);
  }

  /** Whether an Esc waits for what may follow it: after a moment of silence {@link flush} must be called. */
  get isWaiting(): boolean {
    return this.#rest !== "" && this.#paste === null && this.#skips === null;
  }

  /** Nothing more came: an Esc was the key of that name. */
  flush(): Key[] {
    return this.#paste ? [] : this.#take(true);
  }

  #take(isOver: boolean): Key[] {
    const keys: Key[] = [];
    while (this.#rest !== "") {
      const before = this.#rest.length;
      if (this.#paste) this.#takePaste(keys);
      else if (this.#skips) this.#skip();
      else if (this.#rest[0] === "\x1b") this.#takeEscape(keys, isOver);
      else this.#takeText(keys);
      if (this.#rest.length === before) break;
    }
    return keys;
  }

  /** Drops the rest of a sequence: up to its end, or to what cannot belong to it. */
  #skip(): void {
    const isString = this.#skips === "string";
    const body = (isString ? /^\P{Cc}*/u : /^[ -?]*/).exec(this.#rest)![0].length;
    const after = this.#rest.slice(body);
    const end = isString ? stringEnds.find((each) => after.startsWith(each)) : /^[@-~]/.exec(after)?.[0];
    this.#rest = after.slice(end?.length ?? 0);
    const mayBeCut = isString && this.#rest === "\x1b"; // ST is two characters
    if (end !== undefined || (this.#rest !== "" && !mayBeCut)) this.#skips = null;
  }

  #takeText(keys: Key[]): void {
    const text = /^\P{Cc}+/u.exec(this.#rest)?.[0];
    if (text !== undefined) {
      this.#rest = this.#rest.slice(text.length);
      this.#wasReturn = false;
      const typed = withoutControls(text);
      return void (typed !== "" && keys.push({ kind: "text", text: typed }));
    }
    // A terminal in 8-bit mode: one character for the two of CSI, SS3, OSC and DCS.
    const long = eightBit[this.#rest[0]];
    if (long) return void (this.#rest = long + this.#rest.slice(1));
    const char = this.#rest[0];
    this.#rest = this.#rest.slice(1);
    if (char >= "\x80") return; // C1: no key gives it
    const ends = this.#wasReturn && char === "\n"; // one line end in two characters is one Enter
    this.#wasReturn = char === "\r";
    if (ends) return;
    const code = char.charCodeAt(0);
    const name = controls[char] ?? (code === 0 ? "c-space" : `c-${String.fromCharCode(code + 96)}`);
    keys.push({ kind: "key", name });
  }
  #wasReturn = false;

  #takeEscape(keys: Key[], isOver: boolean): void {
    const { length, key, skips = null } = escape(this.#rest, isOver);
    if (length === 0) return;
    this.#skips = skips;
    this.#wasReturn = false;
    if (this.#rest.startsWith(pasteStart)) this.#paste = { parts: [], bytes: 0 };
    else if (key) keys.push(key);
    this.#rest = this.#rest.slice(length);
  }

  #takePaste(keys: Key[]): void {
    const paste = this.#paste!;
    const end = this.#rest.indexOf(pasteEnd);
    // The mark of the end may be cut in two.
    const upTo = end >= 0 ? end : Math.max(0, this.#rest.length - pasteEnd.length + 1);
    const part = this.#rest.slice(0, upTo);
    paste.bytes += new TextEncoder().encode(part).length;
    if (paste.bytes <= maxPasteBytes) paste.parts.push(part);
    else paste.parts = [];
    this.#rest = this.#rest.slice(upTo);
    if (end < 0) return;
    this.#rest = this.#rest.slice(pasteEnd.length);
    this.#paste = null;
    keys.push({ kind: "paste", text: cleaned(paste.parts.join("")), bytes: paste.bytes });
  }
}

/** Pasted text as text: line feeds of one kind, no control characters. */
function cleaned(text: string): string {
  return text.replace(/\r\n|\r/g, "\n").replace(/[^\P{Cc}\n\t]/gu, "");
}

/** BEL, and ST in its two forms. */
const stringEnds = ["\x07", "\x1b\\", "\x9c"];
const eightBit: Record<string, string> = {
  "\x8f": "\x1bO",
  "\x90": "\x1bP",
  "\x9b": "\x1b[",
  "\x9d": "\x1b]",
};

/** Text without what no key types: controls, halves of characters, and what turns the writing of a line around. */
function withoutControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/gu, "");
}

interface Escape {
  readonly length: number;
  readonly key: Key | null;
  /** What follows still belongs to it. */
  readonly skips?: "string" | "sequence";
}

/** What begins with Esc. @returns length 0 when it is not whole yet */
function escape(text: string, isOver: boolean): Escape {
  const named = (name: string): Key => ({ kind: "key", name });
  const lone = { length: 1, key: named("escape") };
  if (text.length === 1) return isOver ? lone : { length: 0, key: null };
  const after = text.slice(1);
  const incomplete = (skips?: Escape["skips"]): Escape => {
    if (!isOver && text.length <= maxSequence) return { length: 0, key: null };
    // Alt with a sign, and what is typed after it, looks like the beginning; an answer of the terminal has a number.
    const isAnswer = text.length > maxSequence || /^(?:\[|\]\d+;|P[\d>$+!|])/.test(after);
    if (text.length <= 2 || !skips || !isAnswer) return { length: text.length, key: null };
    const mayBeCut = skips === "string" && text.endsWith("\x1b"); // ST is two characters
    return { length: text.length - (mayBeCut ? 1 : 0), key: null, skips };
  };
  switch (text[1]) {
    case "[": {
      // A key of rxvt with Shift ends in $, where all others have a letter.
      const shifted = /^\[\d+\$/.exec(after);
      if (shifted) return { length: 1 + shifted[0].length, key: null };
      const match = /^\[([0-?]*)([ -/]*)([@-~])/.exec(after);
      if (!match) {
        const broken = /^\[[ -?]*[^ -~]/.exec(after);
        return broken ? { length: broken[0].length, key: null } : incomplete("sequence");
      }
      // The Linux console's F1 to F5 have one letter more; a mouse of the first kind tells button and place.
      if (match[0] === "[[") return text.length < 4 ? incomplete() : { length: 4, key: null };
      if (match[0] === "[M") return text.length < 6 ? incomplete() : { length: 6, key: null };
      return { length: 1 + match[0].length, key: csiKey(match[1], match[3]) };
    }
    case "O": {
      const match = /^O([\d;]*)([^\d;])/.exec(after);
      if (!match) return incomplete();
      if (/\p{Cc}/u.test(match[2])) return { length: match[0].length, key: null }; // begins something else
      return { length: 1 + match[0].length, key: ss3Key(match[1], match[2]) };
    }
    case "]":
    case "P":
    case "X":
    case "^":
    case "_": {
      // A string of the terminal's own, up to BEL or ST.
      const ends = [[after.indexOf("\x07"), 2], [after.indexOf("\x1b\\"), 3]] as const;
      const length = Math.min(...ends.map(([at, more]) => at < 0 ? Infinity : at + more));
      return length < Infinity ? { length, key: null } : incomplete("string");
    }
    case "\x1b":
      return lone;
    default: {
      const char = String.fromCodePoint(text.codePointAt(1)!);
      const name = controls[char] ??
        (char < " " ? `c-${String.fromCharCode(char.charCodeAt(0) + 96)}` : char);
      return { length: 1 + char.length, key: named(`m-${name.length === 1 ? name.toLowerCase() : name}`) };
    }
  }
}

/** The keypad of a terminal that was left in application mode (DECPAM): digits and signs. */
const keypad = "jklmnopqrstuvwxyXM";
const keypadText = "*+,-./0123456789=\r";

/** A key in the form `ESC O`; a modifier may stand before the letter. */
function ss3Key(parameters: string, final: string): Key | null {
  const at = keypad.indexOf(final);
  if (at < 0) return csiKey(parameters === "" ? "" : `1;${parameters.split(";").at(-1)}`, final);
  return final === "M" ? { kind: "key", name: "enter" } : { kind: "text", text: keypadText[at] };
}

/** A key in the form `ESC [`, also of a terminal that was left with every key as a sequence (xterm, kitty). */
function csiKey(parameters: string, final: string): Key | null {
  if (/[<=>?]/.test(parameters)) return null; // a mouse, or what the terminal says of itself
  const fields = parameters.split(";");
  if (final === "u") return codeKey(fields[0].split(":")[0], fields[1] ?? "", fields[2] ?? "");
  if (final === "~" && fields[0] === "27" && fields.length >= 3) return codeKey(fields[2], fields[1], "");
  const name = csiName(fields, final);
  return name === null ? null : { kind: "key", name };
}

const codeNames: Record<number, string> = {
  9: "tab",
  13: "enter",
  27: "escape",
  127: "backspace",
  8: "backspace",
  57414: "enter",
};
/** Kitty's numbers of the keypad's 0 to 9 and . / * - + = ,. */
const firstKeypadCode = 57399;
const keypadCodes = "0123456789./*-+\0=,";

/** A key as its code point and modifiers. @param typed code points that it types, if the terminal says so */
function codeKey(code: string, modifier: string, typed: string): Key | null {
  const [bits, event = "1"] = modifier.split(":");
  const modifiers = Math.max(0, Number(bits === "" ? 1 : bits) - 1);
  const number = Number(code);
  if (event === "3" || !Number.isInteger(modifiers) || !Number.isInteger(number)) return null; // let go, or nonsense
  const prefix = `${modifiers & 4 ? "c-" : ""}${modifiers & 2 ? "m-" : ""}`;
  if (codeNames[number]) {
    const isBackTab = number === 9 && modifiers & 1;
    return { kind: "key", name: isBackTab ? "s-tab" : prefix + codeNames[number] };
  }
  const pad = keypadCodes[number - firstKeypadCode];
  const base = pad && pad !== "\0"
    ? pad
    : number >= 32 && number < 0xe000
    ? withoutControls(String.fromCodePoint(number))
    : "";
  if (base === "") return null;
  if (prefix !== "") return { kind: "key", name: prefix + (base === " " ? "space" : base.toLowerCase()) };
  const points = typed.split(":").map(Number).filter((point) => point >= 32 && point <= 0x10ffff);
  const text = withoutControls(String.fromCodePoint(...points));
  if (points.length > 0) return text === "" ? null : { kind: "text", text };
  return { kind: "text", text: modifiers & 1 ? base.toUpperCase() : base };
}

/** Name of a CSI sequence; modifiers: 2 Shift, 3 Alt, 5 Ctrl, and their sums less one. */
function csiName([first, second = "1"]: readonly string[], final: string): string | null {
  const base = final === "~" ? tildes[first] : finals[final];
  if (!base) return null;
  const [bits, event = "1"] = second.split(":");
  const modifiers = Math.max(0, Number(bits) - 1);
  if (!Number.isInteger(modifiers) || event === "3") return null;
  return `${modifiers & 4 ? "c-" : ""}${modifiers & 2 ? "m-" : ""}${base}`;
}

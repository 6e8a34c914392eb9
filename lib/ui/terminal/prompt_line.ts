/**
 * PromptLine: lines above, one line that is typed below, on a terminal that can move its cursor.
 *
 * It joins keys, editor, frame and screen, and keeps secrets out of all of them: while one is asked for, the line
 * that was being typed waits aside, and what is typed is neither drawn nor remembered.
 */

import type { Clock } from "../../clock.ts";
import { SecretLine } from "../secret_line.ts";
import { complete, type EditorState, emptyLine, press } from "./editor.ts";
import { type Frame, frameOf } from "./frame.ts";
import { type Key, KeyReader } from "./keys.ts";
import { Pager, type Pages } from "./pager.ts";
import { Screen } from "./screen.ts";
import type { Tty } from "./tty.ts";

const escapeMs = 50;
const earlyMs = 150;
const againMs = 5000;
const resumeMs = 100;
const bell = "\x07";

/** What the word before the cursor may become, and where it begins. */
export interface Completion {
  readonly from: number;
  readonly words: readonly string[];
}

/** What a person does at a prompt. */
export interface PromptEvents {
  /** Enter. */
  line(text: string): void;
  /** Pasted lines, to be said as they stand. */
  say?(lines: readonly string[]): void;
  /** Whether Enter may give a line now; otherwise it stays. */
  mayEnter?(text: string): boolean;
  /** Ctrl+C: `cleared` the line, or it was empty; `again` when it was empty and it is the second one. */
  interrupt(again: boolean, cleared: boolean): void;
  /** Ctrl+D, or the terminal is gone. */
  end(): void;
  /** Tab: what the word before the cursor may become, and where it begins. */
  complete?(before: string): Completion | null | Promise<Completion | null>;
  /** Alt+1 to Alt+9. */
  switchTo?(number: number): void;
  /** PageUp: what is paged through; null when there is nothing, which it says. */
  pages?(): Pages | null | Promise<Pages | null>;
  /** It was not taken, in words. */
  refused?(why: string): void;
}

/** What a prompt is made of. */
export interface PromptParts {
  /** The terminal. */
  readonly tty: Tty;
  /** Time. */
  readonly clock: Clock;
  /** Most bytes of a line. */
  readonly limitBytes: number;
  /** Earlier lines, oldest first. */
  readonly history?: readonly string[];
}

interface Secret {
  readonly question: string;
  readonly line: SecretLine;
  readonly resolve: (typed: string | null) => void;
}

/** One prompt. */
export class PromptLine {
  readonly #tty: Tty;
  readonly #screen: Screen;
  readonly #keys = new KeyReader();
  #state: EditorState;
  #above: readonly string[] = [];
  #frame: Frame | null = null;
  #secret: Secret | null = null;
  #pager: Pager | null = null;
  /** Lines that came while the pager was open. */
  #behind: string[] = [];
  /** Keys that came with an answer: for the next question, and never for the room. */
  #early: Key[] | null = null;
  #interrupted = false;
  #ended = false;
  #stopped = false;
  #undo: (() => void)[] = [];
  #cancelInterrupted: () => void = () => {};
  #cancelEscape: () => void = () => {};
  #cancelEarly: () => void = () => {};

  constructor(
    private prompt: string,
    private readonly parts: PromptParts,
    private readonly events: PromptEvents,
  ) {
    this.#tty = parts.tty;
    this.#screen = new Screen(parts.tty);
    this.#state = emptyLine(parts.history);
    this.#tty.edit(true);
    this.#undo.push(
      this.#tty.onResize(() => this.#pager ? this.#drawPager() : this.#draw()),
      this.#tty.onContinue(() => this.#continue()),
    );
    this.#draw();
    void this.#read();
  }

  async #read(): Promise<void> {
    try {
      for await (const bytes of this.#tty.input) {
        if (this.#ended) return;
        this.#cancelEscape();
        this.#take(this.#keys.feed(bytes));
        if (this.#keys.isWaiting) {
          this.#cancelEscape = this.parts.clock.after(escapeMs, () => this.#take(this.#keys.flush()));
        }
      }
    } catch {
      // The terminal is gone.
    }
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#answer(null);
    this.events.end();
  }

  #take(keys: readonly Key[]): void {
    for (const key of keys) {
      if (this.#ended) return;
      if (this.#pager) this.#turnPage(this.#pager, key);
      else if (this.#secret) this.#takeSecret(this.#secret, key);
      else if (this.#early) this.#early.push(key);
      else this.#press(key);
    }
    this.#draw();
  }

  #press(key: Key): void {
    if (key.kind === "key" && key.name === "page-up") return this.#openPager();
    const isEnter = key.kind === "key" && key.name === "enter" && !this.#state.held;
    if (isEnter && this.events.mayEnter?.(this.#state.text) === false) return;
    const { state, effect } = press(this.#state, key, this.parts.limitBytes);
    this.#state = state;
    const again = this.#interrupted;
    this.#interrupted = false;
    switch (effect?.type) {
      case "enter":
        return this.events.line(effect.text);
      case "say":
        return this.events.say ? this.events.say(effect.lines) : effect.lines.forEach(this.events.line);
      case "complete": {
        const offer = this.events.complete?.(state.text.slice(0, state.cursor));
        if (offer instanceof Promise) void offer.then((later) => this.#complete(state, later));
        else this.#complete(state, offer ?? null);
        return;
      }
      case "interrupt":
        this.#interrupted = true;
        this.#cancelInterrupted();
        this.#cancelInterrupted = this.parts.clock.after(againMs, () => this.#interrupted = false);
        return this.events.interrupt(again && effect.empty, !effect.empty);
      case "end":
        return this.#end();
      case "suspend":
        return this.#suspend();
      case "clear":
        return this.clear();
      case "switch":
        return this.events.switchTo?.(effect.to);
      case "refused":
        return this.events.refused?.(effect.why);
    }
  }

  /** Completes a word, unless something else was typed meanwhile. */
  #complete(state: EditorState, offer: Completion | null): void {
    if (!offer || state !== this.#state) return;
    this.#state = complete(state, offer.from, offer.words, this.parts.limitBytes);
    this.#draw();
  }

  // ---- what was said before

  #openPager(): void {
    const pages = this.events.pages?.();
    if (pages instanceof Promise) void pages.then((later) => this.#page(later));
    else this.#page(pages ?? null);
  }

  #page(pages: Pages | null): void {
    if (!pages || this.#pager || this.#secret || this.#ended || this.#stopped) return;
    this.#pager = new Pager(pages, () => this.#drawPager());
    this.#tty.alternate(true);
    this.#drawPager();
  }

  #turnPage(pager: Pager, key: Key): void {
    const { columns, rows } = this.#tty.size();
    if (pager.press(key, columns, rows)) return this.#drawPager();
    this.closePager();
    if (key.kind === "key" && key.name === "c-z") this.#suspend();
  }

  #drawPager(): void {
    const { columns, rows } = this.#tty.size();
    if (this.#pager) this.#tty.write(this.#pager.draw(columns, rows));
  }

  /** Back to the prompt, and to what came meanwhile. */
  closePager(): void {
    if (!this.#pager) return;
    this.#pager = null;
    this.#tty.alternate(false);
    this.#screen.draw(this.#current(), this.#behind.splice(0));
  }

  // ---- secrets

  /** Asks for a secret: nothing that is typed is shown or remembered. @returns null for Ctrl+C, Ctrl+D */
  secret(question: string): Promise<string | null> {
    if (this.#ended) return Promise.resolve(null);
    this.closePager();
    this.#answer(null);
    const { promise, resolve } = Promise.withResolvers<string | null>();
    this.#secret = { question, line: new SecretLine(), resolve };
    const early = this.#early ?? [];
    this.#endEarly();
    this.#draw();
    this.#take(early);
    return promise;
  }

  #takeSecret(secret: Secret, key: Key): void {
    if (key.kind === "key" && key.name === "c-z") return this.#suspend();
    const typed = secret.line.take(key);
    if (typed !== undefined) this.#answer(typed);
  }

  #answer(typed: string | null): void {
    const secret = this.#secret;
    if (!secret) return;
    this.#secret = null;
    this.#endEarly();
    if (!this.#ended) {
      this.#early = [];
      this.#cancelEarly = this.parts.clock.after(earlyMs, () => this.#endEarly());
    }
    secret.resolve(typed);
    this.#draw();
  }

  #endEarly(): void {
    this.#cancelEarly();
    this.#early = null;
  }

  // ---- what is shown

  /** Takes the prompt off the screen, prints, and puts it back. */
  print(...lines: string[]): void {
    this.#endEarly(); // an answer has been answered: what is typed from now on is meant for the line
    if (this.#pager) {
      if (lines.some((line) => line.includes(bell))) this.#tty.write(bell);
      return void this.#behind.push(...lines.map((line) => line.replaceAll(bell, "")));
    }
    if (this.#stopped) return this.#screen.leave(lines);
    this.#screen.draw(this.#current(), lines);
  }

  /** Whether something is typed and not entered yet. */
  get isTyping(): boolean {
    return this.#state.text !== "" || this.#state.held !== null;
  }

  /** What the prompt says from now on. @param above rows over it: what waits to be sent */
  set(prompt: string, above: readonly string[] = []): void {
    if (prompt !== this.prompt) this.#endEarly();
    const isSame = prompt === this.prompt && above.length === this.#above.length &&
      above.every((row, i) => row === this.#above[i]);
    if (isSame) return;
    this.prompt = prompt;
    this.#above = above;
    this.#draw();
  }

  /** Puts another line in place of what is typed, as another room has its own. @returns what was there */
  exchange(draft: EditorState | null): EditorState {
    const { history, cut } = this.#state;
    const before = this.#state;
    this.#state = draft ? { ...draft, history, cut } : { ...emptyLine(history), cut };
    this.#draw();
    return before;
  }

  /** Clears the window; what has scrolled off it stays. */
  clear(): void {
    this.closePager();
    this.#screen.clear(this.#current());
  }

  /** Earlier lines begin anew. */
  forgetHistory(): void {
    this.#state = { ...emptyLine(), text: this.#state.text, cursor: this.#state.cursor };
  }

  #shown: unknown[] = [];

  /** The frame of what is there now; drawn anew only when something of it has changed. */
  #current(): Frame {
    const { columns, rows } = this.#tty.size();
    const prompt = this.#secret?.question ?? this.prompt;
    const state = this.#secret ? null : this.#state;
    const shown = [columns, rows, prompt, state, this.#above];
    if (!this.#frame || shown.some((part, i) => part !== this.#shown[i])) {
      this.#shown = shown;
      this.#frame = frameOf({ above: this.#above, prompt, state }, columns, rows);
    }
    return this.#frame;
  }

  #draw(): void {
    if (this.#ended || this.#stopped || this.#pager) return;
    this.#screen.draw(this.#current());
  }

  // ---- job control

  #suspend(): void {
    if (this.#ended || this.#stopped) return;
    this.#screen.leave();
    this.#stopped = true;
    this.#tty.edit(false);
    this.#tty.suspend();
    // Called after SIGCONT, or at once if the stop had no effect.
    this.parts.clock.after(resumeMs, () => this.#stopped && this.#continue());
  }

  /** The shell has had the terminal meanwhile, and may have left it in its own way. */
  #continue(): void {
    if (this.#ended) return;
    this.closePager(); // stopped from outside
    this.#stopped = false;
    this.#tty.edit(false);
    this.#tty.edit(true);
    this.#screen.forget();
    this.#draw();
  }

  /** Gives the terminal back. */
  close(): void {
    this.closePager();
    const wasThere = !this.#stopped;
    this.#ended = true;
    this.#stopped = true;
    this.#answer(null);
    this.#cancelEscape();
    this.#cancelInterrupted();
    this.#endEarly();
    for (const undo of this.#undo.splice(0)) undo();
    if (wasThere) this.#screen.leave();
    this.#tty.edit(false);
  }
}

// Composer: where one types: a draft for each room, the last lines, completion.

import { byId } from "./elements.js";

const mostRows = 8;
const mostLast = 100;

/**
 * What a composer does with what is typed.
 *
 * @typedef {object} ComposerParts
 * @property {(text: string) => boolean} enter a line was entered; false: it could not be sent
 * @property {(n: number, before: string) => void} complete asks what the word before the cursor may become
 * @property {(way: -1 | 1) => void} page scrolls the log
 * @property {(text: string) => void} told says something to who listens
 */

export class Composer {
  #text = byId("text", HTMLTextAreaElement);
  #room = "";
  /** @type {Map<string, string>} */
  #drafts = new Map();
  /** @type {string[]} */
  #last = [];
  /** How far back one is; 0: at what is being typed. */
  #back = 0;
  #begun = "";
  #asked = 0;
  /** @type {{ from: number, to: number, words: readonly string[], at: number } | null} */
  #choice = null;

  /** @param {ComposerParts} parts */
  constructor(parts) {
    this.parts = parts;
    const form = byId("composer", HTMLFormElement);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter();
    });
    this.#text.addEventListener("keydown", (event) => this.#key(event));
    this.#text.addEventListener("input", () => {
      this.#choice = null;
      this.#asked++; // what was asked for is for another text
      this.#grow();
    });
  }

  focus() {
    this.#text.focus();
  }

  /** @param {string} room */
  show(room) {
    if (room === this.#room) return;
    const begun = this.#text.value;
    const isFirst = this.#room === "";
    if (!isFirst) this.#drafts.set(this.#room, begun);
    this.#room = room;
    this.#set(isFirst ? begun : this.#drafts.get(room) ?? "");
    this.#back = 0;
  }

  /** Nothing that was typed can be had back. */
  forget() {
    this.#drafts.clear();
    this.#last = [];
    this.#back = 0;
    this.#begun = "";
  }

  /** @param {string} text */
  #set(text) {
    this.#text.value = text;
    this.#text.setSelectionRange(text.length, text.length);
    this.#choice = null;
    this.#asked++;
    this.#grow();
  }

  #grow() {
    const text = this.#text;
    text.style.height = "auto";
    const row = Number.parseFloat(getComputedStyle(text).lineHeight);
    const frame = text.offsetHeight - text.clientHeight;
    text.style.height = `${Math.min(text.scrollHeight + frame, row * mostRows + frame + 16)}px`;
  }

  #enter() {
    const text = this.#text.value;
    if (text.trim() === "") return;
    if (!this.parts.enter(text)) return;
    this.#last = [...this.#last.filter((line) => line !== text), text].slice(-mostLast);
    this.#back = 0;
    this.#set("");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return;
    const { value, selectionStart: start, selectionEnd: end } = this.#text;
    switch (event.key) {
      case "Enter":
        if (event.shiftKey) return;
        event.preventDefault();
        return this.#enter();
      case "Tab":
        // Only a word can be completed: else Tab leaves, as everywhere.
        if (event.shiftKey || start !== end || !/\S$/u.test(value.slice(0, start))) return;
        event.preventDefault();
        return this.#complete(value, start);
      case "ArrowUp":
        if (value !== "" && this.#back === 0) return;
        event.preventDefault();
        return this.#recall(1);
      case "ArrowDown":
        if (this.#back === 0) return;
        event.preventDefault();
        return this.#recall(-1);
      case "PageUp":
      case "PageDown":
        event.preventDefault();
        return this.parts.page(event.key === "PageUp" ? -1 : 1);
    }
  }

  /** @param {number} by */
  #recall(by) {
    const back = this.#back + by;
    if (back < 0 || back > this.#last.length) return;
    if (this.#back === 0) this.#begun = this.#text.value;
    this.#back = back;
    this.#set(back === 0 ? this.#begun : this.#last[this.#last.length - back]);
  }

  /**
   * @param {string} value
   * @param {number} start
   */
  #complete(value, start) {
    const { words = [], at = 0, from = 0, to = 0 } = this.#choice ?? {};
    // The same key again takes the next one.
    if (words.length > 1 && start === to) {
      return this.#put(value, { words, at: (at + 1) % words.length, from, to });
    }
    this.parts.complete(++this.#asked, value.slice(0, start));
  }

  /**
   * What it may become.
   *
   * @param {number} n
   * @param {number} from
   * @param {readonly string[]} words
   */
  completed(n, from, words) {
    const { value, selectionStart: to } = this.#text;
    if (n !== this.#asked || words.length === 0) return;
    this.#put(value, { words, at: 0, from, to });
  }

  /**
   * @param {string} value
   * @param {{ words: readonly string[], at: number, from: number, to: number }} choice
   */
  #put(value, { words, at, from, to }) {
    const word = words[at];
    this.#text.value = value.slice(0, from) + word + value.slice(to);
    const end = from + word.length;
    this.#text.setSelectionRange(end, end);
    this.#choice = { words, at, from, to: end };
    this.#grow();
    if (words.length > 1) this.parts.told(`${word.trim()}, ${at + 1} of ${words.length}`);
  }
}

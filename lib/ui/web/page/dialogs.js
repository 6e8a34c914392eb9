// Dialogs: what is asked, answered, and searched for. What is asked begins with nothing chosen: whoever was typing, or
// clicks beside it, has answered nothing.

import { byId, element } from "./elements.js";
import { lineOf, textOf } from "./log_line.js";

/** @typedef {import("../page_messages.ts").ToPage} ToPage */

/**
 * @typedef {object} DialogParts
 * @property {(n: number, yes: boolean) => void} answer to the question of that number
 * @property {(line: string) => void} line does what a command does
 * @property {(id: string) => void} save fetches a file
 * @property {() => void} closed a dialog was closed: the composer has the keys again
 */

const digits = /^\s*(?:\d{5}\s+){5,}\d{5}\s*$/;

/**
 * Lines, with digits to compare in groups, each set under what stands before it, side by side.
 *
 * @param {readonly string[]} lines
 */
function about(lines) {
  const shown = [];
  const sets = [];
  for (const [i, line] of lines.entries()) {
    if (digits.test(line)) {
      const groups = line.trim().split(/\s+/).map((group) => element("span", {}, group));
      const caption = shown.pop()?.textContent ?? "";
      sets.push(
        element(
          "figure",
          { class: "digits" },
          element("figcaption", {}, caption),
          element("p", { class: "groups" }, ...groups.flatMap((group) => [group, " "])),
        ),
      );
    } else if (line.trim() !== "" || i > 0) {
      const [, term, rest] = /^(\s*\S.*?) {2,}(\S.*)$/.exec(line) ?? [];
      const parts = term === undefined
        ? [textOf(line)]
        : [element("span", { class: "term" }, textOf(term.trim())), textOf(rest)];
      shown.push(element("p", { class: "answer-line" }, ...parts));
    }
  }
  const before = sets.length > 0 ? shown.splice(0, Math.max(0, shown.length - 1)) : shown.splice(0);
  return [...before, ...(sets.length > 0 ? [element("div", { class: "sets" }, ...sets)] : []), ...shown];
}

/**
 * The digits of a changed key, the known one first, with what a dialog says of them in place of what a terminal does.
 *
 * @param {readonly string[]} lines
 */
function comparing(lines) {
  const sets = lines.filter((line) => digits.test(line)).flatMap((line, i) => [
    i === 0 ? "With the key that you know, both of you see" : "With the new key",
    line,
  ]);
  // Several keys claim the name: which one is meant has to be typed.
  return [...sets, ...lines.filter((line) => line.startsWith("At most one"))];
}

/**
 * What is asked, and how each answer is called.
 *
 * @param {string} question
 * @returns {[yes: string, no: string]}
 */
function namesOf(question) {
  if (/^Are they the same/.test(question)) return ["They are the same", "They differ, or I cannot tell"];
  if (/^Is it the same/.test(question)) return ["It is the same: go on", "Do not go on"];
  return ["Yes", "No"];
}

export class Dialogs {
  #question = byId("question", HTMLDialogElement);
  #changed = byId("changed", HTMLDialogElement);
  #person = byId("person", HTMLDialogElement);
  #answer = byId("answer", HTMLDialogElement);
  #search = byId("search", HTMLDialogElement);
  #sure = byId("changed-sure", HTMLInputElement);
  #accept = byId("changed-accept", HTMLButtonElement);
  /** Whose key has changed; and of whom it was put off. */
  #whose = "";
  #putOff = "";
  /** Whose digits stand in the dialog. */
  #compared = "";
  #questionN = 0;
  #named = "";
  #isCompared = false;

  /** @param {DialogParts} parts */
  constructor(parts) {
    this.parts = parts;
    for (const dialog of [this.#question, this.#changed]) {
      // Neither Esc nor a click beside it answers.
      dialog.addEventListener("cancel", (event) => event.preventDefault());
    }
    for (const dialog of [this.#question, this.#changed, this.#person, this.#answer, this.#search]) {
      dialog.addEventListener("close", () => parts.closed());
    }
    byId("question-yes", HTMLButtonElement).addEventListener("click", () => this.#answered(true));
    byId("question-no", HTMLButtonElement).addEventListener("click", () => this.#answered(false));
    this.#sure.addEventListener("change", () => this.#accept.disabled = !this.#sure.checked);
    byId("changed-later", HTMLButtonElement).addEventListener("click", () => {
      this.#putOff = this.#whose;
      this.#changed.close();
    });
    this.#accept.addEventListener("click", () => {
      this.#changed.close();
      parts.line(`/trust ${this.#compared}`);
    });
    byId("answer-close", HTMLButtonElement).addEventListener("click", () => this.#answer.close());
    byId("person-close", HTMLButtonElement).addEventListener("click", () => this.#person.close());
    byId("person-verify", HTMLButtonElement).addEventListener("click", () => {
      this.#person.close();
      parts.line(`/verify ${this.#named}`);
    });
    byId("person-alone", HTMLButtonElement).addEventListener("click", () => {
      this.#person.close();
      parts.line(`/query ${this.#named}`);
    });
    byId("search-close", HTMLButtonElement).addEventListener("click", () => this.#search.close());
    byId("search-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const words = byId("search-words", HTMLInputElement).value.trim();
      if (words !== "") parts.line(`/search ${words}`);
    });
  }

  /** Whether one is open. */
  get isOpen() {
    return document.querySelector("dialog[open]") !== null;
  }

  /**
   * @param {HTMLDialogElement} dialog
   * @param {string} focused
   */
  #show(dialog, focused) {
    if (!dialog.open) dialog.showModal();
    byId(focused, HTMLElement).focus();
  }

  /** Once: a second click would answer the next one. @param {boolean} yes */
  #answered(yes) {
    if (!this.#question.open) return;
    this.#question.close();
    this.parts.answer(this.#questionN, yes);
  }

  /**
   * @param {number} n
   * @param {string | null} text
   * @param {readonly string[]} lines
   */
  question(n, text, lines) {
    this.#questionN = n;
    if (text === null) return this.#question.close();
    if (this.#answer.open) this.#answer.close();
    byId("question-title", HTMLElement).textContent = text;
    byId("question-about", HTMLElement).replaceChildren(...about(lines));
    const [yes, no] = namesOf(text);
    byId("question-yes", HTMLButtonElement).textContent = yes;
    byId("question-no", HTMLButtonElement).textContent = no;
    this.#show(this.#question, "question-title");
  }

  /** Somebody's key has changed, so that the room waits. @param {string | null} name */
  changed(name) {
    if (name === null) {
      this.#putOff = this.#whose = "";
      return this.#changed.close();
    }
    if (name !== this.#whose) this.#isCompared = false;
    this.#whose = name;
    if (this.#changed.open && this.#compared === name) return;
    if (this.#changed.open) this.#changed.close();
    if (this.#putOff !== name) this.compare();
  }

  /** Shows the digits of a changed key. */
  compare() {
    if (this.#whose === "") return;
    const name = this.#compared = this.#whose;
    byId("changed-title", HTMLElement).textContent = `The key of ${name} has changed`;
    byId("changed-text", HTMLElement).textContent =
      `${name} may have a new machine; or somebody else poses as ${name}. Until you decide, the room waits. Ask ` +
      `${name} by another way, aloud or side by side, which digits are seen there.`;
    byId("changed-sure-text", HTMLElement).textContent =
      `${name} has told me the digits of the new key, by another way than this chat`;
    this.#sure.checked = false;
    this.#accept.disabled = true;
    if (!this.#isCompared) byId("changed-about", HTMLElement).replaceChildren();
    this.#show(this.#changed, "changed-title");
    this.parts.line(`/verify ${name}`);
  }

  /** @param {readonly string[]} lines what was asked for */
  answer(lines) {
    if (this.#changed.open) {
      this.#isCompared = true;
      return byId("changed-about", HTMLElement).replaceChildren(...about(comparing(lines)));
    }
    if (this.#search.open) {
      byId("search-told", HTMLElement).textContent = lines.join(" ");
      return byId("search-found", HTMLElement).replaceChildren();
    }
    if (this.#question.open) return;
    byId("answer-about", HTMLElement).replaceChildren(...about(lines));
    this.#show(this.#answer, "answer-title");
  }

  /** @param {import("../../../client/commands/people_here.ts").PersonHere} person */
  person({ name, own, isAdmin, isVerified, isHere, id }) {
    this.#named = name;
    byId("person-name", HTMLElement).textContent = name;
    const here = isHere === null ? "" : isHere ? " Here now, says the server." : " Away, says the server.";
    const checked = own
      ? "You."
      : isVerified
      ? "You have compared digits."
      : "You have not compared digits yet.";
    byId("person-text", HTMLElement).textContent = `${checked}${isAdmin ? " Admin of this room." : ""}${
      own ? "" : here
    }`;
    byId("person-verify", HTMLButtonElement).hidden = own || id === "";
    byId("person-alone", HTMLButtonElement).hidden = own || id === "";
    this.#show(this.#person, "person-name");
  }

  openSearch() {
    this.#show(this.#search, "search-words");
    byId("search-words", HTMLInputElement).select();
  }

  /** @param {Extract<ToPage, { type: "found" }>} found */
  found({ title, items }) {
    if (!this.#search.open) this.openSearch();
    byId("search-told", HTMLElement).textContent = title;
    const lines = items.map(({ room, item }) => {
      const line = lineOf(item, this.parts.save);
      if (item.kind === "message") {
        line.prepend(
          element(
            "span",
            { class: "where" },
            new Date(item.timeMs).toLocaleDateString(),
            " ",
            element("bdi", {}, room),
          ),
        );
      }
      return line;
    });
    byId("search-found", HTMLElement).replaceChildren(...lines);
  }

  /** What was answered and found goes. */
  forget() {
    for (const id of ["answer-about", "question-about", "changed-about", "search-found"]) {
      byId(id, HTMLElement).replaceChildren();
    }
    byId("search-told", HTMLElement).textContent = "";
    byId("search-words", HTMLInputElement).value = "";
  }

  /** The page is not in use any more. */
  closeAll() {
    for (const dialog of [this.#question, this.#changed, this.#person, this.#answer, this.#search]) {
      dialog.close();
    }
  }
}

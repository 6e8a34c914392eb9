// Log: what was said in the room on the screen: at most 500 lines of it stand in the page, older and newer ones take their
// place as it is scrolled. New lines are laid out once a frame.

import { byId } from "./elements.js";
import { dayLine, dayOf, lineOf } from "./log_line.js";

/** @typedef {import("../page_messages.ts").LogItem} LogItem */

const most = 500;
const step = 150;
const mostKnown = 10_000;
const nearPx = 48;

/** What is known of a room's log, oldest first. */
class Known {
  /** @type {LogItem[]} */
  items = [];
  /** All that the program keeps is here. */
  isAll = false;

  /** The oldest of very many go; the program keeps what it keeps. @returns {number} how many went */
  shorten() {
    if (this.items.length < mostKnown) return 0;
    this.isAll = false;
    return this.items.splice(0, this.items.length - mostKnown / 2).length;
  }
}

/**
 * When the day of a line began. Times are the senders' claims: one that is far ahead begins no day.
 *
 * @param {number} timeMs
 */
function beginningOf(timeMs) {
  return timeMs > Date.now() + 86_400_000 ? 0 : new Date(timeMs).setHours(0, 0, 0, 0) || 0;
}

export class Log {
  #scroller = byId("log", HTMLElement);
  #list = byId("lines", HTMLUListElement);
  #empty = byId("empty", HTMLElement);
  #newest = byId("newest", HTMLButtonElement);
  /** @type {Map<string, Known>} */
  #rooms = new Map();
  #room = "";
  /** Which items of the room stand in the page: from … to − 1. */
  #from = 0;
  #to = 0;
  #isStuck = true;
  /** Where it was scrolled to last. */
  #top = 0;
  #isDue = false;
  #isAsked = false;
  /** Files that are on this machine. @type {Set<string>} */
  #saved = new Set();

  /**
   * @param {(id: string) => void} save fetches a file
   * @param {(n: number) => void} askOlder asks for the last n lines that are kept
   */
  constructor(save, askOlder) {
    this.save = save;
    this.askOlder = askOlder;
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#newest.addEventListener("click", () => this.toEnd());
    // Lines take their size when they are seen first.
    const sizes = new ResizeObserver(() => this.#isStuck && this.#stick());
    sizes.observe(this.#scroller);
    sizes.observe(this.#list);
  }

  /** @param {string} room */
  #known(room) {
    let known = this.#rooms.get(room);
    if (!known) this.#rooms.set(room, known = new Known());
    return known;
  }

  /**
   * All logs anew.
   *
   * @param {Readonly<Record<string, readonly LogItem[]>>} logs
   * @param {readonly string[]} saved files, by the ids of their messages
   */
  load(logs, saved) {
    this.#saved = new Set(saved);
    this.#rooms.clear();
    for (const [room, items] of Object.entries(logs)) this.#known(room).items = [...items];
    this.show(this.#room, true);
  }

  /**
   * @param {string} room
   * @param {boolean} anew
   */
  show(room, anew = false) {
    if (room === this.#room && !anew) return;
    this.#room = room;
    this.#isAsked = false;
    const { items } = this.#known(room);
    this.#to = items.length;
    this.#from = Math.max(0, this.#to - most);
    this.#isStuck = true;
    this.#draw();
  }

  /**
   * @param {string} room
   * @param {LogItem} item
   */
  add(room, item) {
    const known = this.#known(room);
    known.items.push(item);
    const hasMoved = known.shorten() > 0;
    if (room !== this.#room) return;
    if (hasMoved) this.show(room, true);
    else this.#soon();
  }

  /** A file is on this machine. @param {string} id of its message */
  savedIs(id) {
    this.#saved.add(id);
    for (const each of this.#list.querySelectorAll("button[data-file]")) {
      if (each.getAttribute("data-file") === id) each.replaceWith("(saved)");
    }
  }

  /** @param {string} room */
  clear(room) {
    this.#rooms.set(room, new Known());
    if (room === this.#room) this.show(room, true);
  }

  /** Nothing is kept any more. */
  forget() {
    this.#rooms.clear();
    this.show(this.#room, true);
  }

  /** Once a frame. */
  #soon() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#append();
    });
  }

  #append() {
    const { items } = this.#known(this.#room);
    // Who reads what was said before is not moved.
    if (!this.#isStuck) return this.#showNewest();
    const isGap = items.length - this.#to > most;
    if (isGap) return this.show(this.#room, true);
    const fresh = this.#elements(this.#to, items.length);
    this.#to = items.length;
    this.#list.append(...fresh);
    const tooMany = this.#to - this.#from - most;
    if (tooMany > step) this.#drop(tooMany);
    this.#empty.hidden = items.length > 0;
    this.#stick();
  }

  /** Takes the oldest out of the page. @param {number} n */
  #drop(n) {
    this.#from += n;
    const { items } = this.#known(this.#room);
    const first = items[this.#from];
    let gone = 0;
    while (gone < n && this.#list.firstElementChild) {
      if (!this.#list.firstElementChild.classList.contains("day")) gone++;
      this.#list.firstElementChild.remove();
    }
    if (first?.kind === "message" && !this.#list.firstElementChild?.classList.contains("day")) {
      this.#list.prepend(dayLine(dayOf(first.timeMs)));
    }
  }

  #draw() {
    const { items } = this.#known(this.#room);
    this.#list.replaceChildren(...this.#elements(this.#from, this.#to));
    this.#empty.hidden = items.length > 0;
    this.#showNewest();
    if (this.#isStuck) this.#stick();
  }

  /**
   * Lines, with one where a day begins.
   *
   * @param {number} from
   * @param {number} to
   */
  #elements(from, to) {
    const { items } = this.#known(this.#room);
    const made = [];
    let last = from === this.#from ? 0 : this.#dayBefore(from);
    for (const item of items.slice(from, to)) {
      const itsDay = item.kind === "message" ? beginningOf(item.timeMs) : last;
      if (itsDay > last && item.kind === "message") made.push(dayLine(dayOf(item.timeMs)));
      last = Math.max(last, itsDay);
      const isSaved = item.kind === "message" && this.#saved.has(item.id);
      made.push(lineOf(item, isSaved ? null : this.save));
    }
    return made;
  }

  /** @param {number} at */
  #dayBefore(at) {
    const days = this.#known(this.#room).items.slice(this.#from, at).map((item) =>
      item.kind === "message" ? beginningOf(item.timeMs) : 0
    );
    return Math.max(0, ...days);
  }

  #stick() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop;
  }

  /** The newest lines. */
  toEnd() {
    this.show(this.#room, true);
    this.#stick();
  }

  #showNewest() {
    this.#newest.hidden = this.#isStuck && this.#to === this.#known(this.#room).items.length;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < nearPx;
    const { items } = this.#known(this.#room);
    // Lines may have come since: only who scrolls up wants to stay.
    const isUp = scrollTop < this.#top - 1;
    this.#top = scrollTop;
    if (this.#isStuck && (isAtEnd || !isUp)) return;
    if (isAtEnd && this.#to < items.length) this.#move(this.#to + step - most, this.#to + step);
    else if (scrollTop < nearPx && this.#from > 0) this.#move(this.#from - step, this.#from - step + most);
    else if (scrollTop < nearPx && scrollHeight > clientHeight) this.#wantOlder();
    this.#isStuck = isAtEnd && this.#to === items.length;
    this.#showNewest();
  }

  /**
   * Shows other items, and keeps what is looked at where it is.
   *
   * @param {number} from
   * @param {number} to
   */
  #move(from, to) {
    const { items } = this.#known(this.#room);
    const anchor = this.#anchor();
    this.#from = Math.max(0, from);
    this.#to = Math.min(items.length, Math.max(to, this.#from));
    this.#isStuck = false;
    this.#draw();
    this.#restore(anchor);
  }

  /** The first line that is seen, by its item, and how far down it stands. */
  #anchor() {
    const top = this.#scroller.getBoundingClientRect().top;
    let index = this.#from - 1;
    for (const line of this.#list.children) {
      if (!line.classList.contains("day")) index++;
      const box = line.getBoundingClientRect();
      if (box.bottom > top && !line.classList.contains("day")) return { index, offset: box.top - top };
    }
    return null;
  }

  /** @param {{ index: number, offset: number } | null} anchor */
  #restore(anchor) {
    if (!anchor) return;
    let index = this.#from - 1;
    for (const line of this.#list.children) {
      if (line.classList.contains("day")) continue;
      if (++index !== anchor.index) continue;
      const top = this.#scroller.getBoundingClientRect().top;
      this.#scroller.scrollTop += line.getBoundingClientRect().top - top - anchor.offset;
      return;
    }
  }

  #wantOlder() {
    const known = this.#known(this.#room);
    if (known.isAll || this.#isAsked || this.#room === "") return;
    this.#isAsked = true;
    this.askOlder(known.items.filter(({ kind }) => kind === "message").length + step);
  }

  /**
   * Lines that are kept, oldest first; what is here already is known.
   *
   * @param {string} room
   * @param {readonly LogItem[]} lines
   * @param {boolean} isAll
   */
  older(room, lines, isAll) {
    const known = this.#known(room);
    known.isAll = isAll;
    if (room === this.#room) this.#isAsked = false;
    const here = new Set(known.items.flatMap((item) => item.kind === "message" ? [item.id] : []));
    const fresh = lines.filter((item) => item.kind === "message" && !here.has(item.id));
    if (fresh.length === 0) return;
    const anchor = room === this.#room ? this.#anchor() : null;
    known.items.unshift(...fresh);
    if (room !== this.#room) return;
    this.#from += fresh.length;
    this.#to += fresh.length;
    const moved = anchor && { index: anchor.index + fresh.length, offset: anchor.offset };
    this.#from = Math.max(0, this.#from - step);
    this.#to = Math.min(this.#to, this.#from + most);
    this.#isStuck = false;
    this.#draw();
    this.#restore(moved);
  }

  /** @param {-1 | 1} way */
  page(way) {
    this.#scroller.scrollBy({ top: way * this.#scroller.clientHeight * 0.9 });
  }
}

// Sides: the rooms on the left and the people on the right; in a narrow window each is shown by its button.

import { button, byId, element } from "./elements.js";
import { colourOf } from "./log_line.js";

/** @typedef {import("../../../client/status.ts").Status} Status */
/** @typedef {import("../../../client/commands/people_here.ts").RoomPeople} RoomPeople */
/** @typedef {import("../../../client/commands/people_here.ts").PersonHere} PersonHere */

/** One of them, which a button folds. */
class Side {
  /**
   * @param {HTMLElement} side
   * @param {HTMLButtonElement} shows
   */
  constructor(side, shows) {
    this.side = side;
    this.shows = shows;
    shows.addEventListener("click", () => this.toggle(!this.isOpen));
  }
  get isOpen() {
    return this.side.classList.contains("open");
  }
  /** @param {boolean} open */
  toggle(open) {
    this.side.classList.toggle("open", open);
    this.shows.setAttribute("aria-expanded", String(open));
  }
}

export class Sides {
  #rooms = byId("room-list", HTMLUListElement);
  #people = byId("people-list", HTMLUListElement);
  #left = new Side(byId("rooms", HTMLElement), byId("show-rooms", HTMLButtonElement));
  #right = new Side(byId("people", HTMLElement), byId("show-people", HTMLButtonElement));
  #shownRooms = "";
  /** @type {readonly PersonHere[]} */
  #known = [];

  /**
   * @param {(room: string) => void} switchTo
   * @param {(person: PersonHere) => void} meant
   * @param {(name: string) => void} join
   */
  constructor(switchTo, meant, join) {
    this.switchTo = switchTo;
    this.meant = meant;
    const name = byId("join-name", HTMLInputElement);
    byId("join", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (name.value.trim() === "") return;
      join(name.value.trim());
      name.value = "";
      this.fold();
    });
  }

  /** Folds both, in a narrow window. @returns whether one was open */
  fold() {
    const was = this.#left.isOpen || this.#right.isOpen;
    this.#left.toggle(false);
    this.#right.toggle(false);
    return was;
  }

  /** @param {Status} status */
  rooms({ rooms, room }) {
    const elsewhere = rooms.reduce((sum, { label, unread }) => sum + (label === room ? 0 : unread), 0);
    const badge = byId("unread-elsewhere", HTMLElement);
    badge.hidden = elsewhere === 0;
    badge.textContent = String(elsewhere);
    badge.setAttribute("aria-label", `, ${elsewhere} unread elsewhere`);
    const shown = JSON.stringify([rooms, room]);
    if (shown === this.#shownRooms) return;
    this.#shownRooms = shown;
    // A button stays while it is being clicked: lines come at any time.
    inPlace(this.#rooms, rooms.map(({ label }) => label), (label) => {
      const act = () => {
        this.switchTo(label);
        this.fold();
      };
      const go = button("", act, { class: "room", "data-room": label });
      go.append(element("bdi", {}, label), element("span", { class: "badge" }));
      return go;
    }, (go, i) => {
      const { label, unread } = rooms[i];
      if (label === room) go.setAttribute("aria-current", "true");
      else go.removeAttribute("aria-current");
      const badge = /** @type {HTMLElement} */ (go.lastElementChild);
      badge.hidden = unread === 0;
      badge.textContent = String(unread);
      badge.setAttribute("aria-label", `, ${unread} unread`);
    });
  }

  /** Nobody is shown any more. */
  empty() {
    this.#shownRooms = "";
    this.#rooms.replaceChildren();
    this.#people.replaceChildren();
  }

  /** @param {RoomPeople} people */
  people({ people }) {
    inPlace(this.#people, people.map(({ name, id }) => `${name} ${id}`), () => {
      const show = button("", () => this.meant(this.#known[Number(show.dataset.at)]), { class: "person" });
      show.append(element("bdi", {}), element("span", { class: "quiet" }));
      return show;
    }, (show, i) => {
      const { name, own, isAdmin, isVerified, isHere, id } = people[i];
      const says = [
        own ? "you" : isHere === null ? "" : isHere ? "here" : "away",
        isAdmin ? "admin" : "",
        own ? "" : isVerified ? "verified" : "not verified",
      ].filter((each) => each !== "").join(", ");
      show.dataset.at = String(i);
      show.dataset.person = name;
      show.className = isHere === false ? "person away" : "person";
      const [who, how] = [...show.children];
      who.textContent = name;
      who.className = `from ${colourOf(id)}`;
      how.textContent = says;
    });
    this.#known = people;
  }
}

/**
 * Brings a list of buttons to what it is now: those that stay are the same elements.
 *
 * @param {HTMLUListElement} list
 * @param {readonly string[]} keys one for each button, in their order
 * @param {(key: string) => HTMLButtonElement} make
 * @param {(made: HTMLButtonElement, i: number) => void} show
 */
function inPlace(list, keys, make, show) {
  /** @type {Map<string, Element>} */
  const before = new Map([...list.children].map((row) => [row.getAttribute("data-key") ?? "", row]));
  const rows = keys.map((key) => before.get(key) ?? element("li", { "data-key": key }, make(key)));
  for (const row of list.children) if (!rows.includes(row)) row.remove();
  for (const [i, row] of rows.entries()) {
    if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
    show(/** @type {HTMLButtonElement} */ (row.firstElementChild), i);
  }
}

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
    const focused = document.activeElement?.getAttribute("data-room") ?? null;
    this.#rooms.replaceChildren(...rooms.map(({ label, unread }) => {
      const go = button("", () => {
        this.switchTo(label);
        this.fold();
      }, { "data-room": label, class: "room", ...(label === room ? { "aria-current": "true" } : {}) });
      go.append(element("bdi", {}, label));
      if (unread > 0) {
        go.append(element("span", { class: "badge", "aria-label": `, ${unread} unread` }, String(unread)));
      }
      if (label === focused) requestAnimationFrame(() => go.focus());
      return element("li", {}, go);
    }));
  }

  /** @param {RoomPeople} people */
  people({ people }) {
    const focused = document.activeElement?.getAttribute("data-person") ?? null;
    this.#people.replaceChildren(...people.map((person) => {
      const { name, own, isAdmin, isVerified, isHere, id } = person;
      const says = [
        own ? "you" : isHere === null ? "" : isHere ? "here" : "away",
        isAdmin ? "admin" : "",
        own ? "" : isVerified ? "verified" : "not verified",
      ].filter((each) => each !== "").join(", ");
      const show = button("", () => this.meant(person), {
        "data-person": name,
        class: isHere === false ? "person away" : "person",
      });
      show.append(
        element("bdi", { class: `from ${colourOf(id)}` }, name),
        element("span", { class: "quiet" }, says),
      );
      if (name === focused) requestAnimationFrame(() => show.focus());
      return element("li", {}, show);
    }));
  }
}

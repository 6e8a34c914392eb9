// Link: the page's one connection to its program: shown by the link that it was opened with, later by its own secret.

/** @typedef {import("../page_messages.ts").ToPage} ToPage */
/** @typedef {import("../page_messages.ts").FromPage} FromPage */
/** @typedef {"connecting" | "in" | "cut" | "bad link" | "another page" | "ended"} LinkState */

const kept = "chat page";
const againMs = [250, 500, 1000, 2000, 4000];

/** As the program closes it (page_messages.ts). @type {Readonly<Record<number, LinkState>>} */
const reasons = { 4001: "bad link", 4002: "another page", 4003: "ended" };

export class Link {
  /** @type {WebSocket | null} */
  #socket = null;
  #tries = 0;
  #token = "";
  #wasIn = false;

  /**
   * @param {(message: ToPage) => void} heard
   * @param {(state: LinkState, why: string) => void} changed
   */
  constructor(heard, changed) {
    this.heard = heard;
    this.changed = changed;
    this.#takeToken();
    // Another link was opened in this tab: only what follows the # has changed, so nothing is loaded.
    addEventListener("hashchange", () => {
      if (location.hash.length > 1) {
        this.#takeToken();
        this.open();
      }
    });
  }

  /** Out of the address bar and the history: it is good once. */
  #takeToken() {
    this.#token = location.hash.slice(1);
    if (this.#token !== "") history.replaceState(null, "", "/");
  }

  get secret() {
    return sessionStorage.getItem(kept) ?? "";
  }

  /** @param {boolean} takeOver another page may be in use */
  open(takeOver = false) {
    const { secret } = this;
    if (this.#token === "" && secret === "") return this.changed("bad link", "");
    this.changed("connecting", "");
    const before = this.#socket;
    const socket = new WebSocket(`ws://${location.host}/link`);
    this.#socket = socket;
    before?.close();
    socket.addEventListener("open", () => {
      const token = this.#token;
      this.#token = "";
      /** @type {FromPage} */
      const first = token !== "" ? { type: "link", token } : { type: "again", secret, takeOver };
      socket.send(JSON.stringify(first));
    });
    socket.addEventListener("message", ({ data }) => this.#take(data));
    socket.addEventListener("close", ({ code, reason }) => this.#closed(socket, code, reason));
  }

  /** @param {string} data */
  #take(data) {
    /** @type {ToPage} */
    const message = JSON.parse(data);
    if (message.type === "in") {
      sessionStorage.setItem(kept, message.secret);
      this.#tries = 0;
      this.#wasIn = true;
      this.changed("in", "");
    }
    this.heard(message);
  }

  /**
   * @param {WebSocket} socket
   * @param {number} code
   * @param {string} reason
   */
  #closed(socket, code, reason) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    const state = reasons[code];
    if (state) return this.changed(state, reason);
    // A program that has ended does not come back at once; one that was stopped may.
    if (!this.#wasIn && this.#tries >= againMs.length) return this.changed("ended", "");
    this.changed("cut", "");
    const waitMs = againMs[Math.min(this.#tries++, againMs.length - 1)];
    setTimeout(() => this.open(), waitMs);
  }

  /** @param {FromPage} message */
  say(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }
}

// Files: those that are dropped or chosen go to the program, which sends them; how far they are is told by it.

import { button, byId, element } from "./elements.js";

/** @typedef {import("../page_messages.ts").MovingFile} MovingFile */

/**
 * @typedef {object} FilesParts
 * @property {() => string} secret of this page
 * @property {() => string} room on the screen
 * @property {() => boolean} isIn whether the page is in use, with nothing before it
 * @property {(id: string) => void} cancel
 * @property {(text: string) => void} told
 * @property {(text: string) => void} failed
 */

export class Files {
  #section = byId("moving", HTMLElement);
  #list = byId("moving-list", HTMLUListElement);
  /** @type {Map<string, { row: HTMLElement, progress: HTMLProgressElement, text: HTMLElement, quarter: number }>} */
  #rows = new Map();

  /** @param {FilesParts} parts */
  constructor(parts) {
    this.parts = parts;
    const choose = byId("choose", HTMLInputElement);
    byId("attach", HTMLButtonElement).addEventListener("click", () => choose.click());
    choose.addEventListener("change", () => {
      this.#send([...choose.files ?? []]);
      choose.value = "";
    });
    const over = (/** @type {DragEvent} */ event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      document.body.classList.toggle("dropping", event.type !== "drop");
    };
    document.addEventListener("dragover", over);
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) document.body.classList.remove("dropping");
    });
    document.addEventListener("drop", (event) => {
      over(event);
      this.#send([...event.dataTransfer?.files ?? []]);
    });
    byId("text", HTMLTextAreaElement).addEventListener("paste", (event) => {
      const files = [...event.clipboardData?.files ?? []];
      if (files.length === 0) return; // text is pasted as it is
      event.preventDefault();
      this.#send(files);
    });
  }

  /** @param {readonly File[]} files */
  async #send(files) {
    if (!this.parts.isIn()) return;
    const room = this.parts.room();
    for (const file of files) {
      this.parts.told(`Taking ${file.name}`);
      try {
        const answer = await fetch("/file", {
          method: "PUT",
          headers: {
            authorization: `Bearer ${this.parts.secret()}`,
            "x-room": encodeURIComponent(room),
            "x-name": encodeURIComponent(file.name),
          },
          body: file,
        });
        if (!answer.ok) this.parts.failed(`${file.name} was not sent: ${(await answer.text()).trim()}`);
      } catch {
        // A folder cannot be read, nor what has gone meanwhile.
        this.parts.failed(
          `${file.name} was not sent: it cannot be read. A folder is sent as one file, as a .zip`,
        );
      }
    }
  }

  /** @param {readonly MovingFile[]} files */
  moving(files) {
    const ids = new Set(files.map(({ id }) => id));
    for (const [id, { row }] of this.#rows) {
      if (ids.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    for (const file of files) this.#show(file);
    this.#section.hidden = files.length === 0;
  }

  /** @param {MovingFile} file */
  #show({ id, name, way, done, size, text }) {
    let known = this.#rows.get(id);
    if (!known) {
      const doing = way === "up" ? "Sending" : "Fetching";
      const label = element("span", { class: "text", dir: "auto" });
      const progress = element("progress", { max: "100", "aria-label": `${doing} ${name}` });
      const row = element(
        "li",
        {},
        label,
        progress,
        button("Cancel", () => this.parts.cancel(id), {
          "aria-label": `Cancel ${doing.toLowerCase()} ${name}`,
        }),
      );
      known = { row, progress, text: label, quarter: 0 };
      this.#rows.set(id, known);
      this.#list.append(row);
    }
    const percent = size === 0 ? 100 : Math.floor(done * 100 / size);
    known.progress.value = percent;
    known.text.textContent = text;
    const quarter = Math.floor(percent / 25);
    if (quarter > known.quarter && quarter < 4) this.parts.told(`${name}: ${quarter * 25} %`);
    known.quarter = quarter;
  }
}

/** A terminal in memory: what is written to it is drawn by a real emulator, and its screen can be read. */

import xterm from "@xterm/headless";
import type { Reflow } from "../../lib/ui/terminal/screen.ts";
import type { Tty } from "../../lib/ui/terminal/tty.ts";

export class EmulatedTerminal implements Tty {
  readonly input: ReadableStream<Uint8Array>;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #screen: InstanceType<typeof xterm.Terminal>;
  readonly #resized = new Set<() => void>();
  readonly #continued = new Set<() => void>();
  isEditing = false;
  isStopped = false;
  bells = 0;
  titles: string[] = [];
  /** All that was written. */
  written = "";

  constructor(columns = 40, rows = 12, readonly reflow: Reflow = "all") {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(
      {},
      { highWaterMark: 1024 },
      { highWaterMark: 1024 },
    );
    this.input = readable;
    this.#keys = writable.getWriter();
    this.#screen = new xterm.Terminal({
      cols: columns,
      rows,
      allowProposedApi: true,
      scrollback: 50_000,
      reflowCursorLine: reflow === "all",
      ...(reflow === "none" ? { windowsPty: { backend: "conpty" as const, buildNumber: 19000 } } : {}),
    });
    this.#screen.onBell(() => this.bells++);
    this.#screen.onTitleChange((title) => this.titles.push(title));
  }

  write(text: string): void {
    this.written += text;
    this.#screen.write(text);
  }
  size(): { columns: number; rows: number } {
    return { columns: this.#screen.cols, rows: this.#screen.rows };
  }
  edit(on: boolean): void {
    this.isEditing = on;
    this.write(`\x1b[?2004${on ? "h" : "l"}`);
  }
  alternate(on: boolean): void {
    this.write(`\x1b[?1049${on ? "h" : "l"}`);
  }
  onResize(act: () => void): () => void {
    this.#resized.add(act);
    return () => this.#resized.delete(act);
  }
  onContinue(act: () => void): () => void {
    this.#continued.add(act);
    return () => this.#continued.delete(act);
  }
  suspend(): void {
    this.isStopped = true;
  }

  /** The shell has printed something meanwhile, and continues the program. */
  async resume(text: string): Promise<void> {
    this.isStopped = false;
    this.write(text);
    for (const act of this.#continued) act();
    await this.settle();
  }
  async resize(columns: number, rows = this.#screen.rows): Promise<void> {
    await this.settle();
    this.#screen.resize(columns, rows);
    for (const act of this.#resized) act();
    await this.settle();
  }
  /** Presses keys, given as what they send; the program has taken them when this returns. */
  async press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      await this.#keys.write(new TextEncoder().encode(key));
      await this.settle();
    }
  }
  async pressBytes(bytes: Uint8Array): Promise<void> {
    await this.#keys.write(bytes);
    await this.settle();
  }
  async paste(text: string): Promise<void> {
    await this.settle();
    const sent = this.#screen.modes.bracketedPasteMode ? `\x1b[200~${text}\x1b[201~` : text;
    await this.press(sent.replaceAll("\n", "\r"));
  }
  /** The terminal is gone. */
  async hangUp(): Promise<void> {
    await this.#keys.close();
    await this.settle();
  }
  /** Waits until the program has taken what was pressed, and the emulator what was written. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    await new Promise<void>((resolve) => this.#screen.write("", resolve));
  }

  /** All rows with something in them, from the top of the scrollback. */
  async all(): Promise<string[]> {
    await this.settle();
    const { active } = this.#screen.buffer;
    const rows = [];
    for (let i = 0; i < active.length; i++) rows.push(active.getLine(i)!.translateToString(true));
    while (rows.at(-1) === "") rows.pop();
    return rows;
  }
  /** The same, with rows that the terminal itself has wrapped joined again. */
  async lines(): Promise<string[]> {
    await this.settle();
    const { active } = this.#screen.buffer;
    const lines: string[] = [];
    for (let i = 0; i < active.length; i++) {
      const row = active.getLine(i)!;
      const text = row.translateToString(!active.getLine(i + 1)?.isWrapped);
      if (row.isWrapped) lines[lines.length - 1] += text;
      else lines.push(text);
    }
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }
  /** The row that the cursor stands in, with `|` where it stands. */
  async cursorRow(): Promise<string> {
    await this.settle();
    const { active } = this.#screen.buffer;
    const row = active.getLine(active.baseY + active.cursorY)!;
    let before = "", after = "";
    for (let x = 0; x < this.#screen.cols; x++) {
      const cell = row.getCell(x)!;
      const text = cell.getWidth() === 0 ? "" : cell.getChars() || " ";
      if (x < active.cursorX) before += text;
      else after += text;
    }
    return `${before}|${after.trimEnd()}`;
  }
  /** The screen as runs of cells that look alike. @returns a list of runs for each row */
  async runs(): Promise<{ column: number; text: string; colour: number | null; bold: boolean }[][]> {
    await this.settle();
    const { active } = this.#screen.buffer;
    return Array.from({ length: this.#screen.rows }, (_, y) => {
      const row = active.getLine(active.baseY + y)!;
      const runs: { column: number; text: string; colour: number | null; bold: boolean }[] = [];
      for (let x = 0; x < this.#screen.cols; x++) {
        const cell = row.getCell(x)!;
        const colour = cell.isFgDefault() ? null : cell.getFgColor();
        const bold = cell.isBold() !== 0;
        const last = runs.at(-1);
        const text = cell.getWidth() === 0 ? "" : cell.getChars() || " ";
        if (last && last.colour === colour && last.bold === bold) last.text += text;
        else runs.push({ column: x, text, colour, bold });
      }
      return runs;
    });
  }
  /** Where the cursor stands. */
  async cursor(): Promise<{ x: number; y: number }> {
    await this.settle();
    const { cursorX: x, cursorY: y } = this.#screen.buffer.active;
    return { x, y };
  }
  /** Attributes of a row's cells that are not plain. */
  async isPlain(): Promise<boolean> {
    await this.settle();
    const { active } = this.#screen.buffer;
    for (let i = 0; i < active.length; i++) {
      for (let x = 0; x < this.#screen.cols; x++) {
        if (!active.getLine(i)!.getCell(x)!.isAttributeDefault()) return false;
      }
    }
    return true;
  }
}

/** LineSplitter: text that comes in pieces as lines, however they are cut; the last one may lack its line feed. */

/** More than this without a line feed is cut off: nothing that is said or done is as long. */
const maxCharacters = 1024 * 1024;

/** Cuts pieces into lines. */
export class LineSplitter {
  #parts: string[] = [];
  #length = 0;

  /** Takes a piece. @returns the lines that it ends */
  feed(text: string): string[] {
    const [first, ...others] = text.split("\n");
    this.#add(first);
    const lines: string[] = [];
    for (const other of others) {
      lines.push(this.#take());
      this.#add(other);
    }
    return lines;
  }

  /** The input is over. @returns a last line without a line feed, if there is one */
  end(): string[] {
    return this.#length > 0 ? [this.#take()] : [];
  }

  #add(text: string): void {
    if (this.#length < maxCharacters) this.#parts.push(text);
    this.#length += text.length;
  }
  #take(): string {
    const line = this.#parts.join("").replace(/\r$/, "");
    this.#parts = [];
    this.#length = 0;
    return line;
  }
}

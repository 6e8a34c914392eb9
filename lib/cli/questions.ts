/**
 * Questions on the way in: to standard error, since standard output may be a pipe; answered at the terminal that
 * standard input is. Secrets are read key by key, as in a room, and not shown.
 */

import { LineSplitter } from "../ui/line_splitter.ts";
import { SecretLine } from "../ui/secret_line.ts";
import { type Key, KeyReader } from "../ui/terminal/keys.ts";

/** The terminal that is asked at. */
export interface AskedTerminal {
  /** Whether standard input is one. */
  readonly isThere: boolean;
  /** The next bytes; null at the end. */
  read(): Promise<Uint8Array | null>;
  /** Key by key and without echo, or line by line. */
  setRaw(on: boolean): void;
  /** Writes to standard error. */
  err(text: string): void;
}

/** Asks one question after the other. */
export class TerminalQuestions {
  readonly #keys = new KeyReader();
  /** What was typed ahead: for the next question, and never for a room. */
  #early: Key[] = [];

  /** @param terminal where somebody may sit */
  constructor(private readonly terminal: AskedTerminal) {}

  /** Asks for a secret. @returns null when nobody is there, or gives up with Ctrl+C or Ctrl+D */
  async secret(question: string): Promise<string | null> {
    const { terminal } = this;
    if (!terminal.isThere) return null;
    terminal.err(question);
    terminal.setRaw(true);
    try {
      const line = new SecretLine();
      for (;;) {
        while (this.#early.length > 0) {
          const answer = line.take(this.#early.shift()!);
          if (answer !== undefined) return answer;
        }
        const bytes = await terminal.read();
        if (bytes === null) return null;
        this.#early = this.#keys.feed(bytes);
        // An Esc alone is no part of a secret either.
        if (this.#keys.isWaiting && this.#early.length === 0) this.#early = this.#keys.flush();
      }
    } finally {
      terminal.setRaw(false);
      terminal.err("\n");
    }
  }

  /** Asks for a line. @returns null when nobody is there */
  async line(question: string): Promise<string | null> {
    const { terminal } = this;
    if (!terminal.isThere) return null;
    terminal.err(`${question} `);
    const splitter = new LineSplitter();
    const decoder = new TextDecoder();
    for (;;) {
      const bytes = await terminal.read();
      if (bytes === null) return null;
      for (const line of splitter.feed(decoder.decode(bytes, { stream: true }))) return line;
    }
  }
}

/** Questions: one at a time, answered by the next line that is typed. */

import type { ChatOutput } from "./chat_view.ts";

/** What is asked of a person. */
export class Questions {
  #answer: ((answer: boolean) => void) | null = null;
  #question: string | null = null;

  /** @param over ends a question as a no */
  constructor(private readonly view: ChatOutput, private readonly over: AbortSignal) {}

  /** Whether one waits for its answer. */
  get isOpen(): boolean {
    return this.#answer !== null;
  }

  /** Asks. @returns false for anything but yes, and for programs */
  async ask(question: string): Promise<boolean> {
    if (!this.view.interactive || this.#answer) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#answer = resolve;
    this.#question = `${question} (yes or no) `;
    this.view.question(this.#question);
    const stopped = () => resolve(false);
    this.over.addEventListener("abort", stopped);
    const answer = await promise;
    this.over.removeEventListener("abort", stopped);
    this.#answer = null;
    this.#question = null;
    this.view.question(null);
    return answer;
  }

  /** Puts the question once more: what came was no answer. */
  again(): void {
    if (this.#question !== null) this.view.question(this.#question);
  }

  /** Asks for a secret; going ends the question. @returns null when nobody answers */
  async secret(question: string): Promise<string | null> {
    if (this.over.aborted) return null;
    const { promise, resolve } = Promise.withResolvers<null>();
    const stopped = () => resolve(null);
    this.over.addEventListener("abort", stopped);
    const typed = await Promise.race([this.view.secret(question), promise]);
    this.over.removeEventListener("abort", stopped);
    return typed;
  }

  /** Takes a line that may be the answer. @returns whether it was */
  take(line: string): boolean {
    if (!this.#answer || !/^\s*(y|yes|n|no)\s*$/i.test(line)) return false;
    this.#answer(/y/i.test(line));
    return true;
  }

  /** The person takes the question back. @returns whether there was one */
  cancel(): boolean {
    const wasOpen = this.isOpen;
    this.#answer?.(false);
    return wasOpen;
  }
}

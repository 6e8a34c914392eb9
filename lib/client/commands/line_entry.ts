/** LineEntry: what a person or a program enters, and what becomes of it. */

import { ChatError, inWords } from "../../errors.ts";
import type { Chat } from "../chat.ts";
import { type Command, parseLine } from "./commands.ts";
import type { Entered, Said } from "../chat_view.ts";

/** What entering lines may do to a chat, beside what commands do. */
export interface EntryParts {
  /** The chat that commands act on. */
  readonly chat: Chat;
  /** The room on the screen has changed without the person's doing. @returns whether, once */
  takeDisplaced(): boolean;
  /** The input asks to go. */
  leave(): void;
}

/** Takes lines. */
export class LineEntry {
  /** Lines that were not said or done. */
  rejected = 0;

  /** @param parts of the chat */
  constructor(private readonly parts: EntryParts) {}

  /** Takes one. */
  async take(entered: Entered): Promise<void> {
    if (entered instanceof ChatError) this.rejected++;
    else if (typeof entered === "string") await this.#line(entered);
    else await this.#said(entered);
  }

  /** A line that cannot be said counts as one that was lost. @throws what `act` throws */
  counted<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      this.rejected++;
      throw error;
    }
  }
  /** The same for what takes its time. @throws what `act` throws */
  async countedLater<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      this.rejected++;
      throw error;
    }
  }

  async #line(line: string): Promise<void> {
    const { chat, leave } = this.parts;
    if (chat.questions.take(line)) return;
    const meaning = parseLine(line);
    const isGoing = meaning.kind === "quit" ||
      (meaning.kind === "command" && meaning.command.name === "quit");
    if (chat.questions.isOpen && !isGoing) {
      return chat.view.warning(
        'Please answer "yes" or "no" first; Ctrl+C is no. Nothing else was done with the line.',
      );
    }
    try {
      switch (meaning.kind) {
        case "nothing":
          return;
        case "quit":
          return leave();
        case "say":
          return chat.say(meaning.text);
        case "command":
          if (meaning.command.args === "" && meaning.rest !== "") {
            this.rejected++;
            return chat.view.warning(`/${meaning.command.name} takes nothing after it; nothing was done.`);
          }
          // What asks a question must not keep the next line, its answer, from being read.
          if (chat.view.interactive) return void this.#run(meaning.command, meaning.rest);
          return await meaning.command.run(chat, meaning.rest);
        case "unknown":
          this.rejected++;
          return chat.view.warning(
            `There is no command /${meaning.word}; did you mean /${meaning.nearest}? Nothing was sent; a line that ` +
              "starts with // is said as it stands.",
          );
      }
    } catch (error) {
      this.#warn(error);
    }
  }

  /** What is said as it stands, wherever it is to go. */
  async #said({ texts, action = false, room, to, pending, refused }: Said): Promise<void> {
    const { chat } = this.parts;
    if (chat.questions.isOpen) {
      return chat.view.warning('Please answer "yes" or "no" first; Ctrl+C is no. Nothing was sent.');
    }
    try {
      if (texts.every((text) => text.trim() === "")) throw this.#refusal("There is nothing in it to be said");
      // It may have been begun for the room that is gone.
      if (to === undefined && room === undefined && this.parts.takeDisplaced()) {
        throw this.#refusal(`You are in ${chat.room?.label} now, and nothing was sent`);
      }
      for (const text of texts) {
        const there = to !== undefined
          ? await this.countedLater(() => chat.directRoom(to))
          : room !== undefined
          ? this.counted(() => chat.knownRoom(room))
          : chat.room;
        if (there) {
          const msgId = chat.sayIn(there, text, action);
          pending?.(msgId);
        } else chat.say(text, action);
      }
    } catch (error) {
      if (refused && error instanceof ChatError) refused(error);
      else this.#warn(error);
    }
  }

  async #run(command: Command, rest: string): Promise<void> {
    try {
      await command.run(this.parts.chat, rest);
    } catch (error) {
      this.#warn(error);
    }
  }

  #refusal(why: string): ChatError {
    this.rejected++;
    return new ChatError(why, "say it again if it is for there");
  }

  #warn(error: unknown): void {
    if (!(error instanceof ChatError)) throw error;
    this.parts.chat.view.warning(inWords(error));
  }
}

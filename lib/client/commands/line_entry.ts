/** LineEntry: what a person or a program enters, and what becomes of it. */

import { ChatError, inWords } from "../../errors.ts";
import type { ChatView, Entered, Said } from "../chat_view.ts";
import type { ChatApi } from "./chat_api.ts";
import { type Command, parseLine } from "./commands.ts";

/** What is entered, and when that is over. */
export interface EntryOptions {
  /** Say this and go, instead of reading lines. */
  readonly message: string | null;
  /** Stay when the input has ended, and show what is said. */
  readonly listen: boolean;
}

/** Runs a chat together with its input. @returns the exit code @throws ChatError with another one */
export async function talk(
  chat: { readonly conversation: ChatApi; run(): Promise<number>; fail(error: ChatError): void },
  view: Pick<ChatView, "lines" | "interactive">,
  options: EntryOptions,
): Promise<number> {
  new LineEntry(chat.conversation, view, options).run().catch((error) => {
    if (!(error instanceof ChatError)) throw error;
    chat.fail(error);
  });
  return await chat.run();
}

/** Takes lines. */
class LineEntry {
  /** @param view where lines come from */
  constructor(
    private readonly chat: ChatApi,
    private readonly view: Pick<ChatView, "lines" | "interactive">,
    private readonly options: EntryOptions,
  ) {}

  /** A word that ends other programs was entered, and told of. */
  #isMeant = false;

  /** Takes all that comes, and lets the chat end when the input has. */
  async run(): Promise<void> {
    const { chat, view, options: { message, listen } } = this;
    if (message !== null) {
      chat.say(message);
      return chat.quitWhenQuiet();
    }
    for await (const line of view.lines()) {
      // A program writes before the room is entered: its lines wait until then.
      if (!view.interactive) await chat.whenEntered;
      if (chat.isOver) return;
      await this.#take(line);
    }
    if (!listen || view.interactive) this.#leave();
  }

  /** A person who has pressed Ctrl+D goes; a program goes once everything is stored. */
  #leave(): void {
    if (this.view.interactive) this.chat.quit();
    else this.chat.quitWhenQuiet();
  }

  async #take(entered: Entered): Promise<void> {
    if (entered instanceof ChatError) this.chat.lineLost();
    else if (typeof entered === "string") await this.#line(entered);
    else await this.#said(entered);
  }

  async #line(line: string): Promise<void> {
    const { chat } = this;
    if (chat.questions.take(line)) return;
    const meaning = parseLine(line);
    const isGoing = meaning.kind === "quit" ||
      (meaning.kind === "command" && meaning.command.name === "quit");
    if (chat.questions.isOpen && !isGoing) {
      chat.view.warning(
        'Please answer "yes" or "no" first; Ctrl+C is no. Nothing else was done with the line.',
      );
      return chat.questions.again();
    }
    try {
      switch (meaning.kind) {
        case "nothing":
          return;
        case "quit":
          return this.#leave();
        case "maybe quit":
          if (chat.view.interactive && !this.#isMeant) {
            this.#isMeant = true;
            return chat.view.warning(
              `"${line.trim()}" was not said: EXIT or /quit leaves. Enter it once more to say it.`,
            );
          }
          this.#isMeant = false;
          return chat.say(meaning.text);
        case "say":
          return chat.say(meaning.text);
        case "command":
          if (meaning.command.args === "" && meaning.rest !== "") {
            chat.lineLost();
            return chat.view.warning(`/${meaning.command.name} takes nothing after it; nothing was done.`);
          }
          // Not awaited: a command that asks a question needs the next line as its answer.
          if (chat.view.interactive) return void this.#run(meaning.command, meaning.rest);
          return await meaning.command.run(chat, meaning.rest);
        case "unknown":
          chat.lineLost();
          return chat.view.warning(
            `There is no command /${meaning.word}; ${
              meaning.nearest === null ? "/help lists all" : `did you mean /${meaning.nearest}?`
            }${
              meaning.nearest === null ? "." : ""
            } Nothing was sent; a line that starts with // is said as it stands.`,
          );
      }
    } catch (error) {
      this.#warn(error);
    }
  }

  /** What is said as it stands, wherever it is to go. */
  async #said({ texts, action = false, isToken, room, to, pending, refused }: Said): Promise<void> {
    const { chat } = this;
    if (chat.questions.isOpen) {
      chat.view.warning('Please answer "yes" or "no" first; Ctrl+C is no. Nothing was sent.');
      return chat.questions.again();
    }
    try {
      if (texts.every((text) => text.trim() === "")) throw this.#refusal("There is nothing in it to be said");
      // The line may have been typed for the room that is gone.
      if (to === undefined && room === undefined && chat.takeDisplaced()) {
        throw this.#refusal(`You are in ${chat.room?.label} now, and nothing was sent`);
      }
      for (const text of texts) {
        const there = await this.#place(room, to);
        if (there) {
          const msgId = chat.sayIn(there, text, action, isToken);
          pending?.(msgId);
        } else chat.say(text, action);
      }
    } catch (error) {
      if (refused && error instanceof ChatError) refused(error);
      else this.#warn(error);
    }
  }

  /** The room that is meant; null before there is one. A line without a place is lost. @throws ChatError */
  async #place(room: string | undefined, to: string | undefined) {
    const { chat } = this;
    try {
      if (to !== undefined) return await chat.directRoom(to);
      return room !== undefined ? chat.knownRoom(room) : chat.room;
    } catch (error) {
      chat.lineLost();
      throw error;
    }
  }

  async #run(command: Command, rest: string): Promise<void> {
    try {
      await command.run(this.chat, rest);
    } catch (error) {
      this.#warn(error);
    }
  }

  #refusal(why: string): ChatError {
    this.chat.lineLost();
    return new ChatError(why, "say it again if it is for there");
  }

  #warn(error: unknown): void {
    if (!(error instanceof ChatError)) throw error;
    this.chat.view.warning(inWords(error));
  }
}

/** LineEntry: what a person or a program enters, and what becomes of it. */

import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError, inWords } from "../../errors.ts";
import type { ChatView, Entered, FileWish, Said } from "../chat_view.ts";
import type { ChatApi } from "./chat_api.ts";
import { type Command, type Meaning, parseLine } from "./commands.ts";

/** What is entered, and when that is over. */
export interface EntryOptions {
  /** Say this and go, instead of reading lines; with files, it is said of the first of them. */
  readonly message: string | null;
  /** Send these and go, by their whole paths. */
  readonly send: readonly string[];
  /** Stay when the input has ended, and show what is said. */
  readonly listen: boolean;
  /** What is said goes to this person alone; null: to the room. */
  readonly to: string | null;
}

/** Takes what is entered at a seat, until it is over. */
export function takeLines(
  seat: { readonly conversation: ChatApi; fail(error: ChatError): void; fault(error: unknown): void },
  view: Pick<ChatView, "lines" | "interactive">,
  options: EntryOptions,
): void {
  const failed = (error: unknown) => error instanceof ChatError ? seat.fail(error) : seat.fault(error);
  const chat = seat.conversation;
  // A person may go elsewhere from there; a program says all to that one person.
  const to = view.interactive && options.message === null ? null : options.to;
  if (options.to !== null && to === null) openDirectRoom(chat, options.to).catch(failed);
  new LineEntry(chat, view, { ...options, to }, failed).run().catch(failed);
}

/** Puts the room of two on the screen, unless there is one already. @throws ChatError */
async function openDirectRoom(chat: ChatApi, name: string): Promise<void> {
  await chat.whenEntered;
  if (!chat.isOver && !chat.room) chat.switchTo(await chat.directRoom(name));
}

const answerFirst = 'Please answer "yes" or "no" first; Ctrl+C is no. Nothing else was done with the line.';

/** What is known of a line that was typed elsewhere. */
interface Mark {
  readonly msgId?: Bytes;
  readonly room?: string | null;
}

/** Takes lines. */
class LineEntry {
  /** @param view where lines come from */
  constructor(
    private readonly chat: ChatApi,
    private readonly view: Pick<ChatView, "lines" | "interactive">,
    private readonly options: EntryOptions,
    /** A line could not be taken, for a fault of ours. */
    private readonly failed: (error: unknown) => void,
  ) {}

  /** A word that ends other programs was entered, and told of. */
  #isMeant = false;

  /** Takes all that comes, and lets the chat end when the input has. */
  async run(): Promise<void> {
    const { chat, view, options: { message, listen, send } } = this;
    if (send.length > 0) {
      await chat.whenEntered;
      if (chat.isOver) return;
      const isHere = this.options.to === null;
      for (const [i, file] of send.entries()) {
        const room = isHere ? chat.room! : await chat.directRoom(this.options.to!);
        chat.sendFile(room, { path: file, words: i === 0 ? message ?? "" : "" });
      }
      return chat.quitWhenQuiet();
    }
    if (message !== null) {
      await this.#say(message);
      return chat.quitWhenQuiet();
    }
    for await (const line of view.lines()) {
      // A program writes before the room is entered: its lines wait until then.
      if (!view.interactive) await chat.whenEntered;
      if (chat.isOver) {
        if (typeof line === "object" && "texts" in line) line.discardCopy?.();
        return;
      }
      const taken = this.#take(line);
      // A person goes on at once: whoever waits for an answer, or for the room to come back, may still leave.
      const isPaste = typeof line === "object" && "texts" in line && !chat.isResuming;
      if (view.interactive && !isPaste) taken.catch(this.failed);
      else await taken;
    }
    if (!listen || view.interactive) this.#leave();
  }

  /** A person who has pressed Ctrl+D goes; a program goes once everything is stored. */
  #leave(): void {
    if (this.view.interactive) this.chat.quit();
    else this.chat.quitWhenQuiet();
  }

  async #take(entered: Entered): Promise<void> {
    if (entered instanceof ChatError) return this.chat.lineLost();
    if (typeof entered === "string") return void await this.#line(entered);
    if ("line" in entered) return entered.taken(await this.#line(entered.line, entered));
    if ("wish" in entered) return this.#wish(entered);
    await this.#said(entered);
    entered.taken?.();
  }

  /** Says a line where lines go. @returns its id in hex, if it is said */
  async #say(text: string, typed: Mark = {}): Promise<string[]> {
    const { chat, options: { to } } = this;
    const { msgId, room } = typed;
    if (to !== null) {
      await chat.whenEntered;
      return chat.isOver ? [] : [await chat.tell(to, text, { msgId })];
    }
    if (chat.isResuming && !await this.#isBack(text)) return [];
    // It was typed for the room that was on the screen then.
    if (room && chat.room && chat.room.label !== room) {
      return this.#sayThere(room, text, msgId);
    }
    const id = chat.say(text, { msgId });
    return id === null ? [] : [id];
  }

  /** Waits for the room to come back, with another holder. @returns false when it is over instead */
  async #isBack(...texts: string[]): Promise<boolean> {
    const { chat } = this;
    await chat.whenEntered;
    if (!chat.isOver) return true;
    for (const text of texts) chat.view.warning(`Not sent: ${text}`);
    return false;
  }

  #sayThere(room: string, text: string, msgId?: Bytes): string[] {
    const { chat } = this;
    try {
      return [chat.sayIn(chat.knownRoom(room), text, { msgId })];
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      chat.lineLost();
      chat.view.warning(`This was typed in ${room}, and not sent: ${text}`);
      throw error;
    }
  }

  /** A line as it was typed. @returns ids in hex of what was said */
  async #line(line: string, typed: Mark = {}): Promise<string[]> {
    const { chat } = this;
    if (chat.questions.take(line)) return [];
    const meaning = parseLine(line);
    const isGoing = meaning.kind === "quit" ||
      (meaning.kind === "command" && meaning.command.name === "quit");
    if (chat.questions.isOpen && !isGoing) {
      chat.view.warning(answerFirst);
      chat.questions.again();
      return [];
    }
    try {
      return await this.#meant(meaning, line, typed);
    } catch (error) {
      this.#warn(error);
      return [];
    }
  }

  async #meant(meaning: Meaning, line: string, typed: Mark): Promise<string[]> {
    const { chat } = this;
    switch (meaning.kind) {
      case "nothing":
        return [];
      case "quit":
        this.#leave();
        return [];
      case "maybe quit":
        if (!chat.view.interactive || this.#isMeant) {
          this.#isMeant = false;
          return await this.#say(meaning.text, typed);
        }
        this.#isMeant = true;
        chat.view.warning(
          `"${line.trim()}" was not said: EXIT or /quit leaves. Enter it once more to say it.`,
        );
        return [];
      case "say":
        return await this.#say(meaning.text, typed);
      case "command":
        return await this.#command(meaning.command, meaning.rest, typed);
      case "unknown": {
        const meant = meaning.nearest === null ? "/help lists all." : `did you mean /${meaning.nearest}?`;
        chat.lineLost();
        chat.view.warning(
          `There is no command /${meaning.word}; ${meant} Nothing was sent; a line that starts with // is said as ` +
            "it stands.",
        );
        return [];
      }
    }
  }

  async #command(command: Command, rest: string, { msgId }: Mark): Promise<string[]> {
    const { chat } = this;
    if (command.args === "" && rest !== "") {
      chat.lineLost();
      chat.view.warning(`/${command.name} takes nothing after it; nothing was done.`);
      return [];
    }
    if (command.says) {
      if (chat.isResuming && !await this.#isBack(`/${command.name} ${rest}`)) return [];
      const id = await command.says(chat, rest, { msgId });
      return id === null ? [] : [id];
    }
    // Not awaited: a command that asks a question needs the next line as its answer.
    if (chat.view.interactive) void this.#run(command, rest);
    else await command.run!(chat, rest);
    return [];
  }

  #wish({ wish, id, dir, refused }: FileWish): void {
    const { chat } = this;
    try {
      if (wish === "get") chat.getFile(id, dir === undefined ? {} : { dir: chat.pathOf(dir) });
      else chat.cancelFile(id);
    } catch (error) {
      chat.lineLost();
      if (refused && error instanceof ChatError) refused(error);
      else this.#warn(error);
    }
  }

  /** What is said as it stands, wherever it is to go. */
  async #said(entered: Said): Promise<void> {
    if (!await this.#isSaid(entered)) entered.discardCopy?.();
  }

  async #isSaid(entered: Said): Promise<boolean> {
    const { texts, msgIds, action = false, isToken, file, room, to, pending, refused } = entered;
    const { chat } = this;
    if (chat.questions.isOpen) {
      chat.view.warning('Please answer "yes" or "no" first; Ctrl+C is no. Nothing was sent.');
      chat.questions.again();
      return false;
    }
    if (chat.isResuming && !await this.#isBack(...texts)) return false;
    try {
      if (file === undefined && texts.every((text) => text.trim() === "")) {
        throw this.#refusal("There is nothing in it to be said");
      }
      // The line may have been typed for the room that is gone.
      if (to === undefined && room === undefined && chat.takeDisplaced()) {
        throw this.#refusal(`You are in ${chat.room?.label} now, and nothing was sent`);
      }
      for (const [i, text] of texts.entries()) {
        const form = { action, isToken, msgId: msgIds?.[i] };
        const person = to ?? (room === undefined ? this.options.to ?? undefined : undefined);
        const there = person === undefined ? this.#place(room) : await this.#direct(person);
        if (file !== undefined) {
          if (!there) throw this.#refusal("You are in no room yet");
          const { fileName: name, isSpooled } = entered;
          const path = chat.pathOf(file);
          const id = chat.sendFile(there, { path, name, isSpooled, words: text, msgId: msgIds?.[i] });
          pending?.(id);
          continue;
        }
        const id = there ? chat.sayIn(there, text, form) : chat.say(text, form);
        if (id !== null) pending?.(id);
      }
      return true;
    } catch (error) {
      if (refused && error instanceof ChatError) refused(error);
      else this.#warn(error);
      return false;
    }
  }

  /** The room that is meant; null before there is one. A line without a place is lost. @throws ChatError */
  #place(room: string | undefined) {
    const { chat } = this;
    try {
      return room !== undefined ? chat.knownRoom(room) : chat.room;
    } catch (error) {
      chat.lineLost();
      throw error;
    }
  }
  async #direct(person: string) {
    try {
      return await this.chat.directRoom(person);
    } catch (error) {
      this.chat.lineLost();
      throw error;
    }
  }

  async #run(command: Command, rest: string): Promise<void> {
    try {
      await command.run!(this.chat, rest);
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

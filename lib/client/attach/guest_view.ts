/** GuestView: the view of another program of this person, as a chat here shows itself on it. */

import { ChatError } from "../../errors.ts";
import type { ChatOutput, Entered } from "../chat_view.ts";
import type { KeptMessage, RoomEvent } from "../room_events.ts";
import type { Status } from "../status.ts";
import type { SpooledFile } from "./spool.ts";
import type { AttachLink, EnteredItem, FromGuest, FromHolder, GuestHello } from "./attach_messages.ts";

/** One of them. */
export class GuestView implements ChatOutput {
  readonly interactive: boolean;
  readonly holds: boolean;
  readonly isBlind: boolean;
  #secrets = new Map<number, (typed: string | null) => void>();
  #count = 0;
  #entered: Entered[] = [];
  #isInputOver = false;
  /** Nobody takes what is entered any more. */
  #isRead = false;
  #wake: () => void = () => {};

  /** @param link to it @param hello what it is like */
  constructor(private readonly link: AttachLink<FromGuest, FromHolder>, { view }: GuestHello) {
    this.interactive = view.interactive;
    this.holds = view.holds;
    this.isBlind = view.isBlind;
  }

  /** What is entered there. */
  async *lines(): AsyncGenerator<Entered> {
    try {
      for (;;) {
        const next = this.#entered.shift();
        if (next !== undefined) yield next;
        else if (this.#isInputOver) return;
        else await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      this.#isRead = true;
      this.#discardWaiting();
    }
  }

  /** What nobody takes any more needs no copy. */
  #discardWaiting(): void {
    for (const each of this.#entered.splice(0)) {
      if (typeof each === "object" && "texts" in each) each.discardCopy?.();
    }
  }

  /** A line came. @param copy of the file that goes with it */
  enter(item: EnteredItem, copy: SpooledFile | null = null): void {
    this.#enter(item, copy);
    if (this.#isRead) this.#discardWaiting();
    this.#wake();
  }

  /** A line came that cannot be taken. */
  refuse(n: number, { message, hint }: ChatError): void {
    this.link.send({ t: "refused", n, message, hint });
    this.link.send({ t: "taken", n, ids: [] });
    this.#entered.push(new ChatError(message, hint)); // it counts as one that was not sent
    this.#wake();
  }

  #enter({ n, line, said, wish, msgIds, room }: EnteredItem, copy: SpooledFile | null): void {
    const taken = (ids: readonly string[]) => this.link.send({ t: "taken", n, ids });
    if (line !== undefined) this.#entered.push({ line, msgId: msgIds[0], room, taken });
    else if (said) {
      const ids: string[] = [];
      const { file, ...words } = said;
      this.#entered.push({
        ...words,
        ...(file === undefined ? {} : {
          file: copy?.path ?? file,
          fileName: file,
          isSpooled: copy !== null,
          discardCopy: () => copy?.discard(),
        }),
        msgIds,
        pending: (id) => void ids.push(id),
        refused: ({ message, hint }) => this.link.send({ t: "refused", n, message, hint }),
        taken: () => taken(ids),
      });
    } else if (wish) {
      const refused = ({ message, hint }: ChatError) => this.link.send({ t: "refused", n, message, hint });
      this.#entered.push({ ...wish, refused });
      taken([]);
    } else this.#entered.push(new ChatError("what could not be understood"));
  }
  /** No more will come. */
  inputOver(): void {
    this.#isInputOver = true;
    this.#wake();
  }

  event(event: RoomEvent): void {
    this.link.send({ t: "event", event });
  }
  progress(text: string): void {
    this.link.send({ t: "progress", text });
  }
  notice(text: string): void {
    this.link.send({ t: "notice", text });
  }
  warning(text: string): void {
    this.link.send({ t: "warning", text });
  }
  answer(lines: readonly string[]): void {
    this.link.send({ t: "answer", lines });
  }
  recalled(title: string, lines: readonly KeptMessage[]): void {
    this.link.send({ t: "recalled", title, lines });
  }
  status(status: Status): void {
    this.link.send({ t: "status", status });
  }
  question(text: string | null): void {
    this.link.send({ t: "question", text });
  }
  secret(question: string): Promise<string | null> {
    const n = ++this.#count;
    this.link.send({ t: "secret", n, question });
    return new Promise((resolve) => this.#secrets.set(n, resolve));
  }
  /** A secret was typed there. */
  secretTyped(n: number, typed: string | null): void {
    this.#secrets.get(n)?.(typed);
    this.#secrets.delete(n);
  }
  clear(): void {
    this.link.send({ t: "clear" });
  }
  forgetTyped(): void {
    this.link.send({ t: "forget typed" });
  }
  /** It is gone. */
  gone(): void {
    for (const resolve of this.#secrets.values()) resolve(null);
    this.#secrets.clear();
    this.inputOver();
  }
}

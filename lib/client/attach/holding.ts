/**
 * Holding: the program that holds a profile. It has one chat for each server that anybody goes to with it, a seat of its
 * own, and a seat for every other program of the same person that attaches.
 */

import { encodeHex } from "../../hex.ts";
import { sleep } from "../../clock.ts";
import { ChatError, exitCodes, inWords } from "../../errors.ts";
import { hostPort } from "../../host_port.ts";
import { Chat } from "../chat.ts";
import type { ChatOptions, ChatSeams } from "../chat_options.ts";
import { completion } from "../commands/completion.ts";
import { wordsOf } from "../commands/commands.ts";
import { takeLines } from "../commands/line_entry.ts";
import { peopleHere } from "../commands/people_here.ts";
import { kept } from "../commands/recall.ts";
import type { Dial } from "../connection/dial.ts";
import type { InputHistory } from "../profile/input_history.ts";
import type { Profile } from "../profile/profile.ts";
import type { Seat } from "../seat.ts";
import {
  AttachLink,
  attachProtocol,
  type EnteredItem,
  type FromGuest,
  type FromHolder,
  type GuestHello,
} from "./attach_messages.ts";
import { CannotSend } from "../files/file_source.ts";
import { GuestView } from "./guest_view.ts";
import { isFromGuest } from "./guest_messages.ts";
import { Spool, type SpooledFile } from "./spool.ts";
import { listenAsHolder } from "./holder_file.ts";

/** What is passed in. */
export interface HoldingParts {
  /** Open, and locked by us. */
  readonly profile: Profile;
  /** Its folder. */
  readonly dir: string;
  /** What people have typed. */
  readonly typed: InputHistory;
  /** Of the program. */
  readonly version: string;
  /** Our process. */
  readonly pid: number;
  /** What chats are given. */
  readonly seams: Omit<ChatSeams, "dial" | "typed" | "servers" | "claimServer">;
  /** How a server is dialled. */
  dial(options: ChatOptions, authorities: readonly string[]): Dial;
}

interface Running {
  readonly chat: Chat;
  readonly over: Promise<void>;
}

/** One program that holds a profile. */
export class Holding {
  #chats = new Map<string, Running>();
  #links = new Set<AttachLink<FromGuest, FromHolder>>();
  #close: () => void = () => {};
  #isClosed = false;

  #spool: Spool;

  /** @param parts of it */
  constructor(private readonly parts: HoldingParts) {
    const { dir, seams: { random, clock } } = parts;
    this.#spool = new Spool(dir, random, clock);
  }

  /** Lets others attach. @param warn is told when nobody can: this program goes on alone */
  listen(warn: (text: string) => void): void {
    const { dir, version, pid } = this.parts;
    try {
      const { listener, close } = listenAsHolder(dir, { version, pid });
      this.#close = close;
      void this.#accept(listener);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      warn(`Other programs cannot work through this one: ${inWords(error)}`);
    }
  }

  async #accept(listener: Deno.UnixListener): Promise<void> {
    while (!this.#isClosed) {
      try {
        void this.#serve(new AttachLink(await listener.accept(), maxQueuedBytes));
      } catch {
        if (!this.#isClosed) {
          await sleep(this.parts.seams.clock, pauseMs);
        }
      }
    }
  }

  /** The chat at a server, begun if need be. */
  chat(options: ChatOptions, authorities: readonly string[]): Chat {
    const place = hostPort(options.host, options.port);
    const known = this.#knownAt(options);
    if (known) return known.chat;
    const { profile, typed, seams } = this.parts;
    const chat = new Chat(profile, options, {
      ...seams,
      typed,
      dial: this.parts.dial(options, authorities),
      servers: (own) => this.#servers(own),
      claimServer: (own, id) => this.#claim(own, id),
    });
    this.#chats.set(place, { chat, over: Promise.resolve() });
    return chat;
  }

  /** The chat at one of these addresses. */
  #knownAt({ host, port, others }: ChatOptions): { chat: Chat; over: Promise<void> } | undefined {
    const places = [{ host, port }, ...others].map((each) => hostPort(each.host, each.port));
    return this.#chats.values().find(({ chat }) => chat.places.some((place) => places.includes(place)));
  }

  /** Runs a chat that has its first seat. */
  run(chat: Chat): Promise<void> {
    const known = this.#chats.get(chat.place);
    const over = chat.run().finally(() => this.#chats.delete(chat.place));
    if (known) this.#chats.set(chat.place, { chat, over });
    return over;
  }

  /** Two chats of one identity at one server would push each other out. @throws ChatError */
  #claim(own: object, id: Uint8Array): void {
    for (const { chat } of this.#chats.values()) {
      if (chat === own || !chat.serverId || encodeHex(chat.serverId) !== encodeHex(id)) continue;
      throw new ChatError(
        `That is the server that you are at as ${chat.place} already`,
        `join there: -s ${chat.place.replace(/:(\d+)$/, " -p $1")}`,
      );
    }
  }

  #servers(own: object): string[] {
    return [...this.#chats.values()].map(({ chat }) =>
      `${chat.place.padEnd(30)} ${chat.isConnected ? "connected" : "not connected"}${
        chat === own ? ", this one" : ""
      }`
    );
  }

  async #serve(link: AttachLink<FromGuest, FromHolder>): Promise<void> {
    this.#links.add(link);
    const { version, profile, typed } = this.parts;
    link.send({ t: "hello", version, protocol: attachProtocol, name: profile.name, typed: typed.all });
    let guest: { seat: Seat; view: GuestView } | null = null;
    const copies = new Map<number, SpooledFile>();
    try {
      for await (const message of link.messages()) {
        if (!isFromGuest(message)) {
          // Told: a guest that only sees the end would take it for our own, and come again.
          const text = "The program that holds the profile does not understand this one";
          link.send({
            t: "fail",
            message: text,
            hint: "end it, and use the same version",
            code: exitCodes.failed,
          });
          await link.flushed();
          break;
        }
        if (message.t === "ping") link.send({ t: "pong" });
        else if (message.t === "hello") guest ??= await this.#sitDown(link, message);
        else if (message.t === "part") await this.#copy(copies, message);
        else if (message.t === "enter") await enter(guest?.view, message.item, copies);
        else if (guest) this.#take(link, guest, message);
      }
    } catch (error) {
      this.parts.seams.onBug?.(error as Error); // ends this guest, and nobody else
    } finally {
      this.#links.delete(link);
      link.close();
      for (const copy of copies.values()) copy.discard();
      guest?.view.gone();
      if (!this.#isClosed) guest?.seat.leave();
    }
  }

  async #sitDown(
    link: AttachLink<FromGuest, FromHolder>,
    hello: GuestHello,
  ): Promise<{ seat: Seat; view: GuestView } | null> {
    if (hello.version !== this.parts.version || hello.protocol !== attachProtocol) {
      link.close();
      return null;
    }
    const view = new GuestView(link, hello);
    const { options, authorities, listen, seen, room } = hello;
    const before = this.#knownAt(options);
    if (before?.chat.isOver) await before.over; // the last one there has just gone
    if (this.#isClosed) return null;
    const isNew = !this.#knownAt(options);
    const chat = this.chat(options, authorities);
    const seat = chat.seat(view, options, { seen, room });
    seat.ended.then((code) => link.send({ t: "end", code }), (error: ChatError) => {
      const { message, hint, exitCode } = error;
      link.send({ t: "fail", message, hint, code: exitCode });
    }).finally(() => link.flushed()).finally(() => link.close());
    takeLines(seat, view, { message: null, send: [], listen, to: options.to });
    if (isNew) void this.run(chat);
    else if (isOther(options, chat.options)) {
      view.notice(
        `${chat.place} is connected already, as the first program said it; --tls, passwords and tokens of this one were not used.`,
      );
    }
    return { seat, view };
  }

  #take(
    link: AttachLink<FromGuest, FromHolder>,
    { seat, view }: { seat: Seat; view: GuestView },
    message: Exclude<FromGuest, GuestHello | { t: "ping" | "part" | "enter" }>,
  ): void {
    switch (message.t) {
      case "input over":
        return view.inputOver();
      case "switch":
        return seat.conversation.switchToNumber(message.number);
      case "remember":
        return this.#remember(message.line);
      case "cancel":
        return void seat.questions.cancel();
      case "secret typed":
        return view.secretTyped(message.n, message.typed);
      case "quit":
        return seat.quit();
      case "ask": {
        const { n, about } = message;
        return link.send({ t: "reply", n, value: answerTo(message.what, about, seat.conversation) });
      }
    }
  }

  /** A part of a file that a guest sends. */
  async #copy(
    copies: Map<number, SpooledFile>,
    { n, bytes }: Extract<FromGuest, { t: "part" }>,
  ): Promise<void> {
    const copy = copies.get(n) ?? this.#spool.begin();
    copies.set(n, copy);
    await copy.add(bytes);
  }

  #remember(line: string): void {
    try {
      this.parts.typed.add(line);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error; // told at the own seat
    }
  }

  /** Ends all chats, stores everything, and lets the others take over. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const all = [...this.#chats.values()];
    for (const { chat } of all) chat.stop();
    await Promise.all(all.map(({ over }) => over));
    this.#close();
    this.parts.profile.close();
    // Only now: whoever hears that we are gone takes the lock.
    const { clock } = this.parts.seams;
    await Promise.race([
      Promise.all([...this.#links].map((link) => link.flushed())),
      sleep(clock, flushMs),
    ]);
    for (const link of this.#links) link.close();
  }
}

/** What a guest asks of its seat. */
function answerTo(
  what: Extract<FromGuest, { t: "ask" }>["what"],
  about: string | number,
  conversation: Seat["conversation"],
): unknown {
  switch (what) {
    case "complete":
      return completion(String(about), wordsOf(conversation));
    case "kept":
      return kept(conversation, Number(about));
    case "people":
      return peopleHere(conversation);
  }
}

/** A guest has entered something, with a copy of the file that goes with it, if one does. */
async function enter(
  view: GuestView | undefined,
  item: EnteredItem,
  copies: Map<number, SpooledFile>,
): Promise<void> {
  const copy = copies.get(item.n) ?? null;
  copies.delete(item.n);
  const trouble = await copy?.finish() ?? null;
  if (trouble) view?.refuse(item.n, new CannotSend(item.said?.file ?? "", trouble.message, trouble.hint));
  else if (view) view.enter(item, copy);
  else copy?.discard();
}

/** Whether it would be another connection. */
function isOther(one: ChatOptions, other: ChatOptions): boolean {
  const { password, registrationToken } = one.login;
  return one.tls !== other.tls || (password !== null && password !== other.login.password) ||
    (registrationToken !== null && registrationToken !== other.login.registrationToken);
}

const pauseMs = 50;
const flushMs = 300;
/** What may wait for a guest that does not read. */
const maxQueuedBytes = 16 * 1024 * 1024;

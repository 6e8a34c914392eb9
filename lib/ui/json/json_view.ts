/**
 * JsonView: a chat for programs: one object a line in, one object a line out, in the version of schema.json. It asks
 * nothing, and every line of its output is data.
 */

import type { KeptMessage, RoomEvent } from "../../client/room_events.ts";
import { noStatus, type Status } from "../../client/status.ts";
import type { ChatView, Entered } from "../../client/chat_view.ts";
import { ChatError } from "../../errors.ts";
import { timestamp } from "../../timestamp.ts";
import { keptLine } from "../lines.ts";
import { LineSplitter } from "../line_splitter.ts";
import { BadInput, parseInput } from "./input.ts";

/** Of schema.json; it grows with each change that a program could notice. */
const schemaVersion = 2;

/** Where lines come from and go. */
export interface JsonStreams {
  /** What the program writes. */
  readonly input: ReadableStream<Uint8Array>;
  /** What it reads. */
  out(text: string): void;
}

/** A view for programs. */
export class JsonView implements ChatView {
  readonly interactive = false;
  readonly holds = false;
  /** What was told to be pending, and the program's ref for it. */
  #pending = new Map<string, string | undefined>();
  #status: Status = noStatus;

  /** @param streams where lines come from and go @param rawTokens whether Fernet tokens are shown and taken as they are */
  constructor(private readonly streams: JsonStreams, private readonly rawTokens = false) {}

  #put(type: string, fields: Record<string, unknown>): void {
    this.streams.out(`${harmless(JSON.stringify({ v: schemaVersion, type, ...fields }))}\n`);
  }

  /** What the program says; what it should not have said is answered with `refused`. */
  async *lines(): AsyncGenerator<Entered> {
    const splitter = new LineSplitter();
    for await (const text of this.streams.input.pipeThrough(new TextDecoderStream())) {
      for (const line of splitter.feed(text)) yield* this.#line(line);
    }
    for (const line of splitter.end()) yield* this.#line(line);
  }

  *#line(line: string): Generator<Entered> {
    if (line.trim() === "") return;
    try {
      yield this.#entered(line);
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      this.#refused(error.ref, error);
      yield error;
    }
  }

  #entered(line: string): Entered {
    const input = parseInput(line);
    if (input.type === "quit") return "/quit";
    if (input.type === "command") return input.line;
    if (input.type === "get" || input.type === "cancel") {
      const { type: wish, id, ref } = input;
      const dir = input.type === "get" ? input.dir : undefined;
      return {
        wish,
        id,
        ...(dir === undefined ? {} : { dir }),
        refused: (error) => this.#refused(ref, error),
      };
    }
    const { ref } = input;
    if (input.type === "token" && !this.rawTokens) {
      throw new BadInput('"token" is for --raw-tokens', ref);
    }
    const said = input.type === "send"
      ? { texts: [input.text ?? ""], file: input.path, room: input.room, to: input.to }
      : input.type === "token"
      ? { texts: [input.token], isToken: true, room: input.room }
      : { texts: [input.text], room: input.room, to: input.to, action: input.action };
    return {
      ...said,
      pending: (msgId) => {
        this.#pending.set(msgId, ref);
        this.#put("pending", { id: msgId, ...this.#ref(msgId) });
      },
      refused: (error) => this.#refused(ref, error),
    };
  }

  #refused(ref: string | undefined, { message, hint }: ChatError): void {
    this.#put("refused", { ...(ref === undefined ? {} : { ref }), message, hint });
  }

  #ref(msgId: string): { ref?: string } {
    const ref = this.#pending.get(msgId);
    return ref === undefined ? {} : { ref };
  }

  event(event: RoomEvent): void {
    switch (event.type) {
      case "message": {
        const { room, from, fromId, own, msgId, timeMs, text, action, address, answer = false, pos } = event;
        const { readers, file } = event;
        const sent = { room, from, fromId, own, id: msgId, ...(own ? this.#ref(msgId) : {}) };
        const raw = this.rawTokens && event.token !== undefined ? { token: event.token } : {};
        const said = { time: new Date(timeMs).toISOString(), text, action, answer, address, pos };
        const who = { epoch: readers?.epoch ?? null, readers: readers?.names ?? null };
        this.#pending.delete(msgId);
        if (!file) return this.#put("message", { ...sent, ...said, ...raw, ...who });
        const { name, size, sha256, untilMs } = file;
        const told = { name, size, sha256, until: new Date(untilMs).toISOString(), words: text };
        return this.#put("file", { ...sent, time: said.time, ...told, pos, ...who });
      }
      case "failed":
      case "withdrawn": {
        const { type, msgId, ...all } = event;
        const { file: _file, ...rest } = { file: undefined, ...all };
        if (!this.#pending.has(msgId)) return;
        this.#put(type, { ...rest, id: msgId, ...this.#ref(msgId) });
        if (type === "withdrawn") this.#pending.delete(msgId);
        return;
      }
      case "entered": {
        const { type, speakers = false, ...rest } = event;
        return this.#put(type, { ...rest, speakers });
      }
      case "progress": {
        const { room, id, way, done, size } = event;
        return this.#put("progress", { room, id, way, done, size });
      }
      case "saved": {
        const { room, id, name, path, size } = event;
        return this.#put("saved", { room, id, name, path, size });
      }
      case "download failed": {
        const { room, id, why } = event;
        return this.#put("failed", { room, id, why });
      }
      case "cancelled": {
        const { room, id } = event;
        this.#pending.delete(id);
        return this.#put("cancelled", { room, id });
      }
      case "unread":
        return this.#put("unread", { room: event.room });
      case "presence": {
        const { isClaim: _isClaim, type, ...rest } = event; // it always is one
        return this.#put(type, rest);
      }
      case "pending": // told with its ref, once it is known
      case "held":
        return;
      default: {
        const { type, ...rest } = event;
        return this.#put(type, rest);
      }
    }
  }

  progress(): void {}
  notice(text: string): void {
    this.#put("notice", { room: null, text });
  }
  warning(text: string): void {
    this.#put("warning", { room: null, text });
  }
  answer(lines: readonly string[]): void {
    this.#put("answer", { lines });
  }
  recalled(_title: string, lines: readonly KeptMessage[]): void {
    this.answer(
      lines.map((line) => keptLine(line, this.#status.room, `${timestamp(line.timeMs)} `).slice(2)),
    );
  }
  status(status: Status): void {
    const told = ({ room, worry, offline, rooms }: Status) => ({
      room: room === "" ? null : room,
      worry,
      connected: offline === null,
      rooms: rooms.map(({ label }) => label),
    });
    const [before, now] = [told(this.#status), told(status)];
    this.#status = status;
    if (JSON.stringify(before) !== JSON.stringify(now)) this.#put("status", now);
  }
  question(): void {}
  secret(): Promise<null> {
    return Promise.resolve(null);
  }
  clear(): void {}
  forgetTyped(): void {}
  close(): void {}

  /** What ended it. */
  failed(error: unknown): void {
    if (!(error instanceof ChatError)) return;
    const { message, hint, exitCode } = error;
    this.#put("error", { message, hint, code: exitCode });
  }
}

const active = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|(?<=\p{M}{8})\p{M}/gu;

/** JSON that says the same and does nothing to a terminal that it is shown on. */
function harmless(json: string): string {
  return json.replace(
    active,
    (char) => char.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
  );
}

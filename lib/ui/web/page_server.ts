/**
 * PageServer: listens on 127.0.0.1 for the one page of this program: gives its files, and takes what it says over its
 * link once it has shown that it may. Of several pages one is in use: the one that came last.
 */

import type { Clock } from "../../clock.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { ChatError } from "../../errors.ts";
import { isSameSecret, PageAccess } from "./page_access.ts";
import { type FromPage, pageCloses, parseFromPage, type Snapshot, type ToPage } from "./page_messages.ts";
import { answerTo, type PageAnswer, refusal } from "./page_request.ts";

const hostname = "127.0.0.1";
/** A page shows that it may be there within so long. */
const firstMs = 5_000;
/** A body that sends nothing for so long is given up. */
const silentMs = 10_000;
const maxMessageLength = 256 * 1024;
/** Links that have not shown yet that they may be. */
const maxUnknown = 4;
/** What may wait for a page that does not read. */
const maxWaitingBytes = 16 * 1024 * 1024;

/** What a server needs of its view. */
export interface PageServerParts {
  /** 0: any that is free. */
  readonly port: number;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** All that a page shows. */
  snapshot(): Snapshot;
  /** A page says something. */
  said(message: FromPage): void;
  /** A file is dropped. @throws ChatError when it cannot be taken */
  dropped(room: string, name: string, body: AsyncIterable<Uint8Array>): Promise<void>;
  /** A page is there, or has gone. */
  connected(isThere: boolean): void;
}

interface Page {
  readonly socket: WebSocket;
  readonly secret: string;
}

/** One server. */
export class PageServer {
  #access: PageAccess;
  #server: Deno.HttpServer<Deno.NetAddr>;
  #over = new AbortController();
  #page: Page | null = null;
  /** Links that have not shown yet that they may be. */
  #unknown = new Set<WebSocket>();

  /** Listens. @throws ChatError when the port is taken */
  constructor(private readonly parts: PageServerParts) {
    this.#access = new PageAccess(parts.clock, parts.random);
    try {
      this.#server = Deno.serve({
        hostname,
        port: parts.port,
        signal: this.#over.signal,
        onListen() {},
        onError: () => refusal(this.host, 500, "The program has a fault"),
      }, (request) => this.#answer(request));
    } catch (error) {
      throw new ChatError(
        `Cannot serve the page on port ${parts.port}: ${
          error instanceof Deno.errors.AddrInUse ? "something else listens there" : (error as Error).message
        }`,
        "give another one with --web=PORT, or none",
      );
    }
  }

  /** As `127.0.0.1:PORT`. */
  get host(): string {
    return `${hostname}:${this.#server.addr.port}`;
  }

  /** A link for one page, once. */
  newLink(): string {
    return `http://${this.host}/#${this.#access.newLink()}`;
  }

  /** Tells the page that is in use. */
  send(message: ToPage): void {
    if (this.#page) this.#sendTo(this.#page.socket, message);
  }

  #sendTo(socket: WebSocket, message: ToPage): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    // It comes again, and is told everything anew.
    if (socket.bufferedAmount > maxWaitingBytes) return socket.close(pageCloses.notUnderstood, "too slow");
    socket.send(JSON.stringify(message));
  }

  /** Ends it. @param why is told to the page */
  async close(why: string): Promise<void> {
    const sockets = [...this.#unknown, ...this.#page ? [this.#page.socket] : []];
    this.#page = null;
    await Promise.all(sockets.map((socket) => this.#closed(socket, why)));
    this.#over.abort();
    await this.#server.finished;
  }

  /** Resolves when the page has heard of it, or does not answer. */
  #closed(socket: WebSocket, why: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.addEventListener("close", () => resolve());
    this.parts.clock.after(500, resolve);
    if (socket.readyState === WebSocket.CLOSED) resolve();
    else socket.close(pageCloses.ended, cut(why));
    return promise;
  }

  #answer(request: Request): Response | Promise<Response> {
    const answer = answerTo(request, this.host);
    switch (answer.kind) {
      case "answer":
        return answer.response;
      case "link":
        return this.#link(request);
      case "file":
        return this.#file(request, answer);
    }
  }

  // ---- the link

  #link(request: Request): Response {
    // Whoever runs on this machine can come so far; each may hold what the runtime takes for one message.
    if (this.#unknown.size >= maxUnknown) return refusal(this.host, 503, "Too many links that say nothing");
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 15 });
    this.#unknown.add(socket);
    const cancel = this.parts.clock.after(firstMs, () => socket.close(pageCloses.notUnderstood, "too late"));
    socket.onmessage = ({ data }) => {
      const message = typeof data === "string" && data.length <= maxMessageLength
        ? parseFromPage(data)
        : null;
      if (!message) return socket.close(pageCloses.notUnderstood, "not understood");
      if (!this.#unknown.has(socket)) return this.#said(socket, message);
      cancel();
      this.#unknown.delete(socket);
      this.#letIn(socket, message);
    };
    socket.onerror = () => {}; // its close follows
    socket.onclose = () => {
      cancel();
      this.#unknown.delete(socket);
      if (this.#page?.socket !== socket) return;
      this.#page = null;
      this.parts.connected(false);
    };
    return response;
  }

  #letIn(socket: WebSocket, message: FromPage): void {
    const secret = message.type === "link"
      ? this.#access.use(message.token)
      : message.type === "again" && this.#access.knows(message.secret)
      ? message.secret
      : null;
    if (secret === null) return socket.close(pageCloses.badLink, "this link is not good any more");
    const before = this.#page;
    const isAnother = before !== null && !isSameSecret(before.secret, secret);
    if (isAnother && message.type === "again" && !message.takeOver) {
      return socket.close(pageCloses.anotherPage, "another page is in use");
    }
    this.#page = { socket, secret };
    before?.socket.close(pageCloses.anotherPage, "another page is in use");
    this.#sendTo(socket, { type: "in", secret, all: this.parts.snapshot() });
    this.parts.connected(true);
  }

  #said(socket: WebSocket, message: FromPage): void {
    if (this.#page?.socket === socket) this.parts.said(message);
  }

  // ---- files

  async #file(
    request: Request,
    { secret, room, name }: Extract<PageAnswer, { kind: "file" }>,
  ): Promise<Response> {
    const refused = async (status: number, text: string) => {
      await request.body?.cancel().catch(() => {});
      return refusal(this.host, status, text);
    };
    if (!this.#access.knows(secret)) return await refused(403, "The page is not known");
    const inUse = this.#page;
    if (!inUse || !isSameSecret(secret, inUse.secret)) return await refused(403, "Another page is in use");
    if (!request.body) return await refused(400, "A file has a body");
    try {
      await this.parts.dropped(room, name, this.#timed(request.body));
      return refusal(this.host, 202, "Taken");
    } catch (error) {
      if (error instanceof ChatError) return await refused(400, error.message);
      return await refused(400, "The file did not come whole");
    }
  }

  /** What comes, as long as something does. */
  async *#timed(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    const reader = body.getReader();
    try {
      for (;;) {
        const { promise, reject } = Promise.withResolvers<never>();
        const cancel = this.parts.clock.after(
          silentMs,
          () => reject(new ChatError("The file did not come in time", "")),
        );
        try {
          const { done, value } = await Promise.race([reader.read(), promise]);
          if (done) return;
          yield value;
        } finally {
          cancel();
        }
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
  }
}

/** A reason for closing has 123 bytes at most (RFC 6455 §5.5). */
function cut(text: string): string {
  let short = text;
  while (new TextEncoder().encode(short).length > 123) short = short.slice(0, -1);
  return short;
}

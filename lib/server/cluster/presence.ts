/**
 * Presence: who is linked to which server, told by each of them every five seconds and at changes, and forgotten after
 * fifteen; and what operators and sign-ins ask of other servers. It goes over core NATS: what gets lost is told again, and
 * nothing rests on it that must last.
 */

import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { equals } from "@std/bytes/equals";
import { decodeHex } from "@std/encoding/hex";
import { type Clock, sleep } from "../../clock.ts";
import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { OtherLink, Others, OtherServer, OthersHost, OwnLink } from "../others.ts";
import { subjects } from "./nats_names.ts";
import type { Standing } from "./standing.ts";

const tellMs = 5_000;
const forgetMs = 15_000;
/** Longer than a server waits for its client's sign of life. */
const askMs = 4_000;
/** Characters of links in one message, so that it stays far below what NATS takes. */
const mostCharacters = 300_000;

/** What fits into one message each. */
function* parts<T>(all: readonly T[]): Iterable<T[]> {
  let some: T[] = [], size = 0;
  for (const each of all) {
    const length = JSON.stringify(each).length;
    if (some.length > 0 && size + length > mostCharacters) {
      yield some;
      [some, size] = [[], 0];
    }
    some.push(each);
    size += length;
  }
  if (some.length > 0) yield some;
}

/** What one server tells. */
interface Here {
  /** Its name for people. */
  readonly name: string;
  readonly kind: "here" | "changed" | "bye";
  readonly links:
    readonly (readonly [id: string, claim: string, address: string, rooms: readonly string[]])[];
  /** With `changed`: no longer linked there. */
  readonly gone: readonly string[];
  readonly linked: number;
  readonly messages: number;
  readonly seq: number;
  readonly digest: string;
}

/** What one server asks all others to do. */
type Command =
  | { readonly kind: "put out"; readonly by: "identity" | "account"; readonly what: string }
  | { readonly kind: "notice"; readonly text: string };

/** What presence needs. */
export interface PresenceParts {
  /** The way to the others. */
  readonly connection: NatsConnection;
  /** 16 bytes of this run. */
  readonly run: Bytes;
  /** This server's name for people: where it can be reached. */
  readonly name: string;
  /** Time. */
  readonly clock: Clock;
  /** How far this server has come. */
  standing(): Standing;
  /** Another says how far it has come. */
  heard(run: Bytes, standing: Standing): void;
  /** A fault of ours. */
  fault(error: unknown): void;
}

function toldOf({ id, claim, address, rooms }: OwnLink): Here["links"][number] {
  return [encodeHex(id), encodeHex(claim), address, rooms];
}

interface Known {
  readonly run: string;
  seenMs: number;
  server: OtherServer;
  readonly links: Map<string, OtherLink & { readonly seenMs: number }>;
}

/** See above. */
export class Presence implements Others {
  readonly isAlone = false;
  #host: OthersHost | null = null;
  #known = new Map<string, Known>();
  #cancelTell: () => void = () => {};
  #changed = new Set<string>();
  #isTellDue = false;
  readonly #own: string;

  /** @param parts of it */
  constructor(private readonly parts: PresenceParts) {
    this.#own = encodeHex(parts.run);
  }

  begin(host: OthersHost): void {
    this.#host = host;
    const { connection } = this.parts;
    this.#each(`${subjects.here}.*`, (message) => {
      const run = message.subject.slice(subjects.here.length + 1);
      if (run !== this.#own) this.#hear(run, message.json<Here>());
    });
    this.#each(subjects.command, (message) => this.#do(message.json<Command & { readonly from: string }>()));
    this.#each(`${subjects.ask}.${this.#own}`, (message) => {
      void host.answers(message.string()).then((isAlive) => {
        if (!connection.isClosed()) message.respond(isAlive ? "yes" : "no");
      });
    });
    void connection.flush().then(() => this.#tell(), () => {});
    const again = () => {
      this.#cancelTell = this.parts.clock.after(tellMs, again);
      this.#tell();
      this.#forget();
    };
    this.#cancelTell = this.parts.clock.after(tellMs, again);
  }

  /** Hands over what comes; what cannot be read is a fault of ours, or of a version that has gone another way. */
  #each(subject: string, act: (message: Msg) => void): void {
    const subscription = this.parts.connection.subscribe(subject);
    const run = async () => {
      for await (const message of subscription) {
        try {
          act(message);
        } catch (error) {
          this.parts.fault(error);
        }
      }
    };
    run().catch((error) => this.parts.fault(error));
  }

  #publish(subject: string, value: unknown): void {
    const { connection } = this.parts;
    if (!connection.isClosed()) connection.publish(subject, JSON.stringify(value));
  }

  // ---- telling

  changed(key: string): void {
    this.#changed.add(key);
    if (this.#isTellDue) return;
    this.#isTellDue = true;
    queueMicrotask(() => {
      this.#isTellDue = false;
      this.#tellChanges();
    });
  }

  #tellChanges(): void {
    const keys = [...this.#changed];
    this.#changed.clear();
    const links = keys.map((key) => this.#host!.ownLink(key)).filter((link) => link !== undefined);
    const gone = keys.filter((key) => !this.#host!.ownLink(key));
    for (const some of parts(links.map(toldOf))) this.#say("changed", some, []);
    for (const some of parts(gone)) this.#say("changed", [], some);
  }

  #tell(): void {
    if (!this.#host) return;
    const links = [...this.#host.ownLinks()].map(toldOf);
    if (links.length === 0) return this.#say("here", [], []);
    for (const some of parts(links)) this.#say("here", some, []);
  }

  #say(kind: Here["kind"], links: Here["links"], gone: readonly string[]): void {
    const { name, standing } = this.parts;
    const { seq, digest } = standing();
    const { linked, messages } = this.#host!;
    const here: Here = { name, kind, links, gone, linked, messages, seq, digest: encodeHex(digest) };
    this.#publish(`${subjects.here}.${this.#own}`, here);
  }

  // ---- hearing

  #hear(run: string, { name, kind, links, gone, linked, messages, seq, digest }: Here): void {
    this.parts.heard(decodeHex(run), { seq, digest: decodeHex(digest) });
    if (kind === "bye") return this.#forgetServer(run);
    const seenMs = this.parts.clock.now();
    const isNew = !this.#known.has(run);
    const known = this.#known.get(run) ??
      { run, seenMs, server: { name, linked, messages, applied: seq }, links: new Map() };
    this.#known.set(run, known);
    known.seenMs = seenMs;
    known.server = { name, linked, messages, applied: seq };
    for (const [key, claim, address, rooms] of links) {
      this.#change(
        key,
        () =>
          known.links.set(key, {
            id: decodeHex(key),
            claim: decodeHex(claim),
            address,
            rooms,
            server: name,
            seenMs,
          }),
      );
    }
    for (const key of gone) this.#change(key, () => known.links.delete(key));
    if (isNew) this.#tell(); // who has just come knows of nobody
  }

  /** Servers that were not heard of, and links that they have not told again. */
  #forget(): void {
    const before = this.parts.clock.now() - forgetMs;
    for (const { run, seenMs, links } of this.#known.values()) {
      if (seenMs < before) this.#forgetServer(run);
      else {
        for (const [key, link] of links) if (link.seenMs < before) this.#change(key, () => links.delete(key));
      }
    }
  }

  #forgetServer(run: string): void {
    const known = this.#known.get(run);
    if (!known) return;
    for (const key of [...known.links.keys()]) this.#change(key, () => known.links.delete(key));
    this.#known.delete(run);
  }

  #change(key: string, act: () => void): void {
    const before = this.linkOf(key);
    act();
    const now = this.linkOf(key);
    if (before === now) return;
    this.#host!.changedElsewhere((now ?? before)!.id, before, now);
  }

  linkOf(key: string): OtherLink | undefined {
    let newest: (OtherLink & { seenMs: number }) | undefined;
    for (const { links } of this.#known.values()) {
      const link = links.get(key);
      if (link && (!newest || link.seenMs > newest.seenMs)) newest = link;
    }
    return newest;
  }
  hasLink(key: string, claim: Bytes): boolean {
    return this.#known.values().some(({ links }) => {
      const link = links.get(key);
      return link !== undefined && equals(link.claim, claim);
    });
  }
  *links(): Iterable<OtherLink> {
    for (const { links } of this.#known.values()) yield* links.values();
  }
  servers(): readonly OtherServer[] {
    return [...this.#known.values()].map(({ server }) => server).toSorted((a, b) => a.name < b.name ? -1 : 1);
  }

  // ---- commands

  putOut(by: "identity" | "account", what: string): void {
    this.#publish(subjects.command, { kind: "put out", by, what, from: this.#own });
  }
  notice(text: string): void {
    this.#publish(subjects.command, { kind: "notice", text, from: this.#own });
  }
  #do(command: Command & { readonly from: string }): void {
    if (command.from === this.#own) return;
    if (command.kind === "put out") this.#host!.putOut(command.by, command.what);
    else if (command.kind === "notice") this.#host!.notice(command.text);
  }

  async answers(key: string): Promise<boolean> {
    const runs = [...this.#known.values()].filter(({ links }) => links.has(key)).map(({ run }) => run);
    const asked = runs.map(async (run) => {
      try {
        const answer = await this.parts.connection.request(`${subjects.ask}.${run}`, key, { timeout: askMs });
        return answer.string() === "yes";
      } catch {
        return false; // gone, or cut off
      }
    });
    return (await Promise.all(asked)).includes(true);
  }

  /** Says goodbye: nobody is here any more. */
  async close(): Promise<void> {
    this.#cancelTell();
    if (!this.#host || this.parts.connection.isClosed()) return;
    this.#say("bye", [], []);
    const patience = new AbortController();
    await Promise.race([
      this.parts.connection.flush().catch(() => {}),
      sleep(this.parts.clock, 500, patience.signal),
    ]);
    patience.abort();
  }
}

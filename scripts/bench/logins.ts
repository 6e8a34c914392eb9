/**
 * Logins: people with accounts on the server (SQLite), each a handshake and a password, which the server checks with
 * Argon2id (RFC 9106) on its worker threads. Registered first; then all come anew, a few at a time.
 */

import type { LinkMessage } from "../../lib/protocol/channel/link_messages.ts";
import { LoadLink } from "./load_link.ts";
import { makePeople, type Person, shakeHands } from "./member.ts";
import { cpuMs, rssKb } from "./process_usage.ts";

/** One run. */
export interface LoginRun {
  /** For the row. */
  readonly label: string;
  /** How many people. */
  readonly people: number;
  /** How many at a time. */
  readonly atOnce: number;
  /** Of the server. */
  readonly port: number;
  /** Of the server. */
  readonly pid: number;
}

const password = new TextEncoder().encode("three words of somebody");

/** Runs it: `login label n logins/s p50_ms p99_ms srv_cpu_ms/login srv_cpu% rss_MB`. */
export async function runLogins(run: LoginRun, print: (row: string) => void): Promise<void> {
  const people = await makePeople(run.people, "l");
  await all(
    people,
    run,
    (person) => ({ type: "REGISTER", ref: 1, name: nameOf(person), password, token: none }),
  );
  const cpu = cpuMs(run.pid), began = performance.now();
  const latencies = await all(
    people,
    run,
    (person) => ({ type: "LOGIN", ref: 1, name: nameOf(person), password }),
  );
  const seconds = (performance.now() - began) / 1000, serverMs = cpuMs(run.pid) - cpu;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)].toFixed(0);
  print(
    `login ${run.label} ${run.people} ${(run.people / seconds).toFixed(1)} ${at(0.5)} ${at(0.99)} ` +
      `${(serverMs / run.people).toFixed(1)} ${(serverMs / seconds / 10).toFixed(0)} ${
        (rssKb(run.pid) / 1024).toFixed(0)
      }`,
  );
}

const none = new Uint8Array(0);

function nameOf({ name }: Person): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(name);
}

/** @returns how long each took, handshake included, in milliseconds */
async function all(
  people: readonly Person[],
  { port, atOnce }: LoginRun,
  asks: (person: Person) => LinkMessage,
): Promise<number[]> {
  const latencies: number[] = [];
  const waiting = [...people];
  const worker = async () => {
    for (let person = waiting.pop(); person; person = waiting.pop()) {
      const began = performance.now();
      const link = await accepted(person, port, asks(person));
      latencies.push(performance.now() - began);
      link.close();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return latencies;
}

async function accepted(person: Person, port: number, asked: LinkMessage): Promise<LoadLink> {
  const link = new LoadLink(await shakeHands(person, port));
  const { promise, resolve, reject } = Promise.withResolvers<LoadLink>();
  link.onMessage = (message) => {
    if (message.type === "WELCOME") link.say(asked);
    if (message.type === "ACCEPTED") resolve(link);
    if (message.type === "ERROR") reject(new Error(`refused with code ${message.code}`));
  };
  void link.run().then(() => reject(new Error(`the server closed the link of ${person.name}`)));
  link.say({ type: "HELLO", runId: new Uint8Array(16), rooms: [] });
  return await promise;
}

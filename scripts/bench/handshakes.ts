/** Handshakes: a steady stream of them, and a storm in which everybody comes within one second. */

import { LoadLink } from "./load_link.ts";
import { makePeople, type Person, shakeHands } from "./member.ts";
import { cpuMs } from "./process_usage.ts";

/** One run. */
export interface HandshakeRun {
  /** For the row: `shake` or `storm`. */
  readonly kind: string;
  /** For the row. */
  readonly label: string;
  /** How many people. */
  readonly people: number;
  /** How many at a time; null: all of them begin within one second. */
  readonly atOnce: number | null;
  /** Of the server. */
  readonly port: number;
  /** Of the server. */
  readonly pid: number;
}

/** Runs it: `kind label n handshakes/s p50_ms p99_ms srv_cpu_ms/handshake srv_cpu% gen_cpu% failed`. */
export async function runHandshakes(run: HandshakeRun, print: (row: string) => void): Promise<void> {
  const people = await makePeople(
    run.people,
    run.kind.slice(0, 1) + Math.floor(Math.random() * 1e6).toString(36),
  );
  const cpu = cpuMs(run.pid), own = cpuMs(Deno.pid), began = performance.now();
  const latencies: number[] = [];
  let failed = 0;
  const one = async (person: Person) => {
    const start = performance.now();
    try {
      await enter(person, run.port);
      latencies.push(performance.now() - start);
    } catch {
      failed++;
    }
  };
  if (run.atOnce === null) {
    await Promise.all(people.map(async (person, i) => {
      await new Promise((resolve) => setTimeout(resolve, i * 1000 / people.length));
      await one(person);
    }));
  } else {
    const waiting = [...people];
    const worker = async () => {
      for (let person = waiting.pop(); person; person = waiting.pop()) await one(person);
    };
    await Promise.all(Array.from({ length: run.atOnce }, worker));
  }
  const seconds = (performance.now() - began) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => (latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(0);
  const serverMs = cpuMs(run.pid) - cpu, ownMs = cpuMs(Deno.pid) - own;
  print(
    `${run.kind} ${run.label} ${run.people} ${(latencies.length / seconds).toFixed(0)} ${at(0.5)} ${
      at(0.99)
    } ` +
      `${(serverMs / run.people).toFixed(2)} ${(serverMs / seconds / 10).toFixed(0)} ` +
      `${(ownMs / seconds / 10).toFixed(0)} ${failed}`,
  );
}

/** Handshake and WELCOME; the link stays. */
export async function enter(person: Person, port: number): Promise<LoadLink> {
  const link = new LoadLink(await shakeHands(person, port));
  const welcomed = new Promise<void>((resolve, reject) => {
    link.onMessage = (message) => {
      if (message.type === "WELCOME") resolve();
      if (message.type === "CLOSE") reject(new Error(`closed with reason ${message.reason}`));
    };
    void link.run().then(() => reject(new Error("cut")));
  });
  link.say({ type: "HELLO", runId: new Uint8Array(16), rooms: [] });
  await welcomed;
  return link;
}

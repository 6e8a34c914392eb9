/**
 * BigLogs: a server with many stored messages: how soon it takes the first link, how long anybody waits while it tidies
 * up and while people talk, and what a message takes on the disk.
 */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { encodeMessage } from "../../lib/protocol/channel/link_messages.ts";
import { SqliteStore } from "../../lib/server/store/sqlite.ts";
import { LoadLink } from "./load_link.ts";
import { makePeople, nowSeconds, type Person, shakeHands } from "./member.ts";
import { RoomOfLoad } from "./room_of_load.ts";
import { ServerProcess } from "./server_process.ts";

const entryBytes = 545;
const keptSeconds = 30 * 86_400;
const pingEveryMs = 2;
const watchedMs = 10_000;
/** Messages on their way while people talk: few, so that it is the server that is waited for. */
const atOnce = 4;

/** Rows `logs label messages rooms start_ms welcome_ms worst_ms p99_ms worst_talk_ms p99_talk_ms disk/entry`. */
export async function measureBigLogs(
  executables: readonly { readonly label: string; readonly executable: string }[],
  sizes: readonly number[],
): Promise<string[]> {
  const rows: string[] = [];
  const people = await makePeople(3, "big");
  for (const messages of sizes) {
    for (const rooms of messages >= 5000 ? [1, 5000] : [1]) {
      for (const { label, executable } of executables) {
        const dir = await Deno.makeTempDir({ prefix: "chat-bench-" });
        try {
          const disk = await fillRooms(executable, dir, messages, rooms);
          const row = `logs ${label} ${messages} ${rooms} ${await measure(executable, dir, people)} ${disk}`;
          console.error(row);
          rows.push(row);
        } finally {
          await Deno.remove(dir, { recursive: true });
        }
      }
    }
  }
  return rows;
}

/** Messages of the last 31 days: those of the first are to be forgotten. @returns disk bytes per byte of entry */
export async function fillRooms(
  executable: string,
  dir: string,
  messages: number,
  rooms: number,
): Promise<string> {
  const server = await ServerProcess.start({ executable, dir }); // makes the files as its version has them
  await server.stop();
  const path = `${dir}/rooms.db`;
  const before = Deno.statSync(path).size;
  const store = new SqliteStore(path, systemRandom);
  const people = Array.from({ length: 20 }, () => systemRandom(32));
  const ids = Array.from({ length: rooms }, () => systemRandom(32));
  const began = nowSeconds() - keptSeconds - 86_400;
  for (const id of ids) store.createRoom({ id, kind: 2, name: "", maker: people[0] }, null);
  store.flush();
  const each = Math.floor(messages / rooms);
  for (let pos = 1; pos <= each; pos++) {
    for (const [i, room] of ids.entries()) {
      const digest: Bytes = systemRandom(32);
      store.append(room, {
        pos,
        time: began + Math.floor(pos / each * (keptSeconds + 86_400)),
        kind: 2,
        bytes: systemRandom(entryBytes),
        digest,
        history: digest,
        sender: people[pos % people.length],
        epoch: 0,
        n: pos,
      });
      if ((pos * rooms + i) % 50 === 0) store.flush();
    }
  }
  store.close();
  return ((Deno.statSync(path).size - before) / (each * rooms * entryBytes)).toFixed(2);
}

async function measure(executable: string, dir: string, people: readonly Person[]): Promise<string> {
  const began = performance.now();
  const server = await ServerProcess.start({ executable, dir });
  try {
    const watcher = new LoadLink(await shakeHands(people[0], server.port));
    const welcomed = Promise.withResolvers<void>();
    const waits: number[] = [];
    const sent: number[] = [];
    watcher.onMessage = ({ type }) => {
      if (type === "WELCOME") welcomed.resolve();
      if (type === "PONG") waits.push(performance.now() - sent.shift()!);
    };
    void watcher.run();
    watcher.say({ type: "HELLO", runId: new Uint8Array(16), rooms: [] });
    await welcomed.promise;
    const welcomeMs = performance.now() - began;
    const ping = encodeMessage({ type: "PING", any: 1 });
    const pinging = setInterval(() => {
      sent.push(performance.now());
      watcher.sayEncoded(ping);
    }, pingEveryMs);
    const tidying = await watch(waits);
    const room = new RoomOfLoad(people.slice(1), server.port);
    await room.login(2);
    await room.join();
    let ref = 1000;
    room.onMessage = (member, message) => {
      if (message.type === "STORED") room.speak(member, ref++);
    };
    for (let i = 0; i < atOnce; i++) room.speak(room.members[i % 2], ref++);
    const talking = await watch(waits);
    clearInterval(pinging);
    return `${server.startedInMs.toFixed(0)} ${welcomeMs.toFixed(0)} ${tidying} ${talking}`;
  } finally {
    await server.stop();
  }
}

/** @returns the longest wait, and the 99th of a hundred */
async function watch(waits: number[]): Promise<string> {
  waits.length = 0;
  await new Promise((resolve) => setTimeout(resolve, watchedMs));
  const sorted = waits.toSorted((a, b) => a - b);
  return `${sorted.at(-1)!.toFixed(1)} ${sorted[Math.floor(sorted.length * 0.99)].toFixed(1)}`;
}

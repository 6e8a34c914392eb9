/**
 * RoomStorm: people who all want into one open room at the same moment, linked already; its maker is there, with the
 * executable, and lets them in.
 */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import { equals } from "@std/bytes/equals";
import { encodeName } from "../../lib/protocol/identity/name.ts";
import { entryKinds } from "../../lib/protocol/group/history.ts";
import { makePrekey } from "../../lib/protocol/identity/prekey.ts";
import { parseCommit } from "../../lib/protocol/group/commit.ts";
import { roomKinds } from "../../lib/protocol/channel/link_messages.ts";
import { ClientHome } from "./client_process.ts";
import { enter } from "./handshakes.ts";
import type { LoadLink } from "./load_link.ts";
import { makePeople, nowSeconds, type Person } from "./member.ts";
import { cpuMs } from "./process_usage.ts";

/** One run. */
export interface RoomStormRun {
  /** For the row. */
  readonly label: string;
  /** How many people. */
  readonly people: number;
  /** The executable that lets them in. */
  readonly executable: string;
  /** Of the server. */
  readonly port: number;
  /** Of the server. */
  readonly pid: number;
}

/** Runs it: `room-storm label n ms p50_ms srv_cpu_ms cli_cpu_ms`: until the last is in, and half of them are. */
export async function runRoomStorm(run: RoomStormRun, print: (row: string) => void): Promise<void> {
  const home = await ClientHome.make(run.executable, run.port, "maker");
  const maker = home.join("--room", "storm", "--plain");
  try {
    await maker.say("here\n");
    await maker.until("here");
    const people = await makePeople(run.people, "w");
    const links: LoadLink[] = [];
    for (const person of people) links.push(await enter(person, run.port));
    const cpu = cpuMs(run.pid), own = maker.usage().cpuMs, began = performance.now();
    const took = await Promise.all(people.map(async (person, i) => {
      await comeIn(person, links[i]);
      return performance.now() - began;
    }));
    took.sort((a, b) => a - b);
    print(
      `room-storm ${run.label} ${run.people} ${took.at(-1)!.toFixed(0)} ${
        took[Math.floor(took.length / 2)].toFixed(0)
      } ` + `${cpuMs(run.pid) - cpu} ${maker.usage().cpuMs - own}`,
    );
    for (const link of links) link.close();
  } finally {
    await maker.end(true);
    await home.remove();
  }
}

async function comeIn({ identity: { id, signing } }: Person, link: LoadLink): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const isIn = (bytes: Bytes) => parseCommit(bytes).roster.some((member) => equals(member.id, id));
  link.onMessage = (message) => {
    switch (message.type) {
      case "DONE":
        if (message.ref === 1) link.say({ type: "ROOM_FIND", ref: 2, name: encodeName("storm") });
        break;
      case "ROOM_INFO":
        if (message.ref === 2) {
          link.say({ type: "JOIN", ref: 3, room: message.room, kind: roomKinds.ordinary, pos: 0 });
        }
        break;
      case "ENTRY":
        if (message.kind === entryKinds.commit && isIn(message.bytes)) resolve();
        break;
      case "ERROR":
        reject(new Error(`refused with code ${message.code}`));
    }
  };
  const prekey = await makePrekey(id, signing, 0, nowSeconds());
  link.say({ type: "PREKEY_PUT", ref: 1, prekey: prekey.published });
  await promise;
}

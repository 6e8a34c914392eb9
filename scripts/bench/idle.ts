/** Idle members: the memory that each one costs, and what it costs the server that they are there and PING. */

import { makePeople } from "./member.ts";
import { cpuMs, rssKb } from "./process_usage.ts";
import { RoomOfLoad } from "./room_of_load.ts";

/** One run. */
export interface IdleRun {
  /** For the row. */
  readonly label: string;
  /** How many. */
  readonly members: number;
  /** How long they idle. */
  readonly seconds: number;
  /** Of the server. */
  readonly port: number;
  /** Of the server. */
  readonly pid: number;
}

/** Runs it: `idle label n rss0_kB rss_kB kB/member cpu%`, memory at the end of the idle time. */
export async function runIdle(run: IdleRun, print: (row: string) => void): Promise<void> {
  const room = new RoomOfLoad(await makePeople(run.members, "i"), run.port);
  const rss0 = rssKb(run.pid);
  await room.login(8);
  await room.join();
  room.keepAlive();
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const cpu = cpuMs(run.pid);
  await new Promise((resolve) => setTimeout(resolve, run.seconds * 1000));
  const used = (cpuMs(run.pid) - cpu) / run.seconds / 10;
  const rss = rssKb(run.pid);
  print(
    `idle ${run.label} ${run.members} ${rss0} ${rss} ${((rss - rss0) / run.members).toFixed(1)} ${
      used.toFixed(1)
    }`,
  );
}

/** OwnEntry: what it costs to come in by oneself, with the executable, to a room of N where nobody is. */

import { makePeople } from "./member.ts";
import { cpuMs } from "./process_usage.ts";
import { RoomOfLoad } from "./room_of_load.ts";

/** One run. */
export interface OwnEntryRun {
  /** For the row. */
  readonly label: string;
  /** How many are in the room; at most 255. */
  readonly members: number;
  /** The executable that comes in. */
  readonly executable: string;
  /** Of the server. */
  readonly port: number;
  /** Of the server. */
  readonly pid: number;
}

/** Runs it: `entry label n ms cli_cpu_ms srv_cpu_ms`, from the start of `join -m` to its end, the line stored. */
export async function runOwnEntry(run: OwnEntryRun, print: (row: string) => void): Promise<void> {
  const room = new RoomOfLoad(await makePeople(run.members, "o"), run.port);
  await room.login(8);
  await room.join();
  room.onEnd = () => {};
  room.close();
  const home = await Deno.makeTempDir({ prefix: "chat-bench-" });
  try {
    const command = (...args: string[]) =>
      new Deno.Command(run.executable, {
        args: [...args, "--home", home],
        stdout: "null",
        stderr: "inherit",
      });
    await command("keygen", "-u", "new", "--no-passphrase").output();
    const [cpu, began] = [cpuMs(run.pid), performance.now()];
    const join = ["join", "-u", "new", "-p", String(run.port), "--room", room.name, "-m", "hello"];
    const child = command(...join).spawn();
    let ownCpu = 0;
    // What a process has used is gone with it: it is looked at until then.
    const look = setInterval(() => {
      try {
        ownCpu = cpuMs(child.pid);
      } catch {
        // Over.
      }
    }, 20);
    const { code } = await child.status;
    clearInterval(look);
    const ms = performance.now() - began;
    if (code !== 0) throw new Error(`the newcomer ended with exit code ${code}`);
    print(
      `entry ${run.label} ${run.members} ${ms.toFixed(0)} ${ownCpu} ${cpuMs(run.pid) - cpu}`,
    );
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

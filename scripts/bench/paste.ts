/** Paste: what a line costs the client of somebody who pastes many, by the executable: CPU and bytes that it writes. */

import { ClientHome } from "./client_process.ts";
import { makePeople } from "./member.ts";
import { RoomOfLoad } from "./room_of_load.ts";

/** One run. */
export interface PasteRun {
  /** For the row. */
  readonly label: string;
  /** How many lines; each is pasted into a room and by a person of its own. */
  readonly lines: readonly number[];
  /** The executable that pastes. */
  readonly executable: string;
  /** Of the server. */
  readonly port: number;
}

const text =
  "what is said here has about as many characters as a line of a log file usually has, or of a program";

/** Runs it: `paste label lines ms/line cpu_ms/line kB/line`, from the first line until the last is stored. */
export async function runPaste(run: PasteRun, print: (row: string) => void): Promise<void> {
  for (const lines of run.lines) print(await paste(run, lines));
}

async function paste({ label, executable, port }: PasteRun, lines: number): Promise<string> {
  const room = new RoomOfLoad(await makePeople(5, `p${lines}x`), port);
  await room.login(5);
  await room.join();
  room.onEnd = () => {};
  room.close();
  const home = await ClientHome.make(executable, port, `p${room.name}`);
  try {
    const client = home.join("--room", room.name, "--plain");
    await client.say("first line\n");
    await client.until("first line");
    const [before, began] = [client.usage(), performance.now()];
    await client.say(Array.from({ length: lines }, (_, i) => `${i} ${text}\n`).join("") + "last line\n");
    await client.until("last line");
    const ms = performance.now() - began;
    const after = client.usage();
    await client.end();
    const per = (n: number, digits: number) => (n / lines).toFixed(digits);
    const cpu = after.cpuMs - before.cpuMs, written = after.writtenBytes - before.writtenBytes;
    return `paste ${label} ${lines} ${per(ms, 2)} ${per(cpu, 2)} ${per(written / 1000, 1)}`;
  } finally {
    await home.remove();
  }
}

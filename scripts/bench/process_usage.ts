/**
 * What the operating system says a process has used: /proc on Linux, which counts all of its threads. Read by `cat`:
 * the runtime lets a program read there only with every permission.
 */

const tickMs = 10; // USER_HZ is 100 on every Linux that Deno runs on

/** CPU time of a process so far, in milliseconds, user and system. @throws when it is gone */
export function cpuMs(pid: number): number {
  const fields = read(`/proc/${pid}/stat`).split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/** Resident memory of a process in kB. @throws when it is gone */
export function rssKb(pid: number): number {
  const line = read(`/proc/${pid}/status`).split("\n").find((l) => l.startsWith("VmRSS:"))!;
  return Number(/\d+/.exec(line)![0]);
}

/** The most resident memory that a process has had, in kB. @throws when it is gone */
export function peakRssKb(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))![1]);
}

/** Bytes that a process has handed to the system to write so far, pipes and sockets among them. @throws when it is gone */
export function writtenBytes(pid: number): number {
  return Number(/^wchar: (\d+)$/m.exec(read(`/proc/${pid}/io`))![1]);
}

function read(path: string): string {
  const { success, stdout } = new Deno.Command("cat", { args: [path], stderr: "null" }).outputSync();
  if (!success) throw new Error(`"${path}" is gone`);
  return new TextDecoder().decode(stdout);
}

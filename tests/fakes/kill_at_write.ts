/**
 * Runs the program, and kills it with SIGKILL at the write point that KILL_AT names: before and after each file
 * operation, and in the middle of each write. With KILL_AT=0 it runs to its end and writes the number of points to
 * the file that KILL_COUNT names.
 */

const at = Number(Deno.env.get("KILL_AT") ?? 0);
const countFile = Deno.env.get("KILL_COUNT");
let points = 0;

function point(): void {
  if (++points === at) Deno.kill(Deno.pid, "SIGKILL");
}

function around<Args extends unknown[], Result>(act: (...args: Args) => Result): (...args: Args) => Result {
  return (...args) => {
    point();
    const result = act(...args);
    point();
    return result;
  };
}

function aroundAsync<Args extends unknown[], Result>(act: (...args: Args) => Promise<Result>) {
  return async (...args: Args): Promise<Result> => {
    point();
    const result = await act(...args);
    point();
    return result;
  };
}

/** What files of people and sealed chunks are written by. */
function killAround(file: Deno.FsFile): void {
  const write = file.write.bind(file);
  file.write = async (bytes) => {
    const half = bytes.length >> 1;
    const done = half > 0 ? await write(bytes.subarray(0, half)) : 0;
    point();
    return done + await write(bytes.subarray(done));
  };
  file.sync = aroundAsync(file.sync.bind(file));
  file.syncData = aroundAsync(file.syncData.bind(file));
  file.truncate = aroundAsync(file.truncate.bind(file));
}

Deno.linkSync = around(Deno.linkSync);
Deno.remove = aroundAsync(Deno.remove);
const { openSync } = Deno;
const write = Deno.writeTextFileSync;
Deno.renameSync = around(Deno.renameSync);
Deno.removeSync = around(Deno.removeSync);
Deno.openSync = (path, options) => {
  const file = openSync(path, options);
  if (!options?.write && !options?.append) return file;
  point();
  const writeSync = file.writeSync.bind(file);
  file.writeSync = (bytes) => {
    const half = bytes.length >> 1;
    const done = half > 0 ? writeSync(bytes.subarray(0, half)) : 0;
    point();
    return done + writeSync(bytes.subarray(done));
  };
  killAround(file);
  file.syncSync = around(file.syncSync.bind(file));
  file.syncDataSync = around(file.syncDataSync.bind(file));
  return file;
};
globalThis.addEventListener("unload", () => {
  if (countFile) write(countFile, String(points));
});

await import("../../main.ts");

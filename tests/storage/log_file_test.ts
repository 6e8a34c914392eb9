import { test } from "../fakes/test.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { ChatError } from "../../lib/errors.ts";
import { LogFile } from "../../lib/storage/log_file.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const lost = (n: number) => `lost ${n}\n`;

function withLog(act: (log: LogFile, path: string, clock: FakeClock) => void): void {
  const dir = Deno.makeTempDirSync();
  const clock = new FakeClock();
  const path = join(dir, "chat.log");
  const log = new LogFile(path, clock);
  try {
    act(log, path, clock);
  } finally {
    log.close();
    Deno.removeSync(dir, { recursive: true });
  }
}

test("a log is 0600 and is added to", () =>
  withLog((log, path) => {
    log.write("one\n", lost);
    log.write("two\n", lost);
    assertEquals(Deno.readTextFileSync(path), "one\ntwo\n");
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
  }));
test("a log that was moved away is made anew within a second; what was moved keeps its lines", () =>
  withLog((log, path, clock) => {
    log.write("one\n", lost);
    Deno.renameSync(path, `${path}.1`);
    log.write("two\n", lost);
    clock.advance(1000);
    log.write("three\n", lost);
    assertEquals([Deno.readTextFileSync(`${path}.1`), Deno.readTextFileSync(path)], [
      "one\ntwo\n",
      "three\n",
    ]);
  }));
test("a log that was removed, with its folder, costs lines and says how many", () =>
  withLog((log, path, clock) => {
    const dir = join(path, "..");
    Deno.removeSync(dir, { recursive: true });
    clock.advance(1000);
    log.write("one\n", lost);
    log.write("two\n", lost);
    Deno.mkdirSync(dir);
    clock.advance(1000);
    log.write("three\n", lost);
    assertEquals(Deno.readTextFileSync(path), "lost 2\nthree\n");
  }));
test("a log that is cut to nothing in place (copytruncate) goes on at its beginning", () =>
  withLog((log, path) => {
    log.write("one\n", lost);
    Deno.truncateSync(path);
    log.write("two\n", lost);
    assertEquals(Deno.readTextFileSync(path), "two\n");
  }));
test("a full disk costs lines, never the server; a line of which it took a part ends there", () => {
  withLog((log, path) => {
    const { writeSync } = Deno.FsFile.prototype;
    let room = 4;
    Deno.FsFile.prototype.writeSync = function (bytes) {
      if (room === 0) throw new Error("No space left on device (os error 28)");
      const n = Math.min(room, bytes.length);
      room -= n;
      return writeSync.call(this, bytes.subarray(0, n));
    };
    try {
      for (const line of ["first\n", "second\n", "third\n"]) log.write(line, lost);
      room = 1000;
      log.write("fourth\n", lost);
    } finally {
      Deno.FsFile.prototype.writeSync = writeSync;
    }
    assertEquals(Deno.readTextFileSync(path), "firs\nlost 3\nfourth\n");
  });
});
test({
  name: "a device as log is refused with what to do instead",
  ignore: Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "sys" }).state === "granted",
  fn: () =>
    void assertThrows(() => new LogFile("/dev/full", new FakeClock()), ChatError, "may not open devices"),
});
test("a log that cannot be written says so at the start", () => {
  assertThrows(() => new LogFile("/nowhere/chat.log", new FakeClock()), ChatError, "/nowhere/chat.log");
});

/** Secrets in files and at terminals: bytes that are text, whole, from wherever a person keeps them. */

import { test } from "../fakes/test.ts";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { TerminalQuestions } from "../../lib/cli/questions.ts";
import type { Process } from "../../lib/cli/process.ts";
import { report } from "../../lib/cli/report.ts";
import {
  GivenUp,
  newPassphrase,
  openWithPassphrase,
  readRoomKey,
  readSecretFile,
} from "../../lib/cli/secrets.ts";
import { BadPassphrase } from "../../lib/crypto/identity_pem.ts";
import { ChatError } from "../../lib/errors.ts";
import { FileTrouble } from "../../lib/storage/file_trouble.ts";
import { FileExposed } from "../../lib/storage/private_file.ts";

const noProcess = {
  takeInput: () => new TextEncoder().encode("from input\n"),
} as Partial<Process> as Process;

function inDir(act: (dir: string, put: (bytes: Uint8Array | string, mode?: number) => string) => void): void {
  const dir = Deno.makeTempDirSync({ prefix: "chat-test-" });
  let n = 0;
  try {
    act(dir, (bytes, mode = 0o600) => {
      const path = join(dir, `secret${n++}`);
      Deno.writeFileSync(path, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes, { mode });
      return path;
    });
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}
const utf16 = (text: string, little: boolean) => {
  const bytes = new Uint8Array(2 * text.length + 2);
  const view = new DataView(bytes.buffer);
  [0xfeff, ...Array.from(text, (c) => c.charCodeAt(0))].forEach((code, i) =>
    view.setUint16(2 * i, code, little)
  );
  return bytes;
};

const read: [what: string, bytes: Uint8Array | string, secret: string][] = [
  ["a line", "correct horse\n", "correct horse"],
  ["a line without its end", "correct horse", "correct horse"],
  ["a line of Windows", "correct horse\r\n", "correct horse"],
  ["a line and empty ones", "correct horse\n\n\n", "correct horse"],
  ["blanks at both ends, which belong to it", "  two  \n", "  two  "],
  ["UTF-8 with a mark", "\ufeffcafé\n", "café"],
  ["UTF-16 of Windows", utf16("café\r\n", true), "café"],
  ["UTF-16 the other way round", utf16("café", false), "café"],
];
for (const [what, bytes, secret] of read) {
  test(`a secret file with ${what} is read`, () =>
    inDir((_, put) => assertEquals(readSecretFile(put(bytes), noProcess), secret)));
}
const refused: [what: string, bytes: Uint8Array | string, message: string][] = [
  ["bytes that are no UTF-8", Uint8Array.of(0x63, 0x61, 0x66, 0xe9), "is not text"],
  ["random bytes", crypto.getRandomValues(new Uint8Array(16)).fill(0xff, 3, 4), "is not text"],
  ["NUL in it", "a\0b", "is not text"],
  ["UTF-16 with half a character", utf16("ab", true).subarray(0, 5), "is not text"],
  ["two lines", "one\ntwo\n", "holds 2 lines"],
  ["an empty first line and another", "\ntwo\n", "holds 2 lines"],
  ["nothing", "", "holds no secret"],
  ["an empty line", "\n", "holds no secret"],
];
for (const [what, bytes, message] of refused) {
  test(`a secret file with ${what} is refused, with a hint`, () =>
    inDir((_, put) => {
      const error = assertThrows(() => readSecretFile(put(bytes), noProcess), FileTrouble, message);
      assertEquals(error.hint === "", false);
    }));
}
test("two token files of 16 random bytes that decode alike do not pass for one another: neither is read", () =>
  inDir((_, put) => {
    for (const byte of [0xe8, 0xe9]) {
      assertThrows(() => readSecretFile(put(new Uint8Array(16).fill(byte)), noProcess), FileTrouble);
    }
  }));
test("links are followed, pipes are read, folders are refused, standard input is asked of the process", () =>
  inDir((dir, put) => {
    const path = put("linked\n");
    Deno.symlinkSync(path, `${path}.link`);
    assertEquals(readSecretFile(`${path}.link`, noProcess), "linked");
    for (const input of ["/dev/stdin", "-", "/dev/fd/0"]) {
      assertEquals(readSecretFile(input, noProcess), "from input");
    }
    assertThrows(() => readSecretFile(dir, noProcess), FileTrouble, "it is a folder");
    assertThrows(() => readSecretFile(`${dir}/none`, noProcess), FileTrouble, "no such file");
    const hint = assertThrows(() => readRoomKey(`${dir}/none`, noProcess), FileTrouble).hint;
    assertStringIncludes(hint, "chat keygen --room");
  }));
test("a file of ours that others can read is refused; one of somebody else is taken as it is", () =>
  inDir((_, put) => {
    assertThrows(() => readSecretFile(put("open\n", 0o644), noProcess), FileExposed, "0644");
    if (Deno.uid() !== 0) return; // only root can give a file away
    const theirs = put("theirs\n", 0o644);
    Deno.chownSync(theirs, 12345, null);
    assertEquals(readSecretFile(theirs, noProcess), "theirs");
  }));

/** A terminal at which these bytes are typed, one read each. */
function typed(...reads: (string | Uint8Array)[]) {
  const told: string[] = [];
  const questions = new TerminalQuestions({
    isThere: true,
    read: () => {
      const next = reads.shift();
      if (next === undefined) return Promise.resolve(null);
      return Promise.resolve(typeof next === "string" ? new TextEncoder().encode(next) : next);
    },
    setRaw: (on) => void told.push(on ? "<raw>" : "<cooked>"),
    err: (text) => void told.push(text),
  });
  return { questions, told };
}
const typings: [what: string, reads: (string | Uint8Array)[], secret: string | null][] = [
  ["in one piece", ["secret\r"], "secret"],
  [
    "byte by byte, with a letter cut in two",
    ["c", "af", Uint8Array.of(0xc3), Uint8Array.of(0xa9), "\r"],
    "café",
  ],
  ["with mistakes and cut letters", ["ca\u00e9\x7f\x7f", "\x1bOP\x1b[A\t", "at\r"], "cat"],
  ["with keys that move and cut", ["bat\x1b[H\x1b[3~c\x05x\x1b[D\x0b\r"], "cat"],
  ["begun anew with Ctrl+U", ["wrong\x15right\r"], "right"],
  ["as a paste", ["\x1b[200~pasted\nrest\x1b[201~\r"], "pasted"],
  ["not: Ctrl+C", ["abc\x03"], null],
  ["not: Ctrl+D", ["\x04"], null],
  ["not: the terminal is gone", ["abc"], null],
];
for (const [what, reads, secret] of typings) {
  test(`a secret on the way in is typed ${what}: never shown, and the terminal is given back`, async () => {
    const { questions, told } = typed(...reads);
    assertEquals(await questions.secret("Passphrase: "), secret);
    assertEquals(told, ["Passphrase: ", "<raw>", "<cooked>", "\n"]);
  });
}
test("a wrong passphrase is asked for again, three times at most; Ctrl+C ends it without a word", async () => {
  const open = (passphrase: string) => {
    if (passphrase !== "right") throw new BadPassphrase();
    return "opened";
  };
  const asking = (...reads: string[]) => {
    const { questions, told } = typed(...reads);
    const process = {
      inputIsTerminal: true,
      askSecret: (q: string) => questions.secret(q),
      err: (t: string) => told.push(t),
    } as unknown as Process;
    return { result: openWithPassphrase(process, undefined, "ira", open), told };
  };
  const { result, told } = asking("wrong\rright\r");
  assertEquals(await result, "opened");
  assertStringIncludes(told.join(""), "That is not it; once more.");
  await assertRejects(() => asking("a\r", "b\r", "c\r", "right\r").result, BadPassphrase);
  const given = await assertRejects(() => asking("a\r", "\x03").result, GivenUp);
  const errors: string[] = [];
  assertEquals(report(given, (text) => errors.push(text), false), 130);
  assertEquals(errors, []);
});
test("two passphrases that differ are asked for again, until they are the same", async () => {
  const { questions, told } = typed("one\rtwo\r", "three\r", "three\r");
  const process = {
    inputIsTerminal: true,
    askSecret: (q: string) => questions.secret(q),
    err: (t: string) => told.push(t),
  };
  assertEquals(await newPassphrase(process as unknown as Process, undefined, false), "three");
  assertStringIncludes(told.join(""), "The two differ");
  const cut = typed("one\r", "\x03");
  const asking = { ...process, askSecret: (q: string) => cut.questions.secret(q) };
  await assertRejects(
    () => newPassphrase(asking as unknown as Process, undefined, false),
    ChatError,
    "nothing was written",
  );
});
test("a name is asked for where it is shown, and a terminal that is gone answers nothing", async () => {
  assertEquals(await typed("ira\n").questions.line("Name:"), "ira");
  assertEquals(await typed("ir").questions.line("Name:"), null);
});

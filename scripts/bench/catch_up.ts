/**
 * Catch-up: a member who has missed many messages comes back. Measured twice: how fast the server sends them, with a
 * generator that only counts; and how long the executable takes until it has shown the last one, everything verified.
 */

import { encodeBase64Url } from "@std/encoding/base64url";
import { systemRandom } from "../../lib/crypto/random.ts";
import { keyFileRoomId, sealKeyFileMessage } from "../../lib/protocol/group/key_file_message.ts";
import { encodeMessage, roomKinds } from "../../lib/protocol/channel/link_messages.ts";
import { LoadLink } from "./load_link.ts";
import { entryHash, entryKinds, nextHistory } from "../../lib/protocol/group/history.ts";
import { noHeadSignature } from "../../lib/protocol/group/signed_head.ts";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import { siteOf } from "../../lib/protocol/group/site.ts";
import { ClientHome, type ClientProcess } from "./client_process.ts";
import { makePeople, nowSeconds, shakeHands } from "./member.ts";
import { cpuMs } from "./process_usage.ts";

/** One run. */
export interface CatchUpRun {
  /** For the row. */
  readonly label: string;
  /** How many messages were missed. */
  readonly messages: number;
  /** The executable, for the second measurement; null: only the first. */
  readonly executable: string | null;
  /** Other executables that do the same, each in its turn. */
  readonly others?: readonly { readonly executable: string; readonly label: string }[];
  /** Of the server. */
  readonly port: number;
  /** Of the server. */
  readonly pid: number;
}

/** Runs it: `catchup label messages msgs/s srv_cpu_us/msg gen_cpu%`, then `catchup-key-file label messages msgs/s cpu_us/msg`. */
export async function runCatchUp(run: CatchUpRun, print: (row: string) => void): Promise<void> {
  const [author, reader] = await makePeople(2, `c${Math.floor(Math.random() * 1e6)}`);
  const key = systemRandom(32);
  const shaken = await shakeHands(author, run.port);
  let room = new Uint8Array(32); // once WELCOME has named the run
  const entryBytes = await say(new LoadLink(shaken));

  const link = new LoadLink(await shakeHands(reader, run.port));
  let plaintextBytes = 0;
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const welcomed = new Promise<void>((done) => {
    link.onMessage = ({ type }) => type === "WELCOME" && done();
  });
  void link.run();
  link.say({ type: "HELLO", runId: new Uint8Array(16), rooms: [] });
  await welcomed;
  link.isWitness = false;
  link.onRecord = (bytes) => {
    plaintextBytes += bytes;
    if (plaintextBytes >= run.messages * entryBytes) resolve();
  };
  const cpu = cpuMs(run.pid), own = cpuMs(Deno.pid), began = performance.now();
  link.say({ type: "JOIN", ref: 1, room, kind: roomKinds.keyFile, pos: 0 });
  await all;
  const seconds = (performance.now() - began) / 1000;
  const serverUs = (cpuMs(run.pid) - cpu) * 1000 / run.messages;
  const ownShare = (cpuMs(Deno.pid) - own) / seconds / 10;
  print(
    `catchup ${run.label} ${run.messages} ${(run.messages / seconds).toFixed(0)} ${serverUs.toFixed(1)} ` +
      `${ownShare.toFixed(0)}`,
  );
  if (!run.executable) return;
  for (const each of [{ executable: run.executable, label: run.label }, ...run.others ?? []]) {
    await byTheExecutable(each.executable, each.label);
  }

  async function say(link: LoadLink): Promise<number> {
    let stored = 0, sent = 0;
    const histories: Bytes[] = [];
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const next = () => {
      // As an honest author: at the last position that is known to be stored.
      const view = { pos: stored, hash: histories[stored] ?? room, headSig: noHeadSignature };
      const header = { room, sender: author.identity.id, n: sent, view };
      const text = `message ${sent}`.padEnd(100, ".");
      const message = sealKeyFileMessage(
        header,
        text,
        key,
        nowSeconds(),
        systemRandom(16),
        author.identity.signing,
      );
      link.say({ type: "SEND", ref: ++sent + 1, message });
      histories[sent] = nextHistory(histories[sent - 1] ?? room, entryHash(entryKinds.message, message));
      return message;
    };
    link.onMessage = (message) => {
      if (message.type === "WELCOME") {
        room = keyFileRoomId(key, siteOf(shaken.established.peer.id, message.runId), "load");
        link.say({ type: "JOIN", ref: 1, room, kind: roomKinds.keyFile, pos: 0 });
      } else if (message.type === "ROOM_INFO") {
        while (sent < Math.min(64, run.messages)) next();
      } else if (message.type === "STORED") {
        if (++stored === run.messages) resolve();
        else if (sent < run.messages) next();
      } else if (message.type === "ERROR") throw new Error(`refused with code ${message.code}`);
    };
    void link.run();
    link.say({ type: "HELLO", runId: new Uint8Array(16), rooms: [] });
    await done;
    const bytes = next(); // one more, for its size
    link.close();
    return encodeMessage({ type: "ENTRY", room, pos: 1, time: 1, kind: 2, address: "", bytes }).length;
  }

  async function byTheExecutable(executable: string, label: string): Promise<void> {
    const home = await ClientHome.make(executable, run.port, `late-${label}`);
    try {
      const file = await home.write("secret.key", `${encodeBase64Url(key)}=\n`);
      const began = performance.now();
      const client = home.join("--room", "load", "--fernet", file, "--json", "--listen");
      await client.untilCount('"type":"message"', run.messages);
      print(clientRow("key-file", label, run.messages, client, performance.now() - began));
      await client.end(true);
    } finally {
      await home.remove();
    }
  }
}

function clientRow(kind: string, label: string, messages: number, client: ClientProcess, ms: number): string {
  const perSecond = (messages / ms * 1000).toFixed(0);
  return `catchup-${kind} ${label} ${messages} ${perSecond} ${
    (client.usage().cpuMs * 1000 / messages).toFixed(0)
  }`;
}

/**
 * The same in an end-to-end room, all of it by the executable: `catchup-members label messages msgs/s cpu_us/msg`.
 * Readers come in and go; somebody says so much; each comes back.
 */
export async function runMembersCatchUp(run: CatchUpRun, print: (row: string) => void): Promise<void> {
  const author = await ClientHome.make(run.executable!, run.port, "author");
  const clients = [{ executable: run.executable!, label: run.label }, ...run.others ?? []];
  const readers: { home: ClientHome; label: string }[] = [];
  try {
    const speaking = author.join("--room", "missed", "--plain");
    await speaking.say("first line\n");
    await speaking.until("first line");
    for (const { executable, label } of clients) {
      const home = await ClientHome.make(executable, run.port, `reader-${label}`);
      readers.push({ home, label });
      const client = home.join("--room", "missed", "--plain");
      await client.say(`here is ${label}\n`);
      await client.until(`here is ${label}`);
      await client.end();
    }
    const lines = Array.from(
      { length: run.messages - 1 },
      (_, i) => `${i} ${"what was missed ".repeat(6)}\n`,
    );
    await speaking.say(lines.join("") + "last line\n");
    await speaking.until("last line");
    for (const { home, label } of readers) {
      const began = performance.now();
      const client = home.join("--room", "missed", "--json", "--listen");
      await client.untilCount('"type":"message"', run.messages);
      print(clientRow("members", label, run.messages, client, performance.now() - began));
      await client.end(true);
    }
    await speaking.end(true);
  } finally {
    for (const home of [author, ...readers.map((reader) => reader.home)]) await home.remove();
  }
}

/** The steps of the page about several servers, as they stand there: certificates, NATS, the check, three servers. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { natsBinary } from "../../scripts/cluster/nats_nodes.ts";
import { shareKey } from "../../scripts/cluster/server_keys.ts";
import { hasNats } from "../fakes/nats.ts";
import { hasTool, run } from "../fakes/tools.ts";
import { until } from "../fakes/until.ts";
import { e2e, freePort } from "./chat_process.ts";

const page = await Deno.readTextFile(new URL("../../lib/server/cluster/README.md", import.meta.url));

/** The first block of a kind that has these words. */
function blockOf(kind: string, words: string): string {
  const blocks = [...page.matchAll(/```(\w+)\n(.*?)```/gs)].filter(([, each]) => each === kind);
  const found = blocks.find(([, , text]) => text.includes(words));
  assert(found, `the page has no ${kind} with ${words}`);
  return found[2];
}

/** What follows the program's name in a command of the page. */
const argsOf = (command: string) => command.replaceAll("\\\n", " ").trim().split(/\s+/).slice(1);

e2e(
  "the page's steps as they stand lead to three servers with TLS to NATS, and no right is missing or asked for in vain",
  async (home) => {
    const dir = join(home.dir, "chat-cluster");
    await Deno.mkdir(dir);
    const ports = [1, 2, 3].map(() => ({ nats: freePort(), route: freePort(), chat: freePort() }));
    const here = (text: string) =>
      text.replaceAll("/etc/chat-cluster", dir).replace(
        /10\.0\.0\.(\d):6222/g,
        (_, n) => `127.0.0.1:${ports[n - 1].route}`,
      )
        .replace(/10\.0\.0\.(\d):4222/g, (_, n) => `127.0.0.1:${ports[n - 1].nats}`)
        .replaceAll(/IP:10\.0\.0\.\d/g, "IP:127.0.0.1")
        .replaceAll(
          /--cluster(-check)? [\d.,]+/g,
          (_, check = "") => `--cluster${check} ${ports.map(({ nats }) => `127.0.0.1:${nats}`).join(",")}`,
        )
        .replaceAll(
          /--public-host [\d.,]+/g,
          `--public-host ${ports.map(({ chat }) => `127.0.0.1:${chat}`).join(",")}`,
        );
    const made = await run("sh", ["-c", `cd ${dir} && ${here(blockOf("sh", "openssl"))}`]);
    assert(made.ok, made.text);
    const nodes = await Promise.all(ports.map(async (_, i) => {
      const conf = here(
        blockOf("conf", "sync_interval").replaceAll("nats1", `nats${i + 1}`)
          .replaceAll("listen: 10.0.0.1:", `listen: 10.0.0.${i + 1}:`).replace(
            "/var/lib/nats",
            `${dir}/store${i}`,
          ),
      );
      await Deno.writeTextFile(`${dir}/${i}.conf`, conf);
      return new Deno.Command(natsBinary, {
        args: ["-c", `${dir}/${i}.conf`, "-l", `${dir}/${i}.log`],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
    }));
    try {
      const check = argsOf(here(blockOf("sh", "--cluster-check")));
      let told = "";
      await until("all nodes are there", async () => {
        const { code, out, err } = await home.run(check);
        told = out + err;
        return code === 0;
      }, { timeoutMs: 30_000, everyMs: 500, instead: () => told });
      for (const part of ["nats3: version", "TLS, and both sides"]) assertStringIncludes(told, part);
      const stranger = await home.run(check.slice(0, 3));
      assertEquals(stranger.code === 0, false);
      await Deno.writeTextFile(`${dir}/passphrase`, "six words that nobody else has\n");
      await Deno.chmod(`${dir}/passphrase`, 0o600);
      const first = join(home.dir, "server1");
      await home.run(["keygen", "--server", "--out", first, "--passphrase-file", `${dir}/passphrase`]);
      const serve = argsOf(here(blockOf("sh", "--public-host")));
      const servers = [];
      for (const [i, { chat }] of ports.entries()) {
        const data = join(home.dir, `server${i + 1}`);
        if (i > 0) await shareKey(first, [data]);
        const own = serve.map((arg) => arg.replace("chat1.", `chat${i + 1}.`));
        const server = home.start(...own, "-p", String(chat), "--data", data);
        await server.shows("Invite", "out", 40_000);
        servers.push(server);
      }
      const [, invite] = /'(chat:[^']+)'/.exec(servers[0].out)!;
      assertEquals(invite.split(",").length, 3);
      const ira = home.start("join", "-u", "ira", invite, "--json");
      await ira.shows('"type":"entered"');
      const from = ports.map(({ chat }) => `127.0.0.1:${chat}`).toReversed().join(",");
      const dana = home.start("join", "-u", "dana", "-s", from, "--json");
      await dana.shows('"type":"entered"');
      await Deno.writeFile(join(home.dir, "notes.bin"), new Uint8Array(200_000).fill(7));
      const file = await home.run(["join", "-u", "sam", "-s", from, "--send", join(home.dir, "notes.bin")]);
      assertEquals([file.code, file.err.includes("error")], [0, false]);
      await ira.shows("notes.bin");
      await dana.type('{"type":"say","text":"by TLS"}\n');
      await ira.shows("by TLS");
      for (const server of servers) server.kill("SIGTERM");
      for (const server of servers) assertEquals(await server.code, 0);
      for (const [i] of ports.entries()) {
        const log = await Deno.readTextFile(`${dir}/${i}.log`);
        assertEquals(log.split("\n").filter((line) => /Violation/.test(line)), []);
      }
    } finally {
      for (const node of nodes) {
        node.kill("SIGKILL");
        await node.status;
      }
    }
  },
  !hasNats || !hasTool("openssl"),
);

/** What an operator gets: a Debian package, installed, started and removed where that is allowed; units; signed sums. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { version } from "../../lib/version.ts";
import { test } from "../fakes/test.ts";
import { hasTool, run } from "../fakes/tools.ts";
import { until } from "../fakes/until.ts";
import { executable, freePort } from "./chat_process.ts";

const root = new URL("../../", import.meta.url).pathname;
const architecture = Deno.build.arch === "x86_64" ? "amd64" : "arm64";
const deb = `${root}dist/chat-e2ee_${version}_${architecture}.deb`;
const hasDpkg = Deno.build.os === "linux" && hasTool("dpkg-deb");
// It changes the machine: only where that is a throw-away one.
const mayInstall = hasDpkg && Deno.uid() === 0 && Deno.env.get("CI") === "true";

const sh = async (script: string) => {
  const result = await run("sh", ["-c", script]);
  return { ...result, text: result.text.trim() };
};
const must = async (script: string) => {
  const { ok, text } = await sh(script);
  assert(ok, `${script}: ${text}`);
  return text;
};

test({
  name:
    "the Debian package holds program, service, console, manual, completions and a conffile; then it serves",
  ignore: !hasDpkg,
  boundMs: 240_000,
  async fn() {
    await must(`cd '${root}' && scripts/deno task release --deb-only`);
    const listed = await must(`dpkg-deb -c '${deb}'`);
    for (
      const path of [
        "./usr/bin/chat",
        "./usr/lib/chat/deno",
        "./usr/lib/chat/app.js",
        "./usr/lib/systemd/system/chat.service",
        "./usr/lib/systemd/system/chat.socket",
        "./usr/share/man/man1/chat.1.gz",
        "./usr/share/bash-completion/completions/chat",
        "./etc/default/chat",
      ]
    ) assertStringIncludes(listed, `${path}\n`.trimEnd());
    assertEquals(/ (?!root\/root)\S+\/\S+ /.test(listed), false, "everything belongs to root");
    assertStringIncludes(await must(`dpkg-deb -I '${deb}' conffiles`), "/etc/default/chat");
    if (!mayInstall) return;
    const port = freePort();
    try {
      await must(`dpkg -i '${deb}'`);
      assertEquals(await must("/usr/bin/chat --version"), `chat ${version}`);
      assertEquals(await must("stat -c '%U %a' /var/lib/chat"), "chat 700");
      await must(
        "man --warnings -l /usr/share/man/man1/chat.1.gz >/dev/null 2>&1 || gzip -t /usr/share/man/man1/chat.1.gz",
      );
      // As the unit starts it: no systemd runs here.
      const line = /^ExecStart=chat (.*)$/m.exec(await must("cat /usr/lib/systemd/system/chat.service"))![1];
      const words = line.replace("$CHAT_SERVE_OPTIONS", `-p ${port}`);
      const start =
        `HOME=/var/lib/chat XDG_CACHE_HOME=/var/cache/chat runuser -u chat -- /usr/bin/chat ${words}`;
      await must(
        `install -d -o chat -m 700 /var/cache/chat && { ${start} >/tmp/chat-deb.log 2>&1 </dev/null & }`,
      );
      await until(
        "the service serves",
        async () => (await sh("cat /tmp/chat-deb.log")).text.includes("Invite:"),
      );
      assertMatch(await must("cat /tmp/chat-deb.log"), /Invite: chat join -u NAME/);
      const home = Deno.makeTempDirSync({ prefix: "chat-e2e-" });
      await must(`HOME='${home}' USER=ira '${executable}' join -u ira -p ${port} -m hello`);
      Deno.removeSync(home, { recursive: true });
      await must(`pkill -TERM -u chat -f "serve --data /var/lib/chat"`);
      await until(
        "it has drained",
        async () => (await sh("cat /tmp/chat-deb.log")).text.includes("Server is shut down"),
      );
      await must("echo 'CHAT_SERVE_OPTIONS=\"-p 9999\"' > /etc/default/chat && dpkg -r chat-e2ee");
      assertStringIncludes(await must("cat /etc/default/chat"), "9999");
      assertEquals((await sh("test -e /usr/bin/chat")).ok, false);
      assertStringIncludes(await must("dpkg --purge chat-e2ee"), "The data is left in /var/lib/chat");
      assertEquals((await sh("test -e /etc/default/chat")).ok, false);
      assertEquals(await must("test -f /var/lib/chat/rooms.db && echo kept"), "kept");
    } finally {
      await sh(
        "pkill -KILL -u chat; dpkg --purge chat-e2ee; rm -rf /var/lib/chat /var/cache/chat; userdel chat; rm -f /tmp/chat-deb.log",
      );
    }
  },
});
test({
  name:
    "sums that are signed with ssh-keygen are verified by the command of the page, and changed ones are not",
  ignore: !hasTool("ssh-keygen"),
  async fn() {
    const dir = Deno.makeTempDirSync({ prefix: "chat-e2e-" });
    try {
      const page = Deno.readTextFileSync(`${root}lib/server/README.md`);
      const verify = /^ssh-keygen -Y verify .*$/m.exec(page)![0];
      Deno.writeTextFileSync(`${dir}/SHA256SUMS`, "00  chat\n");
      await must(
        `cd '${dir}' && ssh-keygen -q -t ed25519 -N '' -f key && ssh-keygen -q -Y sign -f key -n chat-release SHA256SUMS`,
      );
      await must(`cd '${dir}' && printf 'chat %s\\n' "$(cat key.pub)" > allowed_signers`);
      assertStringIncludes(await must(`cd '${dir}' && ${verify}`), "Good");
      Deno.writeTextFileSync(`${dir}/SHA256SUMS`, "01  chat\n");
      assertEquals((await sh(`cd '${dir}' && ${verify}`)).ok, false);
      const release = Deno.readTextFileSync(`${root}scripts/release.ts`);
      assertStringIncludes(release, 'const namespace = "chat-release"');
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  },
});
test({
  name: "the units are ones that systemd takes",
  ignore: !hasTool("systemd-analyze"),
  async fn() {
    const { text } = await sh(
      `systemd-analyze verify '${root}scripts/package/chat.service' '${root}scripts/package/chat.socket'`,
    );
    assertEquals(text.split("\n").filter((line) => /Unknown|Failed to parse|Invalid/i.test(line)), []);
  },
});

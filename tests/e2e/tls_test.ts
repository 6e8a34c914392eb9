/** TLS around the port, with a real certificate authority, and through a proxy that ends TLS. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { hasTool, run } from "../fakes/tools.ts";
import { until } from "../fakes/until.ts";
import { e2e, freePort, type Home } from "./chat_process.ts";

const isThere = hasTool("openssl");

/** An authority, and what it signs for 127.0.0.1 and localhost. */
async function authority(home: Home) {
  const dir = home.dir;
  const openssl = async (...args: string[]) => {
    const { ok, text } = await run("openssl", args);
    if (!ok) throw new Error(text);
  };
  const ca = `${dir}/ca.pem`;
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await openssl(
    "req",
    "-x509",
    ...curve,
    "-keyout",
    `${dir}/ca.key`,
    "-out",
    ca,
    "-days",
    "2",
    "-subj",
    "/CN=Test CA",
  );
  const sign = async (name: string, names = "IP:127.0.0.1,DNS:localhost") => {
    const [key, cert] = [`${dir}/${name}.key`, `${dir}/${name}.pem`];
    await openssl("req", ...curve, "-keyout", key, "-out", `${cert}.csr`, "-subj", `/CN=${name}`);
    Deno.writeTextFileSync(`${cert}.ext`, `subjectAltName=${names}\n`);
    const by = ["-CA", ca, "-CAkey", `${dir}/ca.key`, "-CAcreateserial", "-extfile", `${cert}.ext`];
    await openssl("x509", "-req", "-in", `${cert}.csr`, ...by, "-out", cert, "-days", "2");
    Deno.chmodSync(key, 0o600);
    return { key, cert };
  };
  return { ca, sign };
}
const serialOf = async (port: string) => {
  const { text } = await run("openssl", [
    "s_client",
    "-connect",
    `127.0.0.1:${port}`,
    "-servername",
    "localhost",
  ], "");
  return /subject=CN = (\S+)/.exec(text)?.[1];
};

e2e(
  "serve --tls-cert and join --tls --tls-ca talk; the invite says chats://; a new certificate is taken up",
  async (home) => {
    const { ca, sign } = await authority(home);
    const { key, cert } = await sign("one");
    const port = String(freePort());
    const server = home.start("serve", "-p", port, "--tls-cert", cert, "--tls-key", key);
    await server.shows("Invite:");
    const invite = /(chats:\/\/\S+)/.exec(server.out)![1];
    assertStringIncludes(invite, `chats://127.0.0.1:${port}/lobby#`);

    const ira = home.start("join", "-u", "ira", "--tls-ca", ca, "--listen", invite);
    await ira.closeInput();
    await ira.shows("In the room", "err");
    const said = ["-m", "through TLS", "-p", port, "--tls", "--tls-ca", ca];
    assertEquals((await home.run(["join", "-u", "sam", ...said])).code, 0);
    await ira.shows("sam: through TLS");

    const strange = await home.run(["join", "-u", "dana", "-m", "x", "-p", port, "--tls"]);
    assertMatch(
      strange.err,
      /^error: The TLS certificate of .* is not accepted: nobody whom this machine trusts has signed it\nhint: .*--tls-ca FILE/m,
    );
    assertEquals(strange.code, 3);
    const plain = await home.run(["join", "-u", "dana", "-m", "x", "-p", port]);
    assertEquals(plain.code, 3);
    assertStringIncludes(plain.err, "--tls");

    // What cannot be served leaves the old one in place; what can takes its place without a restart.
    Deno.writeTextFileSync(cert, "nothing");
    server.kill("SIGHUP");
    await server.shows("[!] The old TLS certificate stays");
    assertEquals(await serialOf(port), "one");
    const two = await sign("two");
    Deno.renameSync(two.key, key);
    Deno.renameSync(two.cert, cert);
    server.kill("SIGHUP");
    await server.shows("[+] The TLS certificate was read anew");
    assertEquals(await serialOf(port), "two");
    assertEquals((await home.run(["join", "-u", "sam", ...said])).code, 0);
    await until("said twice", () => ira.out.split("sam: through TLS").length === 3);
    const three = await sign("three");
    Deno.renameSync(three.key, key);
    Deno.renameSync(three.cert, cert);
    await until("the change is seen without a signal", () => server.out.split("was read anew").length === 3, {
      timeoutMs: 30_000,
    });
    assertEquals(await serialOf(port), "three");
    server.kill("SIGTERM");
    assertEquals(await server.code, 0, server.err);
  },
  !isThere,
);

e2e(
  "a key that is not the certificate's, half a pair, and a server without TLS are told as such",
  async (home) => {
    const { ca, sign } = await authority(home);
    const [one, two] = [await sign("one"), await sign("two")];
    const wrong = await home.run([
      "serve",
      "-p",
      String(freePort()),
      "--tls-cert",
      one.cert,
      "--tls-key",
      two.key,
    ]);
    assertMatch(wrong.err, /^error: ".*one.pem" and ".*two.key" cannot be served: /m);
    const half = await home.run(["serve", "--tls-cert", one.cert]);
    assertEquals([half.code, half.err.includes("belong together")], [2, true]);
    const port = String(freePort());
    const server = home.start("serve", "-p", port);
    await server.shows("Invite:");
    const plain = await home.run(["join", "-u", "ira", "-m", "x", "-p", port, "--tls", "--tls-ca", ca]);
    assertMatch(
      plain.err,
      /^error: What answers as "127\.0\.0\.1" at port \d+ does not speak TLS\nhint: .*without --tls/m,
    );
    assertEquals(plain.code, 3);
  },
  !isThere,
);

e2e(
  "through a proxy that ends TLS: --public-host names it in invites, --proxy lifts limits by address",
  async (home) => {
    const { ca, sign } = await authority(home);
    const { key, cert } = await sign("proxy");
    const [port, front] = [String(freePort()), String(freePort())];
    const limits = ["--max-links-per-address", "1", "--identities-per-hour", "1", "--handshake-burst", "1"];
    const outside = ["--public-host", `chats://localhost:${front}`, "--proxy", "127.0.0.1"];
    const server = home.start("serve", "-p", port, ...outside, ...limits);
    await server.shows("Invite:");
    const invite = /(chats:\/\/\S+)/.exec(server.out)![1];
    assertStringIncludes(invite, `chats://localhost:${front}/lobby#`);
    const proxy = new Deno.Command("sh", {
      args: [
        "-c",
        `exec socat OPENSSL-LISTEN:${front},reuseaddr,fork,cert=${cert},key=${key},verify=0 TCP:127.0.0.1:${port}`,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await until(
        "the proxy listens",
        async () => (await run("sh", ["-c", `socat -u /dev/null TCP:127.0.0.1:${front}`])).ok,
      );
      const ira = home.start("join", "-u", "ira", "--tls-ca", ca, "--listen", invite);
      await ira.closeInput();
      await ira.shows("In the room", "err");
      for (const name of ["sam", "dana"]) {
        const { code, err } = await home.run([
          "join",
          "-u",
          name,
          "--tls-ca",
          ca,
          "-m",
          `hello from ${name}`,
          invite,
        ]);
        assertEquals(code, 0, err);
        await ira.shows(`${name}: hello from ${name}`);
      }
    } finally {
      proxy.kill("SIGTERM");
      await proxy.status;
    }
  },
  !isThere || !hasTool("socat"),
);

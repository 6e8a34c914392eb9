/** Other pages in the same browser, and other programs on the machine: what they get of the page is nothing. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { giveKeys, hasChromium, joinWeb, linkOf, shows, TestBrowser } from "./browser.ts";
import { e2e, freePort } from "./chat_process.ts";

/** What a program says that speaks HTTP by hand. */
async function raw(port: number, text: string): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(64 * 1024);
  const n = await conn.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, n ?? 0));
}

e2e("another page on this machine can neither read, nor link, nor frame, nor send", async (home) => {
  await giveKeys(home);
  const port = String(freePort());
  await home.start("serve", "-p", port).shows("Invite:");
  const ira = joinWeb(home, "ira", port);
  const browser = await TestBrowser.start();
  const evil = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () =>
      new Response("<!doctype html><title>evil</title><p>evil", { headers: { "content-type": "text/html" } }),
  );
  try {
    const own = await browser.open(ira);
    await shows(own, "In the room");
    const { host } = new URL(await linkOf(ira));
    const page = await browser.page(`http://127.0.0.1:${evil.addr.port}/`);
    const tried = await page.evaluate(`(async () => {
      const host = ${JSON.stringify(host)};
      const fetched = (url, init) => fetch(url, init).then((answer) => answer.type + " " + answer.status, () => "failed");
      const socket = new WebSocket("ws://" + host + "/link");
      const linked = await new Promise((resolve) => {
        socket.onopen = () => resolve("open");
        socket.onerror = () => resolve("failed");
      });
      const frame = document.createElement("iframe");
      frame.src = "http://" + host + "/";
      const loaded = new Promise((resolve) => frame.onload = resolve);
      document.body.append(frame);
      await loaded;
      return {
        read: await fetched("http://" + host + "/"),
        blind: await fetched("http://" + host + "/page.js", { mode: "no-cors" }),
        put: await fetched("http://" + host + "/file", { method: "PUT", body: "x" }),
        posted: await fetched("http://" + host + "/file", { method: "POST", mode: "no-cors", body: "x" }),
        linked,
      };
    })()`) as Record<string, string>;
    assertEquals(tried, {
      read: "failed",
      blind: "failed",
      put: "failed",
      posted: "failed",
      linked: "failed",
    });
    const [frame] = page.mainFrame().childFrames();
    assertEquals(await frame.locator("#app, #away").count(), 0, "nothing of the page is in a frame");
    assertEquals(await own.locator("#app").isVisible(), true);
    const number = Number(host.split(":")[1]);
    for (
      const [request, status] of [
        ["GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421],
        ["GET / HTTP/1.1\r\nHost: localhost:" + number + "\r\n\r\n", 421],
        ["GET / HTTP/1.0\r\n\r\n", 421],
        ["GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421],
        ["GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 404],
        [
          "GET /link HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
          403,
        ],
        ["DELETE / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 405],
        ["GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 200],
      ] as const
    ) {
      const answer = await raw(number, request);
      assertMatch(answer, new RegExp(`^HTTP/1\\.[01] ${status} `), `${request} ${answer}`);
      assert(!/access-control-allow|set-cookie/i.test(answer));
    }
    const elsewhere = Deno.connect({ hostname: "127.0.0.2", port: number }).then(
      (conn) => (conn.close(), true),
      () => false,
    );
    assertEquals(await elsewhere, false, "it listens on one address");
  } finally {
    await browser.close();
    await evil.shutdown();
  }
}, !hasChromium);

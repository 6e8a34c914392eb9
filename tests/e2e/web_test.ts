/** The page in a real browser, from the built executable, with somebody at a pipe on the other side. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { until } from "../fakes/until.ts";
import {
  giveKeys,
  hasChromium,
  joinWeb,
  linesOf,
  linkOf,
  newLink,
  says,
  shows,
  TestBrowser,
} from "./browser.ts";
import { type ChatProcess, e2e, executable, freePort, type Home } from "./chat_process.ts";
import { hasTmux, Terminals } from "./terminal.ts";

interface Scene {
  readonly home: Home;
  readonly port: string;
  readonly server: ChatProcess;
  readonly browser: TestBrowser;
  /** At a pipe, in the lobby. */
  readonly sam: ChatProcess;
}

/** A server, sam at a pipe, and a browser; the page must have had nothing to complain of. */
function webTest(
  name: string,
  act: (scene: Scene) => Promise<void>,
  { mayComplain, flags = [] }: { mayComplain?: RegExp; flags?: readonly string[] } = {},
): void {
  e2e(name, async (home) => {
    await giveKeys(home);
    const port = String(freePort());
    const server = home.start("serve", "-p", port, ...flags);
    await server.shows("Invite:");
    const sam = home.start("join", "-u", "sam", "-p", port);
    await sam.shows("In the room", "err");
    const browser = await TestBrowser.start();
    try {
      await act({ home, port, server, browser, sam });
    } finally {
      await browser.close();
    }
    assertEquals(browser.complaints.filter((text) => !mayComplain?.test(text)), []);
  }, !hasChromium);
}

/** ira at a page. */
async function atPage({ home, port, browser }: Scene): Promise<{ ira: ChatProcess; page: Page }> {
  const ira = joinWeb(home, "ira", port);
  const page = await browser.open(ira);
  await shows(page, "In the room");
  return { ira, page };
}

webTest("who opens the link talks, and finds all again after a reload", async (scene) => {
  const { sam } = scene;
  const { ira, page } = await atPage(scene);
  assertEquals(new URL(page.url()).hash, ""); // the link's secret does not stay in the address bar
  await says(page, "hello from the page");
  await sam.shows("ira: hello from the page");
  await sam.type("hello back, see https://example.org/a?b=c.\n");
  await shows(page, "hello back");
  await page.locator("#text").fill("two rows\nof text");
  await page.locator("#text").press("Enter");
  await sam.shows("ira: two rows\n    of text");
  const lines = [
    "ira: hello from the page",
    "sam: hello back, see https://example.org/a?b=c.",
    "ira: two rows\nof text",
  ];
  await until("all lines", async () => (await linesOf(page)).length === 3);
  assertEquals(await linesOf(page), lines);
  const link = page.locator("#lines a");
  assertEquals(
    await Promise.all(["href", "rel", "target"].map((name) => link.getAttribute(name))),
    ["https://example.org/a?b=c", "noopener noreferrer", "_blank"],
  );
  await page.reload();
  await shows(page, "hello back");
  assertEquals(await linesOf(page), lines);
  await says(page, "/quit");
  assertEquals(await ira.code, 0);
  await page.getByRole("heading", { name: "chat has ended" }).waitFor();
});

webTest("a link is good once; a second page takes over only when its person says so", async (scene) => {
  const { browser, sam } = scene;
  const { ira, page } = await atPage(scene);
  const used = await linkOf(ira);
  const thief = await browser.page(used);
  await thief.getByRole("heading", { name: "This link is not good any more" }).waitFor();
  assertEquals(await thief.evaluate("sessionStorage.length"), 0);
  const second = await browser.page(await newLink(ira));
  await shows(second, "In the room");
  await page.getByRole("heading", { name: "Another page is in use" }).waitFor();
  await page.reload(); // it does not come back by itself
  await page.getByRole("heading", { name: "Another page is in use" }).waitFor();
  await says(second, "from the second");
  await sam.shows("ira: from the second");
  await page.getByRole("button", { name: "Use this page instead" }).click();
  await shows(page, "from the second");
  await second.getByRole("heading", { name: "Another page is in use" }).waitFor();
});

webTest("rooms: unread lines are counted, shown once, and what was begun in each is kept", async (scene) => {
  const { sam } = scene;
  const { page } = await atPage(scene);
  await page.getByLabel("Enter or make a room").fill("dev");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByRole("heading", { name: "dev", level: 1 }).waitFor();
  await page.locator("#text").fill("begun in dev");
  await sam.type("for the lobby\n");
  const lobby = page.locator("button.room", { hasText: "lobby" });
  await lobby.locator(".badge", { hasText: "1" }).waitFor();
  await until("told in the title", async () => (await page.title()) === "(1) dev – chat");
  await lobby.click();
  await shows(page, "for the lobby");
  assertEquals(await page.locator("#lines li.unread").count(), 1);
  assertEquals(await page.locator("#text").inputValue(), "");
  await until("read", async () => (await page.title()) === "lobby – chat");
  await page.locator("#text").press("Alt+ArrowDown");
  await page.getByRole("heading", { name: "dev", level: 1 }).waitFor();
  assertEquals(await page.locator("#text").inputValue(), "begun in dev");
});

webTest(
  "a server that is killed is told of; what is typed meanwhile goes out when it is back",
  async (scene) => {
    const { home, port, server, sam } = scene;
    const { page } = await atPage(scene);
    server.kill("SIGKILL");
    await server.code;
    await page.locator("#worry", { hasText: "not connected" }).waitFor();
    await says(page, "said meanwhile");
    await page.locator("#waiting").getByText("said meanwhile").waitFor();
    await home.start("serve", "-p", port).shows("Invite:");
    await sam.shows("ira: said meanwhile");
    await shows(page, "said meanwhile");
    await page.locator("#waiting").waitFor({ state: "hidden" });
  },
);

webTest("files: dropped and chosen, fetched by a button", async (scene) => {
  const { home, sam } = scene;
  const { page } = await atPage(scene);
  const path = `${home.dir}/report.txt`;
  await Deno.writeTextFile(path, "what was reported");
  await page.locator("#choose").setInputFiles(path);
  await shows(page, "report.txt");
  await sam.shows("ira sent report.txt, 17 bytes");
  const dropped = await page.evaluateHandle(`(() => {
    const data = new DataTransfer();
    data.items.add(new File(["dropped"], "a b\\u202e.txt"));
    return data;
  })()`);
  await page.locator("#log").dispatchEvent("drop", { dataTransfer: dropped });
  await sam.shows("ira sent a b.txt, 7 bytes");
  await sam.type(`/send ${path}\n`);
  await page.getByRole("button", { name: "Save report.txt" }).click();
  await shows(page, "Saved report.txt");
  await shows(page, "(saved)");
  await page.reload();
  await shows(page, "(saved)");
  const saved =
    /: (\/\S+)/.exec(await page.locator("#lines li.notice", { hasText: "Saved" }).innerText())![1];
  assertEquals(await Deno.readTextFile(saved), "what was reported");
  const spool = `${home.dir}/.config/chat/profiles/ira/spool`;
  await until("no copy is left", () => [...Deno.readDirSync(spool)].length === 0);
  assertMatch(saved, /report\.txt$/);
});

webTest(
  "two thousand lines: five hundred stand in the page, and the oldest are found by scrolling",
  async (scene) => {
    const { sam } = scene;
    const { page } = await atPage(scene);
    const count = 2000;
    await sam.type(Array.from({ length: count }, (_, i) => `line number ${i}\n`).join(""));
    const line = (n: number) => page.locator("#log").getByText(`line number ${n}`, { exact: true });
    await line(count - 1).waitFor({ timeout: 60_000 });
    const inPage = () => page.locator("#lines li").count();
    assert(await inPage() <= 700, String(await inPage()));
    await until("the first is there", async () => {
      await page.evaluate('document.getElementById("log").scrollTop = 0');
      return await line(0).count() === 1;
    });
    assert(await inPage() <= 700, String(await inPage()));
    await page.getByRole("button", { name: "Newest lines" }).click();
    await line(count - 1).waitFor();
  },
  { flags: ["--send-burst", "5000", "--sends-per-second", "5000", "--work-burst-ms", "60000"] },
);

webTest(
  "a file on its way has a row, a progress bar and a button that ends it",
  async (scene) => {
    const { home, sam } = scene;
    const { page } = await atPage(scene);
    const path = `${home.dir}/large.bin`;
    await Deno.writeFile(path, new Uint8Array(30_000_000));
    await page.locator("#choose").setInputFiles(path);
    const bar = page.getByRole("progressbar", { name: "Sending large.bin" });
    await bar.waitFor();
    await page.getByText(/↑ large\.bin \d+ % of 30\.0 MB/).waitFor();
    await page.getByRole("button", { name: "Cancel sending large.bin" }).click();
    await bar.waitFor({ state: "detached" });
    await page.locator("#moving").waitFor({ state: "hidden" });
    const spool = `${home.dir}/.config/chat/profiles/ira/spool`;
    await until("no copy is left", () => [...Deno.readDirSync(spool)].length === 0);
    await says(page, "the last");
    await sam.shows("ira: the last");
    assert(!sam.out.includes("large.bin"));
  },
  { flags: ["--files-work-ms", "1"] },
);

webTest(
  "a second program has a page of its own, through the first, and takes over when that one is killed",
  async (scene) => {
    const { home, port, browser, sam } = scene;
    const { ira: first, page: one } = await atPage(scene);
    const second = joinWeb(home, "ira", port);
    const two = await browser.open(second);
    await two.locator("button.person", { hasText: "sam" }).waitFor();
    await says(two, "from the second page");
    await shows(one, "from the second page");
    const path = `${home.dir}/notes.txt`;
    await Deno.writeTextFile(path, "through the first");
    await two.locator("#choose").setInputFiles(path);
    await sam.shows("ira sent notes.txt");
    await sam.type("before the end\n");
    await shows(two, "before the end");
    first.kill("SIGKILL");
    await one.getByRole("heading", { name: "Not connected" }).waitFor();
    await says(two, "it goes on");
    await sam.shows("ira: it goes on");
    assertEquals((await linesOf(two)).filter((line) => line.includes("before the end")).length, 1);
    const spool = `${home.dir}/.config/chat/profiles/ira/spool`;
    await until("no copy is left", () => [...Deno.readDirSync(spool)].length === 0);
    second.kill("SIGTERM");
    assertEquals(await second.code, 130);
    await two.getByRole("heading", { name: "chat has ended" }).waitFor();
  },
  { mayComplain: /WebSocket connection to .* failed/ },
);

e2e("in a terminal: the link, who is connected, a new link by Enter, and /quit", async (home) => {
  await giveKeys(home);
  const port = String(freePort());
  await home.start("serve", "-p", port).shows("Invite:");
  const terminals = new Terminals(home);
  const browser = await TestBrowser.start();
  try {
    const window = await terminals.open(`${executable} join -u ira -p ${port} --web`);
    await window.shows("it works once:");
    await window.press("Enter");
    const links = async () =>
      (await window.all()).replaceAll("\n", "").match(/http:\/\/127\.0\.0\.1:\d+\/#[\w-]{43}/g) ?? [];
    await until("two links", async () => (await links()).length === 2);
    const page = await browser.page((await links())[1]);
    await shows(page, "In the room");
    await window.shows("A page is connected.");
    await window.enter("hello?");
    await window.shows("Nothing is said from here");
    await window.enter("/quit");
    await window.shows("code 0");
    await page.getByRole("heading", { name: "chat has ended" }).waitFor();
    const again = await terminals.open(`${executable} join -u ira -p ${port} --web`);
    await again.shows("it works once:");
    await again.press("C-c");
    await again.shows("code 130");
  } finally {
    await browser.close();
    await terminals.close();
  }
}, !hasChromium || !hasTmux);

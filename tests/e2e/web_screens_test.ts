/** How the page looks and sounds: every screen in every light and width by axe, all of it by keys, one announcement a line. */

import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { until } from "../fakes/until.ts";
import {
  assertAccessible,
  giveKeys,
  hasChromium,
  joinWeb,
  type Look,
  says,
  shows,
  TestBrowser,
} from "./browser.ts";
import { type ChatProcess, e2e, freePort, type Home } from "./chat_process.ts";

function webTest(
  name: string,
  act: (home: Home, browser: TestBrowser, port: string, sam: ChatProcess) => Promise<void>,
): void {
  e2e(name, async (home) => {
    await giveKeys(home);
    const port = String(freePort());
    await home.start("serve", "-p", port).shows("Invite:");
    const sam = home.start("join", "-u", "sam", "-p", port);
    await sam.shows("In the room", "err");
    const browser = await TestBrowser.start();
    try {
      await act(home, browser, port, sam);
    } finally {
      await browser.close();
    }
    assertEquals(browser.complaints, []);
  }, !hasChromium);
}

const longName = "a-name-of-so-many-letter";
const rightToLeft = "שלום עולם, זה טקסט מימין לשמאל עם english בפנים";
const long = `${"long ".repeat(3000)}${"x".repeat(600)}`;

const looks: readonly [string, Look][] = [
  ["wide, light", { width: 1400 }],
  ["wide, dark", { width: 1400, dark: true }],
  ["800 px", { width: 800 }],
  ["320 px, dark", { width: 320, height: 640, dark: true }],
  ["forced colours", { width: 320, height: 640, forced: true }],
];

webTest("every screen is accessible, and wider than no window", async (home, browser, port, sam) => {
  const ira = joinWeb(home, longName, port);
  const page = await browser.open(ira);
  await shows(page, "In the room");
  await sam.type(`${rightToLeft}\n${long}\nhttps://example.org/${"path/".repeat(40)}\n`);
  await shows(page, "https://example.org/");
  const path = `${home.dir}/a file with a rather long name, to see how it is cut or wrapped.txt`;
  await Deno.writeTextFile(path, "x");
  await sam.type(`/send ${path}\n`);
  await shows(page, "a file with a rather long name");
  const screens: readonly [string, () => Promise<void>, () => Promise<void>][] = [
    ["the log", async () => {}, async () => {}],
    [
      "an answer",
      async () => {
        await says(page, "/help");
        await page.getByRole("dialog", { name: "Answer" }).waitFor();
      },
      () => page.keyboard.press("Escape"),
    ],
    [
      "search",
      async () => {
        await page.getByRole("button", { name: "Search" }).click();
        await page.getByPlaceholder("Words that all occur").fill("english");
        await page.keyboard.press("Enter");
        await page.locator("#search-found li").first().waitFor();
      },
      () => page.keyboard.press("Escape"),
    ],
  ];
  for (const [look, { width = 1000, height = 700, dark, forced }] of looks) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({
      colorScheme: dark ? "dark" : "light",
      forcedColors: forced ? "active" : "none",
    });
    for (const [screen, open, close] of screens) {
      await open();
      await assertAccessible(page, `${screen}, ${look}`);
      await assertFits(page, `${screen}, ${look}`);
      await close();
    }
    if (width > 700) continue;
    for (const name of ["Rooms", "People"]) {
      const shows = page.getByRole("button", { name, exact: true });
      await shows.click();
      await assertAccessible(page, `${name}, ${look}`);
      await assertFits(page, `${name}, ${look}`);
      await shows.click();
    }
  }
  ira.kill("SIGTERM");
  await page.getByRole("heading", { name: "chat has ended" }).waitFor();
  await assertAccessible(page, "ended");
});

async function assertFits(page: Page, what: string): Promise<void> {
  const wide = await page.evaluate(`[...document.querySelectorAll("body *")].filter((each) => {
    const { left, right, width } = each.getBoundingClientRect();
    return width > 1 && each.checkVisibility() && (right > innerWidth + 1 || left < -1);
  }).map((each) => each.tagName + "#" + each.id + "." + each.className)`);
  assertEquals(wide, [], what);
}

webTest(
  "all of it by keys alone: rooms, log, people, digits, files, search, and back",
  async (home, browser, port, sam) => {
    const page = await browser.open(joinWeb(home, "ira", port));
    await shows(page, "In the room");
    const focused = () =>
      page.evaluate(
        "document.activeElement.id || document.activeElement.dataset.room || document.activeElement.dataset.person || document.activeElement.textContent",
      );
    const press = (key: string) => page.keyboard.press(key);
    assertEquals(await focused(), "text");
    await page.keyboard.type("by keys");
    await press("Enter");
    await sam.shows("ira: by keys");
    await press("ArrowUp");
    assertEquals(await page.locator("#text").inputValue(), "by keys");
    await press("ArrowDown");
    assertEquals(await page.locator("#text").inputValue(), "");
    await page.keyboard.type("/jo");
    await press("Tab");
    await until("completed", async () => await page.locator("#text").inputValue() === "/join ");
    await page.keyboard.type("dev");
    await press("Enter");
    await page.getByRole("heading", { name: "dev", level: 1 }).waitFor();
    await press("Alt+ArrowUp");
    await page.getByRole("heading", { name: "lobby", level: 1 }).waitFor();
    const round = [];
    for (let i = 0; i < 4; i++) {
      await press("F6");
      round.push(await focused());
    }
    assertEquals(round, ["log", "lobby", "sam", "text"]);
    await press("Shift+F6");
    assertEquals(await focused(), "sam");
    await press("Enter");
    await page.getByRole("dialog", { name: "sam" }).waitFor();
    await press("Tab");
    await press("Tab");
    await press("Tab");
    assertEquals(await focused(), "person-verify");
    await press("Enter");
    await page.getByRole("alertdialog", { name: "Are they the same" }).waitFor();
    await press("Tab");
    await press("Tab");
    assertEquals(await focused(), "question-yes");
    await press("Enter");
    await page.locator("button.person", { hasText: "here, admin, verified" }).waitFor();
    await until("back", async () => await focused() === "text");
    await press("Control+Shift+F");
    await page.keyboard.type("keys");
    await press("Enter");
    await page.locator("#search-found", { hasText: "by keys" }).waitFor();
    await press("Escape");
    await until("back", async () => await focused() === "text");
    await page.keyboard.type("not a command that Tab would keep here ");
    await press("Tab"); // after a blank it leaves, as everywhere
    assertEquals(await focused(), "attach");
    await press("Escape");
    assertEquals(await focused(), "text");
  },
);

webTest(
  "who listens hears each line of others once, and no own one, no time and no history",
  async (home, browser, port, sam) => {
    const ira = joinWeb(home, "ira", port);
    const page = await browser.open(ira);
    await shows(page, "In the room");
    await shows(page, "is kept on this machine"); // the last of the news
    // What a screen reader is told: what is added where the nearest live region above it is not off.
    await page.evaluate(`globalThis.heard = [];
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) {
        const element = node.nodeType === 1 ? node : node.parentElement;
        const region = element.closest("[aria-live], [role=log], [role=status], [role=alert]");
        if (!region || region.getAttribute("aria-live") === "off") continue;
        const copy = element.cloneNode(true);
        for (const hidden of copy.querySelectorAll("[aria-hidden=true]")) hidden.remove();
        heard.push(copy.textContent);
      }
    }).observe(document.body, { childList: true, subtree: true })`);
    await sam.type("one\ntwo\n");
    await shows(page, "two");
    await says(page, "an own one");
    await sam.shows("an own one");
    await shows(page, "an own one");
    await sam.type("three\n");
    await shows(page, "three");
    const heard = await page.evaluate("heard") as string[];
    assertEquals(heard.filter((text) => text.trim() !== ""), ["sam: one", "sam: two", "sam: three"]);
    await page.evaluate("heard.length = 0");
    await page.reload();
    await shows(page, "three");
    const tree = await page.getByRole("main").ariaSnapshot();
    assert(tree.includes("log") && tree.includes("sam: three"), tree);
  },
);

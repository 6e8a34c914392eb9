/** Trust in the page: a server that is met, digits that are compared, a key that has changed, and texts that attack. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { active, hostileTexts } from "../fakes/hostile_texts.ts";
import { until } from "../fakes/until.ts";
import {
  assertAccessible,
  giveKeys,
  hasChromium,
  joinWeb,
  linesOf,
  says,
  shows,
  TestBrowser,
} from "./browser.ts";
import { type ChatProcess, e2e, freePort, type Home } from "./chat_process.ts";

function webTest(name: string, act: (home: Home, browser: TestBrowser) => Promise<void>): void {
  e2e(name, async (home) => {
    await giveKeys(home);
    const browser = await TestBrowser.start();
    try {
      await act(home, browser);
    } finally {
      await browser.close();
    }
    assertEquals(browser.complaints, []);
  }, !hasChromium);
}

async function serve(home: Home, ...flags: string[]): Promise<{ port: string; server: ChatProcess }> {
  const port = String(freePort());
  const server = home.start("serve", "-p", port, ...flags);
  await server.shows("Invite:");
  return { port, server };
}

webTest(
  "a server that is met is asked about with its digits, and no stray key answers",
  async (home, browser) => {
    const { port } = await serve(home, "--host", "0.0.0.0");
    const ira = joinWeb(home, "ira", port, "-s", "0.0.0.0");
    const page = await browser.open(ira);
    const dialog = page.getByRole("alertdialog", { name: "Is it the same" });
    await dialog.waitFor();
    assertMatch((await dialog.locator(".groups").innerText()).replace(/\s+/g, " "), /^(\d{5} ){11}\d{5}$/);
    await assertAccessible(page, "first contact");
    // Whoever was typing, presses Esc, or clicks beside it, has answered nothing.
    await page.keyboard.type("hello there ");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await page.mouse.click(5, 5);
    assert(await dialog.isVisible());
    await page.reload();
    await dialog.waitFor();
    await dialog.getByRole("button", { name: "It is the same: go on" }).click();
    await shows(page, "In the room");
    await dialog.waitFor({ state: "hidden" });
  },
);

webTest("who does not go on is not there, and nothing was sent", async (home, browser) => {
  const { port } = await serve(home, "--host", "0.0.0.0");
  const ira = joinWeb(home, "ira", port, "-s", "0.0.0.0");
  const page = await browser.open(ira);
  await page.getByRole("button", { name: "Do not go on" }).click();
  await page.getByRole("heading", { name: "chat has ended" }).waitFor();
  assert(await ira.code !== 0);
});

webTest("digits are compared in a dialog, and who was verified is shown as that", async (home, browser) => {
  const { port } = await serve(home);
  const sam = home.start("join", "-u", "sam", "-p", port);
  await sam.shows("In the room", "err");
  const page = await browser.open(joinWeb(home, "ira", port));
  await shows(page, "In the room");
  const person = page.locator("button.person", { hasText: "sam" });
  await page.locator("button.person", { hasText: "not verified" }).waitFor();
  await person.click();
  await page.getByRole("button", { name: "Compare digits" }).click();
  const dialog = page.getByRole("alertdialog", { name: "Are they the same" });
  await dialog.waitFor();
  const digits = (await dialog.locator(".groups").innerText()).replace(/\s+/g, " ");
  await sam.type("/verify ira\n");
  await sam.shows(digits, "err");
  await assertAccessible(page, "comparing digits");
  await dialog.getByRole("button", { name: "They are the same" }).dblclick();
  await page.locator("button.person", { hasText: /sam.*[^t] verified|here, admin, verified/ }).waitFor();
});

webTest(
  "a changed key is a dialog that nobody clicks away by mistake; accepting it needs a word",
  async (home, browser) => {
    const { port, server } = await serve(home, "--accounts", "sqlite:", "--registration", "open");
    const password = `${home.dir}/password`;
    await Deno.writeTextFile(password, "correct horse battery", { mode: 0o600 });
    const login = ["--password-file", password];
    const register = ["--register", ...login];
    const dana = home.start("join", "-u", "dana", "-p", port, ...register);
    await dana.shows("In the room", "err");
    const page = await browser.open(joinWeb(home, "ira", port, ...register));
    await shows(page, "In the room");
    const sam = home.start("join", "-u", "sam", "-p", port, ...register);
    await sam.shows("In the room", "err");
    await sam.type("with the old key\n");
    await shows(page, "with the old key");
    await server.type("release sam\n");
    await sam.code;
    await Deno.rename(`${home.dir}/.config/chat/profiles/sam`, `${home.dir}/old`);
    const again = home.start("join", "-u", "sam", "-p", port, ...login);
    // Her admin believes the new key; ira has to say so for herself.
    await dana.shows("wants to join as sam", "err");
    await dana.type("/kick sam\n");
    await dana.shows("removed sam", "err");
    await dana.type("/trust sam\n");
    const dialog = page.getByRole("alertdialog", { name: "The key of sam has changed" });
    await dialog.waitFor();
    await until("both digits", async () => await dialog.locator(".groups").count() === 2);
    const [old, fresh] = await dialog.locator(".groups").allInnerTexts();
    assert(old !== fresh);
    await until(
      "said aloud",
      async () => /The key of sam has changed from/.test(await page.locator("#alarm").textContent() ?? ""),
    );
    await assertAccessible(page, "a changed key");
    const accept = dialog.getByRole("button", { name: "Accept the new key" });
    assert(await accept.isDisabled());
    await page.keyboard.press("Escape");
    await page.keyboard.press("Enter");
    assert(await dialog.isVisible());
    await dialog.getByRole("button", { name: "Not now" }).click();
    await dialog.waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Compare keys" }).click();
    await dialog.getByRole("checkbox").check();
    await accept.click();
    await page.locator("#worry").waitFor({ state: "hidden" });
    await says(page, "to the new one");
    await again.shows("ira: to the new one");
  },
);

webTest(
  "texts that attack are text: no element, no address that is none, nothing fetched",
  async (home, browser) => {
    const { port } = await serve(home, "--send-burst", "5000", "--sends-per-second", "5000");
    const page = await browser.open(joinWeb(home, "ira", port));
    await shows(page, "In the room");
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const bot = home.start("join", "-u", "sam", "-p", port, "--json");
    await bot.shows('"type":"entered"');
    const more = [
      "<img src=x onerror=alert(1)>",
      '<a href="javascript:alert(1)">x</a>',
      "<svg/onload=alert(1)>",
      "<style>*{display:none}</style>",
      "javascript:alert(1) data:text/html,x file:///etc/passwd",
      "https://user:pass@example.org/ http://:www.bank.example@evil.example/login http://xn--e1awd7f.com https://еxample.org/ HTTP://EXAMPLE.org.",
      "&lt;b&gt; ${alert(1)} {{alert(1)}}",
      "](javascript:alert(1)) [x](http://a.b)",
    ];
    const texts = [...hostileTexts.map(({ text }) => text).filter((text) => text.trim() !== ""), ...more];
    for (const text of texts) await bot.type(`${JSON.stringify({ type: "say", text })}\n`);
    await bot.type(`${JSON.stringify({ type: "say", text: "the last" })}\n`);
    await shows(page, "the last");
    const tags = await page.evaluate(
      '[...new Set([...document.querySelectorAll("#lines .said *")].map((each) => each.tagName))].sort()',
    );
    assertEquals(tags, ["A", "BDI", "SPAN"]);
    const links = await page.evaluate(
      '[...document.querySelectorAll("#lines a")].map(({ href, textContent }) => [href, textContent])',
    ) as string[][];
    for (const [href, text] of links) {
      assertEquals(href, text);
      assertMatch(href, /^https?:\/\/[a-z0-9.-]+[/:?#]?/);
      assert(!href.includes("@"), href);
    }
    assert(links.some(([href]) => href === "https://xn--xample-2of.org/"), JSON.stringify(links));
    for (const line of await linesOf(page)) assertEquals(active.exec(line), null);
    assertEquals(asked, []);
  },
);

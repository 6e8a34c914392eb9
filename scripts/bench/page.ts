/**
 * The page's own figures (`deno task bench:page`), with the built executable in Debian's Chromium: from the link to the
 * first line; from Enter to the line being stored, beside a program at --json; the page's heap with 2,000 lines.
 *
 * Both times are taken inside the page.
 */

import { joinWeb, linkOf, newLink, shows, TestBrowser } from "../../tests/e2e/browser.ts";
import { type ChatProcess, freePort, Home } from "../../tests/e2e/chat_process.ts";
import { until } from "../../tests/fakes/until.ts";
import { median } from "./rows.ts";

const lines = 2000, reps = 20;

/** Milliseconds from a line to its being stored, as a program sees it. */
async function atProgram(bot: ChatProcess, n: number): Promise<number> {
  const text = `from the program ${n}`;
  const began = performance.now();
  await bot.type(`${JSON.stringify({ type: "say", text })}\n`);
  await until("stored", () => bot.out.includes(`"own":true`) && bot.out.includes(`"text":"${text}"`), {
    everyMs: 0,
  });
  return performance.now() - began;
}

/** Milliseconds from the start of the page's loading. */
const firstLine = `new MutationObserver((_, observer) => {
  if (!document.querySelector("#lines li")) return;
  globalThis.firstLineMs = performance.now();
  observer.disconnect();
}).observe(document, { childList: true, subtree: true })`;

const stored = (text: string) =>
  `new Promise((resolve) => {
    const input = document.getElementById("text");
    input.value = ${JSON.stringify(text)};
    const began = performance.now();
    new MutationObserver((_, observer) => {
      if (!document.querySelector("#lines").lastElementChild?.textContent.includes(${
    JSON.stringify(text)
  })) return;
      observer.disconnect();
      resolve(performance.now() - began);
    }).observe(document.querySelector("#lines"), { childList: true });
    document.getElementById("composer").requestSubmit();
  })`;

const home = new Home();
const browser = await TestBrowser.start();
try {
  const port = String(freePort());
  const server = home.start(
    "serve",
    "-p",
    port,
    "--send-burst=5000",
    "--sends-per-second=5000",
    "--work-burst-ms=60000",
  );
  await server.shows("Invite:");
  const bot = home.start("join", "-u", "bot", "-p", port, "--json");
  await bot.shows('"type":"entered"');
  const ira = joinWeb(home, "ira", port);
  const first = await browser.open(ira);
  await shows(first, "In the room");
  const opened: number[] = [], typed: number[] = [], said: number[] = [];
  for (let i = 0; i < 5; i++) {
    const link = await newLink(ira);
    const page = await browser.page(link, { script: firstLine });
    await page.locator("#lines li").first().waitFor();
    opened.push(await page.evaluate("firstLineMs") as number);
    await page.close();
  }
  await linkOf(ira);
  const page = await browser.page(await newLink(ira));
  await shows(page, "In the room");
  for (let i = 0; i < reps; i++) {
    typed.push(await page.evaluate(stored(`from the page ${i}`)) as number);
    said.push(await atProgram(bot, i));
  }
  for (let i = 0; i < lines; i++) {
    await bot.type(`${JSON.stringify({ type: "say", text: `line number ${i}, as people write` })}\n`);
  }
  await page.locator("#log").getByText(`line number ${lines - 1},`).waitFor({ timeout: 60_000 });
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  const ms = (values: readonly number[]) => `${median(values).toFixed(0)} ms`;
  console.log(`link to first line   ${ms(opened)} (median of ${opened.length})`);
  console.log(`typed to stored      ${ms(typed)} in the page, ${ms(said)} at --json (medians of ${reps})`);
  console.log(`heap at ${lines} lines   ${(usedSize / 1e6).toFixed(1)} MB`);
} finally {
  await browser.close();
  await home.close();
}

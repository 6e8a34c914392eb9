/** A browser: Debian's Chromium, driven over its own protocol, with the page of the built executable in it. */

import type { Browser, Page } from "playwright-core";
import { chromium } from "./playwright.ts";
import axe from "axe-core";
import { assertEquals } from "@std/assert";
import { dirname } from "@std/path";
import { person } from "../fakes/people.ts";
import { hasTool } from "../fakes/tools.ts";
import { until } from "../fakes/until.ts";
import type { ChatProcess, Home } from "./chat_process.ts";

const executablePath = "/usr/bin/chromium";
/** Without it the tests show as ignored; where CI is, `task setup` has failed before. */
export const hasChromium = hasTool(executablePath);

/** How a page is looked at. */
export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  readonly forced?: boolean;
  /** Runs in the page before anything of its own. */
  readonly script?: string;
}

/** The browser of one test. */
export class TestBrowser {
  /** What the pages have complained of. */
  readonly complaints: string[] = [];

  private constructor(private readonly browser: Browser) {}

  static async start(): Promise<TestBrowser> {
    const args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
    return new TestBrowser(await chromium.launch({ executablePath, args }));
  }

  /** A page of its own, with nothing from others. */
  async page(
    url: string,
    { width = 1000, height = 700, dark = false, forced = false, script }: Look = {},
  ): Promise<Page> {
    const context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? "dark" : "light",
      forcedColors: forced ? "active" : "none",
    });
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    if (script !== undefined) await page.addInitScript(script);
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    await page.goto(url);
    return page;
  }

  /** The page of a program, let in by its first link. */
  async open(program: ChatProcess, look?: Look): Promise<Page> {
    const page = await this.page(await linkOf(program), look);
    await page.locator("#app").waitFor();
    return page;
  }

  async close(): Promise<void> {
    await this.browser.close();
  }
}

/** The newest link that a program has printed. */
export async function linkOf(program: ChatProcess): Promise<string> {
  await program.shows("http://127.0.0.1:");
  return program.out.match(/http:\/\/127\.0\.0\.1:\d+\/#[\w-]+/g)!.at(-1)!;
}

/** A new one. */
export async function newLink(program: ChatProcess): Promise<string> {
  const before = await linkOf(program);
  await program.type("\n");
  await until("a new link", async () => await linkOf(program) !== before);
  return await linkOf(program);
}

/** Keys for the server and for three people: making them would take longer than what is tested. */
export async function giveKeys({ dir }: Home): Promise<void> {
  const places = [
    ["server", ".local/share/chat/server/server"],
    ["ira", ".config/chat/profiles/ira/client"],
    ["sahnawaz", ".config/chat/profiles/sam/client"],
    ["dana", ".config/chat/profiles/dana/client"],
  ];
  for (const [recorded, place] of places) {
    const path = `${dir}/${place}_private_key.pem`;
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(path, (await person(recorded)).privatePem, { mode: 0o600 });
  }
}

/** Somebody at a page, before anything is opened. */
export function joinWeb(home: Home, name: string, port: string, ...more: string[]): ChatProcess {
  return home.start("join", "-u", name, "-p", port, "--web", ...more);
}

/** Lines of the log as they are read. */
export async function linesOf(page: Page): Promise<string[]> {
  return (await page.locator("#lines li.message .said").allInnerTexts()).map((text) => text.trim());
}

export async function says(page: Page, text: string): Promise<void> {
  await page.locator("#text").fill(text);
  await page.locator("#text").press("Enter");
}

export async function shows(page: Page, text: string): Promise<void> {
  await page.locator("#log").getByText(text).first().waitFor();
}

/** Nothing that axe knows of is wrong with what is on the screen. */
export async function assertAccessible(page: Page, what: string): Promise<void> {
  await page.evaluate(axe.source);
  const wrong = await page.evaluate(
    `axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) =>
    id + ": " + nodes.map(({ html, failureSummary }) => html + " " + failureSummary).join("; ")))`,
  );
  assertEquals(wrong, [], what);
}

/** PagePicture: makes scripts/page-light.png and scripts/page-dark.png: the real executable's page, in Debian's Chromium. */

import { until } from "../tests/fakes/until.ts";
import { joinWeb, says, shows, TestBrowser } from "../tests/e2e/browser.ts";
import { freePort, Home } from "../tests/e2e/chat_process.ts";

const home = new Home();
const browser = await TestBrowser.start();
try {
  const port = String(freePort());
  await home.start("serve", "-p", port).shows("Invite:");
  const ira = joinWeb(home, "ira", port);
  const page = await browser.open(ira, { width: 900, height: 560 });
  await shows(page, "In the room");
  const sam = home.start("join", "-u", "sam", "-p", port);
  await sam.shows("In the room", "err");
  const dana = home.start("join", "-u", "dana", "-p", port);
  await dana.shows("In the room", "err");
  await says(page, "/clear");
  await says(page, "The report is due on Friday.");
  await sam.shows("due on Friday");
  await sam.type("I have the numbers; who has the charts?\n");
  await shows(page, "who has the charts");
  await dana.type("Me. They are at https://charts.example.org/2026/q4\n");
  await shows(page, "They are at");
  const path = `${home.dir}/report.pdf`;
  await Deno.writeFile(path, new Uint8Array(1_234_567));
  await sam.type(`/send ${path}\n`);
  await shows(page, "report.pdf");
  await page.getByLabel("Enter or make a room").fill("release");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByRole("heading", { name: "release", level: 1 }).waitFor();
  await page.locator("button.room", { hasText: "lobby" }).click();
  await shows(page, "report.pdf");
  await page.locator("#text").fill("Thank you both. I put it together tonight");
  await until("verified or not", async () => await page.locator("button.person").count() === 3);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const file = `scripts/page-${colorScheme}.png`;
    await page.screenshot({ path: file });
    console.log(file);
  }
} finally {
  await browser.close();
  await home.close();
}

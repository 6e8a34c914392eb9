/** Playwright, loaded so that it needs no more than the permissions of the tests: it would look for Windows under /proc. */

Deno.env.set("__IS_WSL_TEST__", "1");

export const { chromium } = await import("playwright-core");

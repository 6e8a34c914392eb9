/**
 * What the program may do, and how, as flags: for the executable, and for what starts the program beside the tasks. The
 * set itself is "chat" in deno.json: hosts and folders are the person's choice, so network and files cannot be narrowed
 * further; running programs, native libraries, system information and imports stay closed.
 */

import config from "../deno.json" with { type: "json" };

/**
 * Young objects get little room: the handshakes of a crowd would otherwise leave a large heap behind. Measured with
 * 500 members: 95 instead of 150 kB of resident memory for each, and no slower.
 */
export const runtimeFlags: readonly string[] = ["--v8-flags=--max-semi-space-size=2"];

/** The set as flags. */
export const permissions: readonly string[] = Object.entries(config.permissions.chat).map(([name, granted]) =>
  granted === true ? `--allow-${name}` : `--allow-${name}=${(granted as string[]).join(",")}`
);

/** How the bundled program is run by the Deno that lies beside it: with nothing fetched and nobody asked. */
export const runFlags: readonly string[] = [
  "--quiet",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--no-prompt",
  ...runtimeFlags,
  ...permissions,
];

/** WindowsZip: Deno, the bundle and a starter in one folder, for Windows where there is no stub. */

import { zipSync } from "fflate";
import { runFlags } from "../permissions.ts";

/** Makes it. @param deno path of the target's Deno */
export async function makeWindowsZip(output: string, bundle: string, deno: string): Promise<void> {
  const files = {
    "chat/deno.exe": await Deno.readFile(deno),
    "chat/app.js": await Deno.readFile(bundle),
    "chat/chat.cmd": new TextEncoder().encode(starter()),
  };
  await Deno.writeFile(output, zipSync(files, { level: 6, mtime: new Date("2026-01-01") }));
}

function starter(): string {
  return [
    "@echo off",
    "setlocal",
    "set DENO_NO_UPDATE_CHECK=1",
    'set "CHAT_STARTED_AS=chat"',
    `"%~dp0deno.exe" run ${runFlags.join(" ")} "%~dp0app.js" %*`,
    "exit /b %ERRORLEVEL%",
    "",
  ].join("\r\n");
}

/** SelfExtracting: one file of a shell head, the Deno binary and the bundle, for where there is no stub (Linux, macOS). */

import { encodeHex } from "@std/encoding/hex";
import { runFlags } from "../permissions.ts";
import { need } from "./run_tool.ts";

/** Makes it. @param deno path of the target's Deno */
export async function makeSelfExtracting(
  output: string,
  bundle: string,
  deno: string,
  work: string,
): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: work });
  await Deno.copyFile(bundle, `${folder}/app.js`);
  await Deno.copyFile(deno, `${folder}/deno`);
  await Deno.chmod(`${folder}/deno`, 0o755);
  await need("tar", ["-czf", "payload", "deno", "app.js"], { cwd: folder });
  const payload = await Deno.readFile(`${folder}/payload`);
  const head = headFor({
    SUM: await sum(payload),
    DENO_SIZE: String((await Deno.stat(deno)).size),
    DENO_SUM: await sum(await Deno.readFile(deno)),
    APP_SIZE: String((await Deno.stat(bundle)).size),
    APP_SUM: await sum(await Deno.readFile(bundle)),
    FLAGS: runFlags.join(" "),
  });
  const file = await Deno.open(`${folder}/chat`, { write: true, create: true, mode: 0o755 });
  for (const part of [head, payload]) {
    for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
  }
  file.close();
  await Deno.rename(`${folder}/chat`, output);
  await Deno.remove(folder, { recursive: true });
}

async function sum(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return encodeHex(await crypto.subtle.digest("SHA-256", bytes));
}

/** The shell head, which must know its own length. */
function headFor(values: Record<string, string>): Uint8Array {
  let head = Deno.readTextFileSync(new URL("../self_extract.sh", import.meta.url));
  for (const [name, value] of Object.entries(values)) head = head.replace(`@${name}@`, value);
  const skip = new TextEncoder().encode(head).length - "@SKIP@".length;
  const digits = String(skip + 5).length;
  return new TextEncoder().encode(head.replace("@SKIP@", String(skip + digits)));
}

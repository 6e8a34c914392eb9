/**
 * Makes the executables: `deno task compile` for this machine (dist/chat), `--all` for every target.
 *
 * `deno compile` needs a runtime stub that is fetched from the Deno download site. Where that cannot be
 * reached, the self-extracting form is made instead (self_extract.sh): same name, same behaviour, from the
 * Deno binary that npm carries. Windows has no such form, as it needs a POSIX shell.
 */

import { encodeHex } from "@std/encoding/hex";
import { permissions, runtimeFlags } from "./permissions.ts";

interface Target {
  readonly triple: string;
  readonly name: string;
  readonly npm: string;
}

const targets: readonly Target[] = [
  { triple: "x86_64-unknown-linux-gnu", name: "chat-linux-x86_64", npm: "@deno/linux-x64-glibc" },
  { triple: "aarch64-unknown-linux-gnu", name: "chat-linux-arm64", npm: "@deno/linux-arm64-glibc" },
  { triple: "x86_64-apple-darwin", name: "chat-macos-x86_64", npm: "@deno/darwin-x64" },
  { triple: "aarch64-apple-darwin", name: "chat-macos-arm64", npm: "@deno/darwin-arm64" },
  { triple: "x86_64-pc-windows-msvc", name: "chat-windows-x86_64.exe", npm: "@deno/win32-x64" },
  { triple: "aarch64-pc-windows-msvc", name: "chat-windows-arm64.exe", npm: "@deno/win32-arm64" },
];

const dist = "dist";

async function run(
  command: string,
  args: string[],
  cwd?: string,
): Promise<{ ok: boolean; out: string; text: string }> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd }).output();
  const decoder = new TextDecoder();
  const out = decoder.decode(stdout);
  return { ok: success, out, text: out + decoder.decode(stderr) };
}

/** `deno compile` with the narrow permissions baked in. @returns false when there is no stub */
async function compileNative(output: string, target: Target | null): Promise<boolean> {
  // It would not replace a file that it did not make.
  await Deno.remove(output).catch(() => {});
  const args = ["compile", "--no-prompt", ...runtimeFlags, ...permissions, "-o", output];
  if (target) args.push("--target", target.triple);
  const { ok, text } = await run(Deno.execPath(), [...args, "main.ts"]);
  if (!ok && !/denort|download|dns error|connect|status/i.test(text)) throw new Error(text);
  return ok;
}

/** The self-extracting form around the Deno binary at `deno`. */
async function selfExtracting(output: string, deno: string): Promise<void> {
  const work = await Deno.makeTempDir({ dir: dist });
  try {
    const bundled = await run(Deno.execPath(), [
      "bundle",
      "--platform=deno",
      "-o",
      `${work}/app.js`,
      "main.ts",
    ]);
    if (!bundled.ok) throw new Error(bundled.text);
    await Deno.copyFile(deno, `${work}/deno`);
    const packed = await run("tar", ["-czf", "payload", "deno", "app.js"], work);
    if (!packed.ok) throw new Error(packed.text);
    const payload = await Deno.readFile(`${work}/payload`);
    const sum = encodeHex(await crypto.subtle.digest("SHA-256", payload));
    const head = await headFor(sum);
    const file = await Deno.open(`${work}/chat`, { write: true, create: true, mode: 0o755 });
    for (const part of [head, payload]) {
      for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
    }
    file.close();
    await Deno.rename(`${work}/chat`, output);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** The shell head, which must know its own length. */
async function headFor(sum: string): Promise<Uint8Array> {
  const template = (await Deno.readTextFile("scripts/self_extract.sh"))
    .replace("@SUM@", sum).replace("@PERMISSIONS@", [...runtimeFlags, ...permissions].join(" "));
  const skip = new TextEncoder().encode(template).length - "@SKIP@".length;
  const digits = String(skip + 5).length;
  return new TextEncoder().encode(template.replace("@SKIP@", String(skip + digits)));
}

/** The Deno binary of another platform, from npm. */
async function fetchDeno(target: Target, work: string): Promise<string | null> {
  const fetched = await run("npm", ["pack", "--silent", `${target.npm}@${Deno.version.deno}`], work);
  if (!fetched.ok) return null;
  const archive = fetched.out.trim().split("\n").at(-1)!;
  const unpacked = await run("tar", ["-xzf", archive, "package/deno"], work);
  return unpacked.ok ? `${work}/package/deno` : null;
}

async function makeOne(output: string, target: Target | null): Promise<boolean> {
  if (await compileNative(output, target)) {
    console.log(`${output}: compiled`);
    return true;
  }
  if (target?.triple.includes("windows")) {
    console.log(`${target.name}: not made: its runtime stub cannot be fetched from here`);
    return false;
  }
  if (!target) {
    await selfExtracting(output, Deno.execPath());
  } else {
    const work = await Deno.makeTempDir({ dir: dist });
    try {
      const deno = await fetchDeno(target, work);
      if (deno === null) {
        console.log(
          `${target.name}: not made: neither its runtime stub nor its Deno can be fetched from here`,
        );
        return false;
      }
      await selfExtracting(output, deno);
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  }
  console.log(`${output}: self-extracting, since the runtime stub cannot be fetched from here`);
  return true;
}

async function writeSums(): Promise<void> {
  const names = [...Deno.readDirSync(dist)].filter((e) => e.isFile && e.name.startsWith("chat")).map((e) =>
    e.name
  );
  const lines = await Promise.all(
    names.sort().map(async (name) => {
      const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(`${dist}/${name}`));
      return `${encodeHex(digest)}  ${name}\n`;
    }),
  );
  await Deno.writeTextFile(`${dist}/SHA256SUMS`, lines.join(""));
}

await Deno.mkdir(dist, { recursive: true });
const own = Deno.build.os === "windows" ? "chat.exe" : "chat";
let missing = 0;
if (Deno.args.includes("--all")) {
  for (const target of targets) if (!await makeOne(`${dist}/${target.name}`, target)) missing++;
} else if (!await makeOne(`${dist}/${own}`, null)) missing++;
await writeSums();
console.log(`${dist}/SHA256SUMS`);
if (missing > 0) Deno.exit(1);

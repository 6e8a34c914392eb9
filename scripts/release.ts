/**
 * Makes a release in dist: the executables of all targets, packages for Debian, SHA256SUMS over all of them, and a
 * signature of that file by `ssh-keygen -Y` (PROTOCOL.sshsig): deno task release --key FILE
 */

import { version } from "../lib/version.ts";
import { makeDeb } from "./executables/deb_package.ts";
import { fetchDeno } from "./executables/deno_package.ts";
import { need } from "./executables/run_tool.ts";
import { targets } from "./executables/targets.ts";

const dist = "dist";
const namespace = "chat-release";
const debian = [["amd64", "x86_64-unknown-linux-gnu"], ["arm64", "aarch64-unknown-linux-gnu"]] as const;

const at = Deno.args.indexOf("--key");
const key = at < 0 ? null : Deno.args[at + 1];
const only = Deno.args.includes("--deb-only");

if (!only) {
  console.log(await need(Deno.execPath(), ["run", "-q", "-P=compile", "scripts/compile.ts", "--all"]));
}
const work = await Deno.makeTempDir({ dir: dist, prefix: ".work-" });
const made: string[] = [];
try {
  const bundle = `${work}/app.js`;
  await need(Deno.execPath(), ["bundle", "--platform=deno", "-o", bundle, "main.ts"]);
  for (const [architecture, triple] of debian) {
    const target = targets.find((each) => each.triple === triple)!;
    if (only && triple !== Deno.build.target) continue;
    const deno = triple === Deno.build.target ? Deno.execPath() : await fetchDeno(target, work);
    made.push(await makeDeb(dist, bundle, deno, architecture, work));
    console.log(made.at(-1));
  }
} finally {
  await Deno.remove(work, { recursive: true });
}
if (!only) {
  const names = [...targets.map(({ name }) => name)].flatMap((name) =>
    [name, `${name}.exe`, `${name}.zip`].filter((each) => {
      try {
        return Deno.statSync(`${dist}/${each}`).isFile;
      } catch {
        return false;
      }
    })
  );
  const all = [...names, ...made.map((path) => path.slice(dist.length + 1))].toSorted();
  await Deno.writeTextFile(`${dist}/SHA256SUMS`, await need("sha256sum", all, { cwd: dist }));
  await Deno.remove(`${dist}/SHA256SUMS.sig`).catch(() => {});
  if (key === null) {
    console.log(
      `${dist}/SHA256SUMS of version ${version}, not signed: give --key FILE (an Ed25519 key of ssh-keygen)`,
    );
  } else {
    await need("ssh-keygen", ["-q", "-Y", "sign", "-f", key, "-n", namespace, `${dist}/SHA256SUMS`]);
    console.log(`${dist}/SHA256SUMS.sig`);
  }
}

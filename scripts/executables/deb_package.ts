/**
 * DebPackage: a package for Debian, made by dpkg-deb: Deno and the program unpacked, the service with its console, manual
 * page and completions, and a user of its own.
 */

import { version } from "../../lib/version.ts";
import { runFlags } from "../permissions.ts";
import { need } from "./run_tool.ts";

const files = new URL("../package/", import.meta.url);
const shells = [
  ["bash", "usr/share/bash-completion/completions/chat"],
  ["zsh", "usr/share/zsh/vendor-completions/_chat"],
  ["fish", "usr/share/fish/vendor_completions.d/chat.fish"],
] as const;

/** Makes it in `dist`. @param architecture as Debian calls it @returns its path */
export async function makeDeb(
  dist: string,
  bundle: string,
  deno: string,
  architecture: string,
  work: string,
): Promise<string> {
  const root = `${work}/deb-${architecture}`;
  const put = async (path: string, content: string | Uint8Array, mode = 0o644) => {
    await Deno.mkdir(`${root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true, mode: 0o755 });
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(`${root}/${path}`, bytes);
    await Deno.chmod(`${root}/${path}`, mode);
  };
  const source = (name: string) => Deno.readTextFileSync(new URL(name, files));
  const printed = (...args: string[]) => need(Deno.execPath(), ["run", "-q", "-P=chat", "main.ts", ...args]);

  await put("usr/lib/chat/deno", await Deno.readFile(deno), 0o755);
  await put("usr/lib/chat/app.js", await Deno.readFile(bundle));
  await put("usr/bin/chat", source("chat.sh").replace("@FLAGS@", runFlags.join(" ")), 0o755);
  for (const unit of ["chat.service", "chat.socket"]) {
    await put(`usr/lib/systemd/system/${unit}`, source(unit));
  }
  await put("etc/default/chat", source("chat.default"));
  await put("usr/share/man/man1/chat.1", await printed("completions", "man"));
  await need("gzip", ["-9n", `${root}/usr/share/man/man1/chat.1`]);
  for (const [shell, path] of shells) await put(path, await printed("completions", shell));
  await put("usr/share/doc/chat/copyright", await Deno.readTextFile("LICENSE"));
  await put("DEBIAN/control", control(architecture, await sizeOf(root)));
  await put("DEBIAN/conffiles", "/etc/default/chat\n");
  for (const script of ["postinst", "prerm", "postrm"]) await put(`DEBIAN/${script}`, source(script), 0o755);
  const output = `${dist}/chat-e2ee_${version}_${architecture}.deb`;
  await need("dpkg-deb", ["--root-owner-group", "-Zgzip", "--build", root, output]);
  return output;
}

/** In KiB, as dpkg wants it. */
async function sizeOf(root: string): Promise<number> {
  return Number((await need("du", ["-sk", root])).split("\t")[0]);
}

function control(architecture: string, size: number): string {
  return [
    "Package: chat-e2ee",
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    "Maintainer: the authors of chat <chat@localhost>",
    `Installed-Size: ${size}`,
    "Depends: libc6, libgcc-s1, passwd",
    "Section: net",
    "Priority: optional",
    "Description: end-to-end-encrypted group chat for the terminal that anyone can host",
    " One program to write keys, to run a room, and to talk in it. The server stores and",
    " orders what people say, and cannot read it.",
    "",
  ].join("\n");
}

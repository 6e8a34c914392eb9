/**
 * Installs what the tests drive and the machine lacks (openssl, socat, tmux, other shells, ssh-keygen, pgrep, groff, ip,
 * strace, MariaDB, Chromium, NATS and Python's cryptography) from Debian's packages where this is such a machine. Elsewhere it
 * says what is missing, and the tests that need it show as ignored; with CI=true that is an error.
 */

const needed: readonly { check: string; pkg: string }[] = [
  { check: "command -v openssl", pkg: "openssl" },
  { check: "command -v socat", pkg: "socat" },
  { check: "command -v ssh-keygen", pkg: "openssh-client" },
  { check: "command -v pgrep", pkg: "procps" },
  { check: "command -v tmux", pkg: "tmux" },
  { check: "command -v zsh", pkg: "zsh" },
  { check: "command -v fish", pkg: "fish" },
  { check: "command -v groff", pkg: "groff" },
  { check: "test -x /usr/sbin/ip || command -v ip", pkg: "iproute2" },
  { check: "command -v strace", pkg: "strace" },
  {
    check: "{ command -v mariadbd || test -x /usr/sbin/mariadbd; } && command -v mariadb-dump",
    pkg: "mariadb-server",
  },
  { check: "test -x /usr/bin/chromium", pkg: "chromium" },
  { check: '/usr/bin/python3 -c "import cryptography.fernet"', pkg: "python3-cryptography" },
];

async function succeeds(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "inherit" }).output()).success;
  } catch {
    return false;
  }
}

async function isThere(check: string): Promise<boolean> {
  return await succeeds("sh", ["-c", `${check} >/dev/null 2>&1`]);
}

const missing: string[] = [];
for (const { check, pkg } of needed) if (!await isThere(check)) missing.push(pkg);
if (missing.length > 0) {
  console.log(`Installing ${missing.join(", ")}`);
  const quiet = ["-qq", "-o", "Dpkg::Use-Pty=0"];
  const installed = await isThere("command -v apt-get") && await succeeds("apt-get", ["update", "-qq"]) &&
    await succeeds("apt-get", ["install", "-y", "--no-install-recommends", ...quiet, ...missing]);
  if (!installed) {
    console.error(
      `warning: ${missing.join(", ")} could not be installed; the tests that need it are ignored`,
    );
    if (Deno.env.get("CI") === "true") Deno.exit(1);
  }
}
if (!await succeeds("sh", ["scripts/nats_server.sh"])) {
  console.error("warning: nats-server 2.15 could not be fetched; the tests of clusters are ignored");
  if (Deno.env.get("CI") === "true") Deno.exit(1);
}

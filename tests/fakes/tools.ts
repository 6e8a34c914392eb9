/** Other programs that tests hold ours against; a test that needs a missing one shows as ignored. */

export function hasTool(command: string): boolean {
  try {
    return new Deno.Command("sh", { args: ["-c", `command -v ${command}`], stdout: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

/** Runs a program; its output and whether it succeeded. */
export async function run(
  command: string,
  args: string[],
  input?: Uint8Array | string,
): Promise<{ ok: boolean; out: Uint8Array; text: string }> {
  const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  if (input !== undefined) {
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input).catch(() => {});
  }
  await writer.close().catch(() => {});
  const { success, stdout, stderr } = await child.output();
  const decode = (b: Uint8Array) => new TextDecoder().decode(b);
  return { ok: success, out: stdout, text: decode(stdout) + decode(stderr) };
}

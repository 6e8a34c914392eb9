/** RunTool: another program, run to its end. */

/** What came of it. */
export interface ToolResult {
  readonly ok: boolean;
  /** Standard output. */
  readonly out: string;
  /** Both outputs. */
  readonly text: string;
}

/** Runs it. @param env beside ours */
export async function runTool(
  command: string,
  args: readonly string[],
  { cwd, env }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<ToolResult> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd, env }).output();
  const decoder = new TextDecoder();
  const out = decoder.decode(stdout);
  return { ok: success, out, text: out + decoder.decode(stderr) };
}

/** The same for what must succeed. @returns standard output @throws what the program has said */
export async function need(
  command: string,
  args: readonly string[],
  options: { cwd?: string } = {},
): Promise<string> {
  const { ok, out, text } = await runTool(command, args, options);
  if (!ok) throw new Error(`${command} ${args[0]}: ${text}`);
  return out;
}

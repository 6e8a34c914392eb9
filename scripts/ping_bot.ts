/**
 * A bot that answers "!ping", as an example of `chat join --json`:
 *
 *   scripts/deno run --allow-run=dist/chat scripts/ping_bot.ts dist/chat join -u bot --json
 *
 * It starts the command that it is given, reads one object a line from it and writes one object a line to it. When the
 * command ends, the bot ends with the same exit code.
 */

const [command, ...args] = Deno.args;
if (!command) {
  console.error("usage: ping_bot.ts CHAT join -u NAME --json [MORE]");
  Deno.exit(2);
}
const chat = new Deno.Command(command, { args, stdin: "piped", stdout: "piped" }).spawn();
const writer = chat.stdin.getWriter();
const say = (message: Record<string, unknown>) =>
  writer.write(new TextEncoder().encode(`${JSON.stringify({ v: 2, type: "say", ...message })}\n`));
// What was said while the bot was away is answered no more.
let isCaughtUp = false;
let rest = "";
for await (const text of chat.stdout.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + text).split("\n");
  rest = lines.pop()!;
  for (const line of lines) {
    const event = JSON.parse(line);
    if (event.v !== 2) throw new Error(`this bot speaks version 2, not ${event.v}`);
    if (event.type === "entered") {
      isCaughtUp = true;
      console.error(`listening in ${event.room}`);
    }
    // Of itself, and of other bots that answer, a bot must never answer what it says: "pong" is no "!ping".
    if (event.type !== "message" || event.own || !isCaughtUp || event.text.trim() !== "!ping") continue;
    await say({ text: `pong, ${event.from}`, room: event.room, ref: event.id });
  }
}
Deno.exit((await chat.status).code);

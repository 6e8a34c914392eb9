/**
 * SessionPicture: draws scripts/session.svg, the picture of the front page: the real executable, in a pseudo-terminal of
 * `script`, drawn by the terminal emulator of the tests.
 */

import { EmulatedTerminal } from "../tests/fakes/emulated_terminal.ts";
import { until } from "../tests/fakes/until.ts";

const columns = 88, rows = 21;
const executable = new URL("../dist/chat", import.meta.url).pathname;
const home = Deno.makeTempDirSync({ prefix: "chat-picture-" });

/** A program in a pseudo-terminal. */
class Pty {
  readonly terminal = new EmulatedTerminal(columns, rows);
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;

  constructor(command: string) {
    const args = ["-qfc", `stty cols ${columns} rows ${rows}; exec '${executable}' ${command}`, "/dev/null"];
    this.#child = new Deno.Command("script", {
      args,
      env: { CHAT_HOME: home, TERM: "xterm-256color", TZ: "UTC" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    void this.#read();
  }
  async #read(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.terminal.write(text);
    }
  }
  async press(keys: string): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(keys));
  }
  async shows(text: string): Promise<void> {
    const all = async () => (await this.terminal.all()).join("\n");
    let screen = "";
    await until(`"${text}"`, async () => (screen = await all()).includes(text), {
      instead: () => `:\n${screen}`,
    });
  }
  async end(keys: string): Promise<void> {
    await this.press(keys);
    await this.#child.status;
  }
}

/** In the dark, and in the light, as whoever looks has it. */
const themes = {
  dark: {
    back: "#16181f",
    text: "#d6dae4",
    1: "#e0707c",
    2: "#8fbf7f",
    3: "#d8b36a",
    4: "#7aa2f7",
    5: "#bb9af7",
    6: "#6fc3c9",
  },
  light: {
    back: "#ffffff",
    text: "#1b1e24",
    1: "#a3195b",
    2: "#3f6b00",
    3: "#8a4b00",
    4: "#1f5fbf",
    5: "#6a3fc0",
    6: "#006680",
  },
};

function rules({ back, text, ...colours }: typeof themes.dark): string {
  const each = Object.entries(colours).map(([n, colour]) => `.c${n}{fill:${colour}}`);
  return `.back{fill:${back}}.text{fill:${text};white-space:pre}${each.join("")}`;
}
const cell = 8.4, line = 19, pad = 16;

/** The screen as an SVG of text. */
async function draw(terminal: EmulatedTerminal): Promise<string> {
  const escaped = (text: string) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const texts = (await terminal.runs()).flatMap((runs, y) =>
    runs.filter(({ text }) => text.trim() !== "").map(({ column, text, colour, bold }) => {
      const shown = text.trimEnd();
      const begin = column + shown.length - shown.trimStart().length;
      const style = `${colour === null ? "" : ` class="c${colour}"`}${bold ? ' font-weight="700"' : ""}`;
      const width = (shown.trimStart().length * cell).toFixed(1);
      return `<text x="${(pad + begin * cell).toFixed(1)}" y="${
        pad + (y + 1) * line - 5
      }" textLength="${width}"${style}>` +
        `${escaped(shown.trimStart())}</text>`;
    })
  );
  const { x, y } = await terminal.cursor();
  const width = Math.ceil(2 * pad + columns * cell), height = 2 * pad + rows * line;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ` +
    `aria-label="A terminal with a chat in it">`,
    `<style>${rules(themes.dark)}@media(prefers-color-scheme:light){${rules(themes.light)}}</style>`,
    `<rect width="100%" height="100%" rx="8" class="back"/>`,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" ` +
    `class="text" xml:space="preserve">`,
    ...texts,
    `</g>`,
    `<rect x="${(pad + x * cell).toFixed(1)}" y="${pad + y * line + 2}" width="${cell}" height="${
      line - 3
    }" class="text"/>`,
    `</svg>`,
    "",
  ].join("\n");
}

const server = new Pty("serve");
await server.shows("Only this machine can join");
const ira = new Pty("join -u ira");
await ira.shows("lobby>");
const sam = new Pty("join -u sam");
await sam.shows("In the room: ira, sam");
await ira.shows("Username: sam (added by ira");
await ira.press("The report is due on Friday.\r");
await sam.shows("due on Friday");
await sam.press("I have the numbers; who has the charts?\r");
await ira.shows("who has the charts?");
const dana = new Pty("join -u dana");
await dana.shows("In the room: ira, sam, dana");
await ira.shows("Username: dana (added by ira");
await dana.press("Me. What did I miss? I see nothing from before.\r");
await ira.shows("nothing from before");
await ira.press("/who\r");
await ira.shows("confirmed");
await ira.press("That is the point: your keys begin with your");
await ira.shows("begin with your");
await Deno.writeTextFile("scripts/session.svg", await draw(ira.terminal));
for (const person of [dana, sam, ira]) await person.end("\x15EXIT\r");
await server.end("TERMINATE\r");
Deno.removeSync(home, { recursive: true });
console.log("scripts/session.svg");

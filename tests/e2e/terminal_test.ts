/** The executable in real terminals (tmux): keys, pastes, resizes, job control, and the terminal given back. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import stringWidth from "string-width";
import { e2e, executable, freePort, type Home } from "./chat_process.ts";
import { hasTmux, type Terminal, Terminals } from "./terminal.ts";

interface Room {
  readonly terminals: Terminals;
  readonly port: number;
  readonly ira: Terminal;
  readonly sam: Terminal;
}

/** Two people in two terminals. */
function inTwoTerminals(name: string, act: (room: Room, home: Home) => Promise<void>): void {
  e2e(name, async (home) => {
    const port = freePort();
    const server = home.start("serve", "-p", String(port));
    await server.shows("Invite:");
    const terminals = new Terminals(home);
    try {
      const ira = await terminals.open(`${executable} join -u ira -p ${port}`);
      await ira.shows("lobby>");
      const sam = await terminals.open("exec bash --norc -i");
      await sam.enter(`PS1='shell: '; ${executable} join -u sam -p ${port}`);
      await sam.shows("lobby>");
      await ira.shows("Username: sam");
      await act({ terminals, port, ira, sam }, home);
    } finally {
      await terminals.close();
    }
  }, !hasTmux);
}

inTwoTerminals(
  "keys, Tab, pastes and a window that changes: what is typed stays whole, what is said is said once",
  async ({ ira, sam }) => {
    await ira.type("Helo sam");
    await ira.press("Home", "C-Right", "Left", "Left");
    await ira.type("l");
    await ira.press("Enter");
    await sam.shows("ira: Hello sam");
    await ira.shows("ira: Hello sam");
    await sam.type("i");
    await sam.press("Tab");
    await sam.shows("lobby> ira:");
    await sam.enter("yes?");
    await ira.shows("sam: ira: yes?");

    await ira.type("draft ");
    await ira.paste("one\n/quit\nEXIT\nfour");
    await ira.shows("Pasted: 4 lines, 19 bytes. Send o: as one message, l: line by line, n: not at all");
    await ira.press("n", "Enter");
    await ira.shows("lobby> draft");
    await ira.press("C-u");
    await ira.paste("one\n/quit\nEXIT\nfour");
    await ira.press("l", "Enter");
    await sam.shows("ira: four");
    assertEquals((await sam.screen()).match(/ira: (one|\/quit|EXIT|four)\n/g)?.length, 4);

    const long =
      "日本語 and a line that is long enough to be broken when the window becomes narrow, at the end of it: 語";
    await ira.type(long);
    const width = stringWidth(`lobby> ${long}`);
    for (const [columns, rows] of [[60, 30], [35, 20], [120, 24], [100, 30]]) {
      await ira.resize(columns, rows);
      // tmux breaks its rows anew first, and tells the program a little later.
      const full = Math.min(columns - 1, width);
      await ira.until(`drawn at ${columns} columns`, (screen) => {
        const row = screen.split("\n").findLast((each) => each.startsWith("lobby>")) ?? "";
        return stringWidth(row) >= full - 2 && stringWidth(row) <= full;
      });
      await sam.enter(`at ${columns} columns`);
      await ira.until(
        `at ${columns}`,
        (screen) => screen.replaceAll(/\s/g, "").includes(`at${columns}columns`),
      );
    }
    await ira.until(
      "the line once",
      (screen) => screen.replaceAll("\n", "").split("lobby> 日本語").length === 2,
    );
    assertStringIncludes((await ira.all()).replaceAll("\n", ""), "sam: ira: yes?");
    await ira.press("Enter");
    await sam.until(
      "the line",
      (screen) => screen.replaceAll(/\s/g, "").includes(`ira:${long}`.replaceAll(/\s/g, "")),
    );
  },
);

inTwoTerminals(
  "rooms wait for their turn, with drafts and counts; Alt+2 and /switch show them",
  async ({ ira, sam }) => {
    await ira.enter("/join dev");
    await ira.shows("dev>");
    await sam.enter("/join dev");
    await sam.shows("dev>");
    await sam.press("M-1");
    await sam.shows("lobby>");
    await sam.type("for the lobby");
    await ira.enter("only for dev");
    await ira.enter("sam, look here");
    await sam.shows("[+] ira speaks of you in dev: Alt+2 or /switch dev shows it.");
    await sam.shows("lobby [2:dev 2 new]> for the lobby");
    assert(!(await sam.screen()).includes("only for dev"));
    await sam.press("M-2");
    await sam.shows("ira: sam, look here");
    await sam.until("an empty line", (screen) => screen.trimEnd().endsWith("dev>"));
    await sam.press("M-1");
    await sam.shows("lobby> for the lobby");
  },
);

inTwoTerminals(
  "Ctrl+Z and fg; every way out gives the terminal back as it was",
  async ({ ira, sam, port }) => {
    await sam.type("half a line");
    await sam.press("C-z");
    await sam.shows("Stopped");
    await ira.enter("while you were stopped");
    await ira.shows("ira: while you were stopped");
    await sam.enter("stty -a | tr ' ' '\\n' | grep -xE -- '-?(icanon|echo)' | tr '\\n' ','");
    await sam.shows("icanon,echo,");
    await sam.enter("fg");
    await sam.shows("ira: while you were stopped");
    await sam.shows("lobby> half a line");
    await sam.press("C-u");
    const ways: [string, () => Promise<void>][] = [
      ["Ctrl+C twice", () => sam.press("C-c", "C-c")],
      ["Ctrl+D", () => sam.press("C-d")],
      ["SIGTERM", () => sam.signal("TERM")],
      ["SIGHUP", () => sam.signal("HUP")],
    ];
    for (const [i, [way, leave]] of ways.entries()) {
      if (i > 0) {
        await sam.enter(`clear; ${executable} join -u sam -p ${port}`);
        await sam.shows("lobby>");
      }
      await leave();
      await sam.until(`back in the shell by ${way}`, (screen) => screen.trimEnd().endsWith("shell:"));
      await sam.enter("clear; stty -a | tr ' ' '\\n' | grep -xE -- '-?(icanon|echo)' | tr '\\n' ','; cat -v");
      await sam.shows("icanon,echo,");
      await sam.paste("pasted");
      await sam.shows("pasted");
      assert(!(await sam.screen()).includes("^[[200~"), way);
      await sam.press("C-c");
    }
  },
);

inTwoTerminals(
  "a server that goes and comes back: a countdown, typing goes on, nothing is lost or doubled",
  async ({ ira, sam, port }, home) => {
    home.running[0].kill("SIGKILL");
    await home.running[0].code;
    await ira.shows("lobby (offline, trying again in ");
    await ira.enter("typed while it was away");
    await ira.shows("… typed while it was away");
    await sam.shows("lobby (offline, ");
    const again = home.start("serve", "-p", String(port));
    await again.shows("Invite:");
    await sam.shows("ira: typed while it was away");
    await ira.shows("ira: typed while it was away");
    await ira.until("all well again", (screen) => screen.trimEnd().endsWith("lobby>"));
    assertEquals((await ira.screen()).split("typed while it was away").length, 2);
  },
);

e2e("--plain and TERM=dumb write no escape sequence, and say what a prompt would", async (home) => {
  const port = freePort();
  const server = home.start("serve", "-p", String(port));
  await server.shows("Invite:");
  const terminals = new Terminals(home);
  try {
    const people: [Terminal, string][] = [];
    for (const [name, command] of [["ira", "join --plain"], ["sam", "join"]]) {
      const log = `${home.dir}/${name}.log`;
      const dumb = name === "sam" ? "TERM=dumb " : "";
      const person = await terminals.open(
        `${dumb}script -qfc '${executable} ${command} -u ${name} -p ${port}' ${log}`,
      );
      await person.shows("In the room:");
      await person.enter("hello");
      await person.shows(`${name}: hello`);
      await person.enter("/join other");
      await person.shows("[+] What you type is said in other now.");
      people.push([person, log]);
    }
    for (const [person, log] of people.toReversed()) {
      await person.enter("EXIT");
      await person.shows("code 0");
      const written = Deno.readTextFileSync(log);
      assert(!written.includes("\x1b"), JSON.stringify(written));
    }
  } finally {
    await terminals.close();
  }
}, !hasTmux);

e2e("zsh completes commands and flags with Tab", async (home) => {
  const terminals = new Terminals(home);
  try {
    Deno.mkdirSync(`${home.dir}/fpath`);
    Deno.writeTextFileSync(`${home.dir}/fpath/_chat`, (await home.run(["completions", "zsh"])).out);
    const bin = executable.replace(/\/chat$/, "");
    const shell = await terminals.open(`PATH=${bin}:$PATH exec zsh -f -i`);
    await shell.enter(
      `PS1='z: '; fpath=(${home.dir}/fpath $fpath); autoload -U compinit; compinit -u -D; clear`,
    );
    await shell.until("ready", (screen) => screen.trim() === "z:");
    await shell.type("chat jo");
    await shell.press("Tab");
    await shell.shows("z: chat join");
    await shell.type("--bel");
    await shell.press("Tab");
    await shell.shows("--bell=");
    await shell.type("men");
    await shell.press("Tab");
    await shell.shows("mentions");
  } finally {
    await terminals.close();
  }
}, !hasTmux);

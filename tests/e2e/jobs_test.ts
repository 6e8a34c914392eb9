/** A server as a job: in the background, over the end of its window, and stopped from the keyboard. */

import { run } from "../fakes/tools.ts";
import { until } from "../fakes/until.ts";
import { ChatProcess, e2e, executable, freePort, type Home } from "./chat_process.ts";
import { hasTmux, Terminals } from "./terminal.ts";

const shell = "bash --norc -i";
const answers = (home: Home, port: string) => async () =>
  (await home.run(["join", "-u", "ira", "-p", port, "-m", "hello", "--join-timeout", "10"])).code === 0;

/** Signals the server on a port, and nothing else. */
async function signal(name: "HUP" | "TERM", port: string): Promise<void> {
  const pid = `$(pgrep -f "[d]eno run .* serve -p ${port}$" || pgrep -f "[c]hat serve -p ${port}$")`;
  const { ok, text } = await run("sh", ["-c", `kill -s ${name} ${pid}`]);
  if (!ok) throw new Error(text);
}

function jobTest(name: string, act: (home: Home, terminals: Terminals) => Promise<void>): void {
  e2e(name, async (home) => {
    const terminals = new Terminals(home);
    try {
      await act(home, terminals);
    } finally {
      await terminals.close();
    }
  }, !hasTmux);
}

jobTest("serve & keeps serving, and its console works again after fg", async (home, terminals) => {
  const port = String(freePort());
  const window = await terminals.open(shell);
  await window.enter(`${executable} serve -p ${port} &`);
  await window.shows("Invite:");
  await until("it answers", answers(home, port));
  await window.enter("jobs");
  await window.shows("Running");
  // Longer than the console's next try: reading in the background must not stop it either.
  await until("it answers again", answers(home, port));
  await window.enter("fg");
  await window.shows("serve -p");
  await until("the console answers", async () => {
    await window.enter("WHO");
    return (await window.screen()).includes("Nobody is connected");
  }, { everyMs: 500 });
  await window.enter("TERMINATE");
  await window.shows("Server is shut down");
  await window.enter("echo code $?");
  await window.shows("code 0");
});
jobTest("nohup serve & outlives its window; SIGTERM drains it", async (home, terminals) => {
  const port = String(freePort());
  const window = await terminals.open(shell);
  await window.enter(`cd ${home.dir} && nohup ${executable} serve -p ${port} & echo $! > ${home.dir}/pid`);
  const log = () => {
    try {
      return Deno.readTextFileSync(`${home.dir}/nohup.out`);
    } catch {
      return "";
    }
  };
  await until("it serves", () => log().includes("Invite:"));
  await terminals.close();
  await until("it answers", answers(home, port));
  await signal("HUP", port);
  await until("it answers after a hangup", answers(home, port));
  await signal("TERM", port);
  await until("it has drained", () => log().includes("Server is shut down"));
});
jobTest("a window that closes takes a server in its foreground along, drained", async (home, terminals) => {
  const port = String(freePort());
  const window = await terminals.open(`${executable} serve -p ${port} 2> ${home.dir}/err`);
  await window.shows("Invite:");
  await signal("HUP", port);
  await window.shows("Server is shut down");
  await window.shows("code 0");
});
jobTest("Ctrl+C in the foreground drains and ends with 0, every time", async (_home, terminals) => {
  for (let i = 0; i < 3; i++) {
    const window = await terminals.open(`${executable} serve -p ${freePort()}`);
    await window.shows("Invite:");
    await window.press("C-c");
    await window.shows("Server is shut down");
    await window.shows("code 0");
  }
});
e2e("what the server prints as a command is the executable as it was started", async (home) => {
  const here = home.start("serve", "-p", String(freePort()));
  await here.shows("[+] Invite: chat join -u NAME 'chat://");
  const env = { ...home.env, PATH: "/usr/bin:/bin" };
  const elsewhere = new ChatProcess(["serve", "--data", `${home.dir}/other`, "-p", String(freePort())], env);
  home.running.push(elsewhere);
  await elsewhere.shows(`[+] Invite: ${executable} join -u NAME 'chat://`);
});

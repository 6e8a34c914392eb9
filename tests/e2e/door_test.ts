/** A door that needs nobody at home: jobs and newcomers come in by themselves, in a real terminal. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { e2e, executable, freePort, type Home } from "./chat_process.ts";
import { hasTmux, type Terminal, Terminals } from "./terminal.ts";

/** Ira, who comes and goes. */
class Owner {
  #window: Terminal | null = null;

  constructor(private readonly terminals: Terminals, private readonly port: string) {}

  async comes(): Promise<Terminal> {
    this.#window = await this.terminals.open(`${executable} join -u ira -p ${this.port}`);
    await this.#window.resize(400, 40); // an invite stands in one row
    await this.#window.shows("In the room");
    return this.#window;
  }
  async goes(): Promise<void> {
    await this.#window!.enter("EXIT");
    await this.#window!.shows("code 0");
  }
  /** The invite that a command shows last. */
  async invites(line: string): Promise<string> {
    const links = (screen: string) => screen.match(/chat:\/\/[^']*/g) ?? [];
    const before = links(await this.#window!.all()).length;
    await this.#window!.enter(line);
    await this.#window!.until("an invite", (screen) => links(screen).length > 0);
    await this.#window!.until("one more invite", (screen) => links(screen).length > before);
    return links(await this.#window!.screen()).at(-1)!.replace("HOST", "127.0.0.1");
  }
}

function doorTest(name: string, act: (home: Home, owner: Owner, port: string) => Promise<void>): void {
  e2e(name, async (home) => {
    const port = String(freePort());
    const terminals = new Terminals(home);
    try {
      await home.start("serve", "-p", port).shows("Invite");
      await act(home, new Owner(terminals, port), port);
    } finally {
      await terminals.close();
    }
  }, !hasTmux);
}

/** `join -m` by an invite. */
const says = (home: Home, name: string, text: string, invite: string) =>
  home.run(["join", "-u", name, "-m", text, invite]);

doorTest(
  "nobody is at home: a job says its line, and the owner reads it and sees how it came in",
  async (home, owner) => {
    await owner.comes();
    const invite = await owner.invites("/invite");
    await owner.goes();
    assertEquals((await home.run(["keygen", "-u", "ci"])).code, 0);
    const { code, err } = await says(home, "ci", "build 1", invite);
    assertEquals(code, 0, err);
    const ira = await owner.comes();
    await ira.shows("ci: build 1");
    await ira.shows("ci (entered by herself, not verified)");
  },
);

doorTest(
  "a closed room: an invite for a name, one that is taken back, and who is put out",
  async (home, owner) => {
    let ira = await owner.comes();
    await ira.enter("/close");
    await ira.shows("ira closed the room");
    const invite = await owner.invites("/invite dana"); // who has never been here
    const another = await owner.invites("/invite --pass");
    await owner.goes();
    const erin = await says(home, "erin", "by dana's", invite);
    assertEquals(erin.code, 1);
    assertStringIncludes(erin.err, 'The invite to "lobby" lets nobody in any more');
    const dana = await says(home, "dana", "by mine", invite);
    assertEquals(dana.code, 0, dana.err);
    ira = await owner.comes();
    await ira.shows("dana: by mine");
    await ira.enter("/invite --revoke");
    await ira.shows("One invite lets nobody in to lobby any more");
    await ira.enter("/ban dana");
    await ira.shows("ira removed dana from the room");
    assertEquals((await says(home, "erin", "by another", another)).code, 1);
    assertEquals((await says(home, "dana", "still here?", invite)).code, 1);
    await ira.enter("/open");
    await ira.shows("ira opened the room");
    const banned = await home.run(["join", "-u", "dana", "-m", "again", "--join-timeout", "1", invite]);
    assertEquals(banned.code, 1);
    assertStringIncludes(banned.err, "an admin has put you out");
    await ira.enter("/unban dana");
    await ira.shows("ira lets dana come in again");
    assertEquals((await says(home, "dana", "back again", invite)).code, 0);
    await ira.shows("dana: back again");
  },
);

/** `chat join`: talks in a room. */

import { join as joinPath } from "@std/path";
import { Spool } from "../client/attach/spool.ts";
import type { ChatOptions } from "../client/chat_options.ts";
import type { ChatView } from "../client/chat_view.ts";
import type { EntryOptions } from "../client/commands/line_entry.ts";
import { isName } from "../protocol/identity/name.ts";
import { profilesDir } from "../storage/home.ts";
import { JsonView } from "../ui/json/json_view.ts";
import { LinesView } from "../ui/lines_view.ts";
import { TerminalView } from "../ui/terminal/terminal_view.ts";
import { type PageOwner, WebView } from "../ui/web/web_view.ts";
import { readCertificates } from "./certificates.ts";
import { readConfig, withConfig } from "./config_file.ts";
import { bellOf, coloursOf, isForPerson, optionsOf, timeOf, webPortOf } from "./join_options.ts";
import type { Parsed } from "./options.ts";
import type { Process } from "./process.ts";
import { readSecretFile } from "./secrets.ts";
import { userName } from "./user_name.ts";
import { JoinRun } from "./join_run.ts";

/** Runs it until the person goes. @returns the exit code @throws ChatError */
export async function join(given: Parsed, process: Process): Promise<number> {
  const hasInvite = given.positionals.length > 0 || given.values["invite-file"] !== undefined;
  const file = readConfig(given.values.home, process.env);
  // What a pipe keeps is said for that pipe.
  const config = isForPerson(given, process) ? file : { ...file, history: undefined };
  const parsed = { ...given, values: withConfig(given.values, config, hasInvite) };
  if (!parsed.switches.has("json")) return await joinWith(parsed, process, null);
  const view = new JsonView(process, parsed.switches.has("raw-tokens"));
  try {
    // A program is asked nothing, whatever terminal it was started from.
    return await joinWith(parsed, Object.create(process, { inputIsTerminal: { value: false } }), view);
  } catch (error) {
    view.failed(error);
    throw error;
  }
}

async function joinWith(parsed: Parsed, process: Process, program: JsonView | null): Promise<number> {
  const { values } = parsed;
  const port = webPortOf(parsed);
  const options = optionsOf(parsed, process);
  const name = userName(values.user ?? await askName(parsed, process), process.env);
  // Read in any case, so that a wrong path is noticed.
  const secret = values["passphrase-file"] === undefined
    ? null
    : readSecretFile(values["passphrase-file"], process);
  const profiles = profilesDir(values.home, process.env);
  let page = null as WebView | null;
  const run = new JoinRun({
    name,
    options,
    secret,
    authorities: values["tls-ca"] === undefined ? [] : [readCertificates(values["tls-ca"])],
    profiles,
    process,
    makeView(own, typed, person) {
      if (program) return program;
      if (port === null) return viewFor(parsed, process, own, options, typed, person);
      return page = pageFor(parsed, process, { port, own, dir: joinPath(profiles, name), person });
    },
  });
  try {
    return await run.run();
  } catch (error) {
    page?.failed(error);
    throw error;
  } finally {
    run.close();
    await page?.closed();
  }
}

/** With --register the name is asked for; Enter takes the login name. */
async function askName({ values, switches }: Parsed, process: Process): Promise<string | undefined> {
  const asks = switches.has("register") && process.inputIsTerminal && values.message === undefined;
  const login = process.env("USER") ?? process.env("LOGNAME") ?? "";
  if (!asks) return undefined;
  return (await process.ask(isName(login) ? `Name [${login}]:` : "Name:"))?.trim() || undefined;
}

function pageFor(
  { values }: Parsed,
  process: Process,
  { port, own, dir, person }: { port: number; own: string; dir: string; person: PageOwner },
): WebView {
  const { clock, random, inputIsTerminal } = process;
  const terminal = new LinesView(process, {
    room: "",
    interactive: inputIsTerminal,
    clock,
    name: own,
    bell: bellOf(values.bell),
    says: "nothing",
  });
  const spool = new Spool(dir, random, clock);
  return new WebView({
    name: own,
    port,
    clock,
    random,
    terminal,
    tellLink: (link) =>
      process.out(
        `Open this in a browser on this machine, within 2 minutes; it works once:\n  ${link}\n` +
          (inputIsTerminal ? "Enter prints a new one; /quit ends.\n" : ""),
      ),
    staysAlone: !inputIsTerminal,
    person,
    beginCopy: () => spool.begin(),
  });
}

function viewFor(
  parsed: Parsed,
  process: Process,
  name: string,
  { room }: ChatOptions & EntryOptions,
  history: readonly string[],
  person: PageOwner,
): ChatView {
  const { values, switches } = parsed;
  const { clock, env, tty } = process;
  const interactive = isForPerson(parsed, process);
  const bell = bellOf(values.bell);
  const time = timeOf(values.time);
  if (!interactive || switches.has("plain") || env("TERM") === "dumb") {
    const columns = process.outputIsTerminal ? () => tty.size().columns : undefined;
    return new LinesView(Object.create(process, { columns: { value: columns } }), {
      room,
      interactive,
      clock,
      name,
      bell,
      time,
      says: values.message === undefined && values.send === undefined ? "all" : "nothing",
      news: switches.has("quiet") ? "warnings" : "all",
    });
  }
  const colours = coloursOf(values.colours) ?? (env("NO_COLOR") ?? "") === "";
  return new TerminalView({ room, tty, clock, name, bell, colours, time, history, person });
}

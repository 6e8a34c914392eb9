/** `chat serve`: runs the room until it is told to stop. */

import { bytesOf } from "../byte_size.ts";
import { debugLog } from "../debug_log.ts";
import { dirname, join } from "@std/path";
import { setImmediate } from "node:timers";
import { seconds, sleep } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { fingerprint, generateIdentity, type Identity, identityFrom } from "../../crypto/identity.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import { maxTokenBytes } from "../../protocol/channel/handshake.ts";
import { makeCard, parseCard, roles } from "../../protocol/identity/card.ts";
import { isName } from "../../protocol/identity/name.ts";
import { TlsListener } from "../../server/gate/tls_listener.ts";
import { LineSplitter } from "../../ui/line_splitter.ts";
import { listen, proxiesOf, publicPlace } from "./serve_place.ts";
import { tlsFiles, TlsRenewal } from "./serve_tls.ts";
import { Console } from "../../server/operator/console.ts";
import { ChatServer } from "../../server/server.ts";
import { Status } from "../../server/operator/status.ts";
import { tellAll } from "../../server/events.ts";
import { encodeHex } from "../../hex.ts";
import { hostPort } from "../../host_port.ts";
import { version } from "../../version.ts";
import { Answering } from "../../server/rooms/answering.ts";
import { defaultFilesSeconds, defaultRetention, type Retention } from "../../server/rooms/retention.ts";
import { DiskBlobs } from "../../server/blobs/disk_blobs.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import { SqliteStore } from "../../server/store/sqlite.ts";
import { sharedNotes, StateTorn, type Store } from "../../server/store/store.ts";
import { serverDir } from "../../storage/home.ts";
import { movedWords, moveVersionOne } from "../../storage/version_one.ts";
import { hasKeys, openKeys, readPrivateKey, writeKeys } from "../../storage/key_files.ts";
import { Lock } from "../../storage/lock.ts";
import { PromptLine } from "../../ui/terminal/prompt_line.ts";
import { refuseForeign } from "../../storage/file_trouble.ts";
import { appendLine, makePrivateDir, readPrivate, writeAtomically } from "../../storage/private_file.ts";
import type { RegistrationMode } from "../../server/accounts/accounts.ts";
import { command } from "../../program.ts";
import { isLoopback } from "../../loopback.ts";
import { formatInvite, formatPlace } from "../../protocol/identity/invite.ts";
import { maxTextBytes } from "../../protocol/group/content.ts";
import { sanitizeLine, typedName } from "../../sanitize.ts";
import { limitsOf } from "../limit_options.ts";
import { openLog, type ServeLog } from "./serve_log.ts";
import { openMetrics, type ServeMetrics } from "./serve_metrics.ts";
import { type Parsed, parsePort, UsageError } from "../options.ts";
import { BegunAnew } from "../../server/cluster/begun_anew.ts";
import type { Cluster, ClusterParts } from "../../server/cluster/cluster.ts";
import { settingsOf } from "../../server/settings.ts";
import { checkCluster, clusterOptions } from "./serve_cluster.ts";
import { accountsFor, accountsOptions, printAudit, printSchema } from "./serve_accounts.ts";
import type { Process } from "../process.ts";
import { openWithPassphrase, readRoomKey, readSecretFile } from "../secrets.ts";

const consoleAgainMs = 2_000;

/** Runs it until TERMINATE or a signal. @returns the exit code @throws ChatError */
export async function serve(parsed: Parsed, process: Process): Promise<number> {
  const start = { isServing: false };
  for (;;) {
    try {
      return await serveOnce(parsed, process, start);
    } catch (error) {
      // It came to that in the log while it caught up: nobody was in yet.
      if (!(error instanceof BegunAnew) || start.isServing) throw error;
    }
  }
}

async function serveOnce(parsed: Parsed, process: Process, start: { isServing: boolean }): Promise<number> {
  const { values, switches } = parsed;
  const host = values.host ?? "127.0.0.1";
  const port = parsePort(values.port);
  const tls = tlsFiles(values);
  const place = publicPlace(values, host, port);
  const proxies = proxiesOf(values.proxy);
  const dir = values.data ?? serverDir(values.home, process.env);
  const token = values["token-file"] === undefined ? null : readToken(values["token-file"], process);
  const retention = retentionOf(values);
  const limits = limitsOf(values);
  const answerKey = values.answer === undefined ? null : readRoomKey(values.answer, process);
  if (switches.has("answer-ack") && !answerKey) {
    throw new UsageError("--answer-ack needs a key to answer with", "add --answer FILE");
  }
  const accountsAsked = accountsOptions(parsed);
  if (accountsAsked && switches.has("print-schema")) return printSchema(accountsAsked, process);
  const nats = clusterOptions(parsed, accountsAsked, process);
  if (nats && values["cluster-check"] !== undefined) return await checkCluster(nats, process);
  const metrics = await openMetrics(values.metrics, values["metrics-host"], process);
  refuseForeign("The data directory", dir, dirname(dir));
  makePrivateDir(dir);
  if (accountsAsked && switches.has("audit")) return await printAudit(accountsAsked, dir, process);
  const lock = Lock.take(
    join(dir, "lock"),
    `The data directory "${dir}"`,
    "end the other server first, or give another directory with --data",
  );
  let log: ServeLog | null = null;
  try {
    log = openLog(parsed, process, (line) => process.err(`${line}\n`));
    const moved = moveVersionOne(dir);
    if (moved !== null) process.err(`[!] ${movedWords(moved)}\n`);
    const identity = await openIdentity(dir, values["passphrase-file"], process);
    const card = openCard(dir, identity, process);
    if (switches.has("restored") && !nats) return beginAnew(dir, process);
    const isRestored = switches.has("restored");
    const accounts = isRestored ? null : accountsAsked && await accountsFor(accountsAsked, dir, process);
    const failure = Promise.withResolvers<never>();
    failure.promise.catch(() => {}); // it is looked at once there is a server
    const isConsole = process.inputIsTerminal && process.outputIsTerminal;
    const operator = answerKey && isConsole ? operatorLine(process) : null;
    const { takesOutput } = log;
    const print = (line: string) => {
      if (operator) operator.prompt.print(line);
      else if (takesOutput) process.err(`${line}\n`);
      else process.log(`${line}\n`);
    };
    const status = new Status(print, isConsole);
    const debug = debugLog(process);
    const all = [takesOutput ? null : status, log.log, metrics, debug?.events ?? null];
    const events = tellAll(...all.filter((each) => each !== null));
    const defer = (act: () => void) => void setImmediate(act);
    // Several servers take nobody in before each has caught up with the others.
    const early = nats ? null : listen(host, port, tls, process);
    const cluster = nats && await openCluster({
      nats,
      path: join(dir, "rooms.db"),
      isRestored,
      server: identity.id,
      name: hostPort(place.host === "HOST" ? host : place.host, place.port),
      settings: settingsOf(limits, retention),
      clock: process.clock,
      random: process.random,
      events,
      defer,
      stop: (error) => failure.reject(error),
      fault: (error) => events.tell({ type: "bug", error: error as Error }),
    });
    const store = cluster?.view ?? openStore(dir, switches.has("ephemeral"), process, early!);
    const answering = answerKey && new Answering({
      key: answerKey,
      identity,
      clock: process.clock,
      random: process.random,
      acknowledge: switches.has("answer-ack"),
      heard: (name, timeMs, text) => status.heard(name, timeMs, text),
      partner: (name) => operator?.address(name),
    });
    const server = new ChatServer({
      identity,
      card,
      store,
      journal: cluster?.journal,
      others: cluster?.others,
      limits,
      clock: process.clock,
      random: process.random,
      events,
      watchLink: debug ? (session) => debug.watch(session) : undefined,
      proxies,
      showAddresses: switches.has("show-addresses"),
      place: values["public-host"] === undefined ? "" : formatPlace(place),
      retention,
      answering,
      accessToken: token,
      accounts,
      defer,
      // The runtime looks at its sockets every 61st turn while there is always something to do at once.
      blobBytes: store.memoryOnly ? null : cluster?.blobs ?? new DiskBlobs(join(dir, "blobs")),
      deferPastIo: (act) => void setTimeout(act, 1),
    });
    const invite = (room: string) => {
      if (!isName(room)) {
        return `error: "${typedName(room)}" cannot be a room name\nhint: 1 to 24 letters, digits, - and _`;
      }
      const invited = formatInvite({ ...place, room, serverId: identity.id, pins: null });
      return `[+] Invite: ${command(`join -u NAME '${invited}'`)}`; // quoted: a shell reads [ and #
    };
    // A promise that nobody waits for has failed: a bug of ours, and no reason to put everybody out.
    const stopFaults = process.onFault((error) => {
      if (error instanceof StateTorn) return false;
      server.rooms.tellFault(error);
      return true;
    });
    const listens = isRestored ? null : () => listen(host, port, tls, process);
    const listener = early ??
      await untilCaughtUp(cluster!, server, failure.promise, print, listens).catch((error) => {
        stopFaults();
        throw error;
      });
    if (!listener) return exitCodes.done; // --restored
    start.isServing = true;
    server.accept(listener);
    const closeMetrics = metrics ? await serveOrStop(metrics, server) : null;
    log.log?.say("info", "started", { version, host, port, id: encodeHex(identity.id.subarray(0, 4)) });
    print(`[+] Running on host: ${host}`);
    print(`[+] Running on port: ${port}`);
    print(`[+] Server fingerprint: ${fingerprint(identity.id)}`);
    print(invite("lobby"));
    if (place.host === "HOST") {
      print("[+] In the invite, put this machine's name or address in place of HOST");
    }
    if (token) print("[+] Whoever joins needs the access token too: --token-file FILE");
    if (accountsAsked) print(`[+] ${registrationWords(accountsAsked.registration)}`);
    if (isLoopback(host)) print('[+] Only this machine can join; "--host 0.0.0.0" lets others in');
    if (answering) print("[+] Rooms of your key file are read by this server, and their members are told so");
    for (const caution of cluster?.cautions ?? []) print(`[!] ${caution}`);
    if (switches.has("ephemeral")) print("[+] Nothing is kept: rooms end with this server");
    if (metrics) {
      print(`[+] Metrics on http://${metrics.address}/metrics, liveness on /healthz`);
      if (!isLoopback(metrics.hostname)) print("[!] Whoever reaches that address can read them");
    }
    const addressee = operator ? () => operator.addressee : undefined;
    const console = new Console({
      server,
      answering,
      addressee,
      invite,
      now: () => process.clock.now(),
      operator: operatorName(process),
      keepTokens: (tokens) => isConsole ? null : keepTokens(dir, tokens),
    });
    const renewal = tls && listener instanceof TlsListener
      ? new TlsRenewal(listener, tls, process, print)
      : null;
    let failed: unknown = null;
    const why = await Promise.race([
      untilStopped(process, console, print, operator, () => void renewal?.renew()),
      failure.promise,
    ]).catch((error) => {
      failed = error;
      return "the log";
    });
    renewal?.close();
    operator?.prompt.close();
    await server.stop().finally(() => cluster?.putAside());
    stopFaults();
    closeMetrics?.();
    const sayLast = (line: string) => takesOutput ? process.err(`${line}\n`) : process.log(`${line}\n`);
    sayLast("[+] All connections had been terminated");
    sayLast("[+] Server is shut down");
    log.log?.say("info", "stopped", { why });
    if (failed !== null) throw failed;
    return exitCodes.done;
  } finally {
    log?.close();
    lock.release();
  }
}

/** Loaded only when it is asked for. @throws NatsUnfit, LogRefused, StoreFailed */
async function openCluster(parts: ClusterParts): Promise<Cluster> {
  const { Cluster } = await import("../../server/cluster/cluster.ts");
  return await Cluster.open(parts);
}

/**
 * Applies what the others have, and makes its limits theirs.
 *
 * @param listens begins to listen; null: all begin anew, and this server ends
 * @returns what listens @throws what `failure` says
 */
async function untilCaughtUp<T extends { close(): void }>(
  cluster: Cluster,
  server: ChatServer,
  failure: Promise<never>,
  print: (line: string) => void,
  listens: (() => T) | null,
): Promise<T | null> {
  try {
    const behind = await cluster.behind();
    if (behind > 1_000) print(`[+] Applying ${behind} entries of the log`);
    if (!await Promise.race([cluster.journal.caughtUp(), failure])) await failure;
    if (!listens) {
      const before = server.rooms.all().length;
      await Promise.race([cluster.beginAnew(), failure]);
      await server.stop();
      print(
        `[+] ${
          before === 1 ? "1 room is" : `${before} rooms are`
        } dropped at all servers, and another run begins; ` +
          "people, accounts and bans stay. Move rooms.db away on the other machines, and start all without --restored",
      );
      return null;
    }
    await Promise.race([server.rooms.shareSettings(), failure]);
    return listens();
  } catch (error) {
    await server.stop().finally(() => cluster.putAside());
    throw error;
  }
}

/** A server that cannot be watched as asked does not run. */
async function serveOrStop(metrics: ServeMetrics, server: ChatServer): Promise<() => void> {
  try {
    return metrics.serve(server);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function registrationWords(mode: RegistrationMode): string {
  const register = command("join --register");
  switch (mode) {
    case "open":
      return `People log in; whoever is new registers: ${register}`;
    case "token":
      return `People log in; whoever is new registers with a token that TOKEN makes: ${register}`;
    case "closed":
      return "People log in; nobody can register";
  }
}

/** For the audit trail: at most 64 characters. */
function operatorName({ env }: Process): string {
  const login = env("USER") ?? env("LOGNAME") ?? env("USERNAME") ?? "";
  return `operator ${sanitizeLine(login)}`.trim().slice(0, 64);
}

/** Waits for TERMINATE on the console, or a signal; a second Ctrl+C ends at once. */
function untilStopped(
  process: Process,
  console: Console,
  print: (line: string) => void,
  operator: OperatorLine | null,
  renew: () => void,
): Promise<string> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (why: string) => {
      stopping = true;
      resolve(why);
    };
    const hasWindow = process.inputIsTerminal && process.outputIsTerminal;
    const onSignal = (signal: string) => {
      // A window that closes takes its server along; a service is told to read its files anew.
      if (signal === "SIGHUP" && !hasWindow) return renew();
      if (stopping && signal === "SIGINT") process.exit(exitCodes.interrupted);
      if (!stopping) print("[+] Stopping: everybody is told, everything is saved");
      stop(signal);
    };
    process.onStop(onSignal);
    const enter = (line: string) => {
      const answer = console.enter(line);
      answer.lines.forEach(print);
      answer.later?.then((lines) => lines.forEach(print), (error) => print(`[!] ${(error as Error).name}`));
      if (answer.terminate) stop("TERMINATE");
    };
    if (operator) operator.begin(enter, () => onSignal("SIGINT"));
    else void readConsole(process, enter, () => stopping);
  });
}

/** The console of a person who answers: what is typed stays whole while others speak. */
interface OperatorLine {
  readonly prompt: PromptLine;
  /** Who is named by the prompt: the last speaker when the line was begun. */
  readonly addressee: string | null;
  /** Somebody has spoken, or gone; a line that is being typed still goes where it was begun. */
  address(name: string | null): void;
  begin(enter: (line: string) => void, interrupt: () => void): void;
}

function operatorLine({ tty, clock }: Process): OperatorLine {
  let enter: (line: string) => void = () => {};
  let interrupt = () => {};
  let addressee: string | null = null;
  let newest: string | null = null;
  const readdress = () => {
    addressee = newest;
    prompt.set(promptFor(addressee));
  };
  const prompt = new PromptLine(promptFor(null), { tty, clock, limitBytes: maxTextBytes }, {
    line: (text) => {
      prompt.print(`${promptFor(addressee)}${sanitizeLine(text)}`);
      enter(text);
      readdress();
    },
    interrupt: () => interrupt(), // the terminal sends no signal while lines are edited
    end: () => {},
    refused: (why) => prompt.print(`error: ${why}`),
  });
  return {
    prompt,
    get addressee() {
      return addressee;
    },
    address(name) {
      newest = name;
      if (!prompt.isTyping) readdress();
    },
    begin(onLine, onInterrupt) {
      enter = onLine;
      interrupt = onInterrupt;
    },
  };
}

/** Whom a plain line answers. */
function promptFor(name: string | null): string {
  return name === null ? "(nobody to answer)> " : `to ${name}> `;
}

/** Reads the console; one that cannot be read now (a job in the background) is tried again. */
async function readConsole(
  process: Process,
  enter: (line: string) => void,
  isOver: () => boolean,
): Promise<void> {
  const decoder = new TextDecoder();
  const splitter = new LineSplitter();
  while (!isOver()) {
    let bytes: Uint8Array | null;
    try {
      bytes = await process.readInput();
    } catch {
      if (!process.inputIsTerminal) return; // no console: the server runs on, as under a service manager
      await sleep(process.clock, consoleAgainMs);
      continue;
    }
    if (bytes === null) return;
    for (const line of splitter.feed(decoder.decode(bytes, { stream: true }))) {
      enter(line);
      if (isOver()) return;
    }
  }
}

async function openIdentity(
  dir: string,
  passphraseFile: string | undefined,
  process: Process,
): Promise<Identity> {
  if (!hasKeys(dir, "server")) {
    process.err("Making the server's keys; this takes a moment.\n");
    await writeKeys(dir, "server", await generateIdentity(process.random), null, process.random, false);
  }
  const { text, encrypted } = readPrivateKey(dir, "server");
  const open = (passphrase: string | null) => openKeys(dir, "server", text, passphrase);
  const opened = encrypted
    ? await openWithPassphrase(process, passphraseFile, "the server", open)
    : open(null);
  return await identityFrom(opened);
}

function openCard(dir: string, identity: Identity, process: Process): Bytes {
  const path = join(dir, "card");
  const stored = readPrivate(path);
  if (stored && parseCard(stored).id.every((byte, i) => byte === identity.id[i])) return stored;
  const card = makeCard(identity, roles.server, "server", seconds(process.clock));
  writeAtomically(path, card);
  return card;
}

/** `--restored`. It ends then: in the line of a service it would drop everything at each start. */
function beginAnew(dir: string, process: Process): number {
  const store = new SqliteStore(join(dir, "rooms.db"), process.random);
  const count = store.rooms().length;
  store.beginAnew(process.random(16));
  for (const note of Object.values(sharedNotes)) store.dropNote(note); // from here on they are nobody else's
  store.close();
  process.out(
    `[+] ${
      count === 1 ? "1 room is" : `${count} rooms are`
    } dropped, and another run begins; people, accounts and bans stay. Start it without --restored\n`,
  );
  return exitCodes.done;
}

/** What is in a directory, if this server has it alone. @throws ChatError, StoreFailed */
function openOwnStore(dir: string, process: Process): SqliteStore {
  const store = new SqliteStore(join(dir, "rooms.db"), process.random);
  if (!store.note(sharedNotes.begin)) return store;
  store.close();
  throw new ChatError(
    "The rooms here are shared with other servers: alone, this one would begin a second history of them",
    "add --cluster and its nodes; to go on alone, stop the others, and run it once with --restored, which drops the rooms",
  );
}

function openStore(dir: string, ephemeral: boolean, process: Process, listener: { close(): void }): Store {
  try {
    return ephemeral ? new MemoryStore(process.random) : openOwnStore(dir, process);
  } catch (error) {
    listener.close();
    throw error;
  }
}

function readToken(path: string, process: Process): Bytes {
  const token = new TextEncoder().encode(readSecretFile(path, process)) as Bytes;
  if (token.length >= 1 && token.length <= maxTokenBytes) return token;
  throw new ChatError(
    `The access token in "${path}" has ${token.length} bytes`,
    `it must have 1 to ${maxTokenBytes}`,
  );
}

const units: Record<string, number> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
};

/** `--retain`, `--retain-bytes` and `--files-keep`. @throws UsageError */
function retentionOf(values: Parsed["values"]): Retention {
  const within = (flag: string, value: number, least: number, most: number, example: string) => {
    if (value >= least && value <= most) return value;
    throw new UsageError(`--${flag} cannot be "${values[flag]}"`, example);
  };
  const secondsOf = (text: string) => {
    const match = /^(\d{1,6})([smhd])$/.exec(text);
    return match ? Number(match[1]) * units[match[2]] : NaN;
  };
  const { retain, "retain-bytes": bytes, "files-keep": filesKeep } = values;
  const time = "give a time from 1m to 365d, as 30d, 12h or 90m";
  const size = "give a size from 256K to 64G, as 64M";
  return {
    seconds: retain === undefined
      ? defaultRetention.seconds
      : within("retain", secondsOf(retain), 60, 365 * 86_400, time),
    bytes: bytes === undefined
      ? defaultRetention.bytes
      : within("retain-bytes", bytesOf(bytes), 256 * 1024, 64 * 1024 ** 3, size),
    filesSeconds: filesKeep === undefined
      ? defaultFilesSeconds
      : within("files-keep", secondsOf(filesKeep), 60, 365 * 86_400, time),
  };
}

/** Registration tokens where no log is: beside the accounts, for the operator alone. @returns the path */
function keepTokens(dir: string, tokens: readonly string[]): string {
  const path = join(dir, "registration-tokens");
  for (const token of tokens) appendLine(path, token);
  return path;
}

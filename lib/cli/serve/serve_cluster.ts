/** `--cluster` and what belongs to it: what the command line says of it, and `--cluster-check`. */

import { canonicalHost } from "../../canonical_host.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import { hostPort } from "../../host_port.ts";
import type { NatsOptions } from "../../server/cluster/nats_connection.ts";
import { readCertificates } from "../certificates.ts";
import { type Parsed, UsageError } from "../options.ts";
import type { Process } from "../process.ts";
import { readTextFile } from "../secrets.ts";
import type { AccountsOptions } from "./serve_accounts.ts";

const natsPort = 4222;
const files = ["cluster-tls-cert", "cluster-tls-key", "cluster-ca"] as const;
const most = 16;

/** Reads the flags. @returns null without a cluster @throws UsageError, FileTrouble */
export function clusterOptions(
  { values, switches }: Parsed,
  accounts: AccountsOptions | null,
  process: Process,
): NatsOptions | null {
  const { cluster, "cluster-check": check } = values;
  if (cluster !== undefined && check !== undefined) {
    throw new UsageError("--cluster and --cluster-check contradict each other", "give one of them");
  }
  const given = cluster ?? check;
  if (given === undefined) {
    const alone = files.find((name) => values[name] !== undefined) ??
      (switches.has("cluster-unsafe-sync") ? "cluster-unsafe-sync" : undefined);
    if (alone === undefined) return null;
    throw new UsageError(`--${alone} is for several servers`, "add --cluster NODE,NODE,NODE");
  }
  refuseOthers({ values, switches }, accounts);
  const tls = files.map((name) => values[name]);
  if (tls.some((file) => file !== undefined) && tls.includes(undefined)) {
    throw new UsageError(
      "--cluster-tls-cert, --cluster-tls-key and --cluster-ca belong together",
      "give all three: with NATS both sides show who they are",
    );
  }
  const [cert, key, ca] = tls;
  const servers = given.split(",").map((text) => nodeOf(text.trim()));
  if (servers.length > most) {
    throw new UsageError(`--cluster names more than ${most} nodes`, "name some of them");
  }
  return {
    servers,
    tls: cert === undefined
      ? null
      : { cert: readCertificates(cert), key: readTextFile(key!, process), ca: readCertificates(ca!) },
    isUnsafe: switches.has("cluster-unsafe-sync"),
  };
}

/** What one server can do and several cannot. @throws UsageError */
function refuseOthers(
  { values, switches }: Pick<Parsed, "values" | "switches">,
  accounts: AccountsOptions | null,
): void {
  if (switches.has("ephemeral")) {
    throw new UsageError(
      "--ephemeral and --cluster contradict each other: what several servers share is kept by NATS",
      "leave one of them out",
    );
  }
  if (values.answer !== undefined) {
    throw new UsageError("--answer is for one server alone", "leave it out, or --cluster");
  }
  if (accounts && accounts.url.kind !== "mysql") {
    throw new UsageError(
      `Accounts in ${accounts.url.kind}: are one server's own, and several must have the same ones`,
      "keep them in a database that all reach: --accounts mysql://USER@HOST/DATABASE",
    );
  }
}

/** One of `nats://HOST:PORT`. @throws UsageError */
function nodeOf(text: string): string {
  const match = /^(?:(?:nats|tls):\/\/)?(?:([^@/]*)@)?(\[[^\]]+\]|[^:/@]+)(?::(\d{1,5}))?\/?$/i.exec(text);
  if (match?.[1] !== undefined) {
    throw new UsageError(
      "--cluster names somebody who logs in, and everybody on this machine can read that",
      "let NATS know this server by its certificate: --cluster-tls-cert, --cluster-tls-key and --cluster-ca",
    );
  }
  const host = match && canonicalHost(match[2]);
  const port = Number(match?.[3] ?? natsPort);
  if (host && port >= 1 && port <= 65_535) return hostPort(host, port);
  throw new UsageError(
    `--cluster cannot be "${text}"`,
    "give the nodes of NATS with commas between, as nats://10.0.0.1:4222,10.0.0.2:4222,10.0.0.3:4222",
  );
}

/** `--cluster-check`: says what is there, and what is missing. @returns the exit code @throws NatsUnfit */
export async function checkCluster(options: NatsOptions, process: Process): Promise<number> {
  const { checkNats } = await import("../../server/cluster/check_nats.ts");
  const { lines, cautions, faults } = await checkNats(options);
  for (const line of lines) process.out(`[+] ${line}\n`);
  for (const caution of cautions) process.out(`[!] ${caution}\n`);
  for (const { message, hint } of faults) process.out(`[!] ${message}\n[!] hint: ${hint}\n`);
  if (faults.length > 0) {
    const count = faults.length === 1 ? "One thing stands" : `${faults.length} things stand`;
    throw new ChatError(
      `${count} against servers that share this NATS`,
      "mend what is said above",
      exitCodes.failed,
    );
  }
  process.out("[+] Servers can share this NATS\n");
  return exitCodes.done;
}

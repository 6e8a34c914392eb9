/** A real MariaDB for tests: on a temporary directory and a free loopback port, started and killed by them. */

import { join } from "@std/path";
import { hasTool, run } from "./tools.ts";
import { until } from "./until.ts";

/** Not everybody's PATH leads to where Debian keeps its servers. */
const mariadbd = hasTool("mariadbd") ? "mariadbd" : "/usr/sbin/mariadbd";

/** Tests that need it show as ignored without; `deno task test` installs it where it can. */
export const hasMariadb = [mariadbd, "mariadb-install-db", "mariadb", "mariadb-dump"].every(hasTool);
const user = (await run("sh", ["-c", "id -un"])).text.trim();

export class Mariadb {
  readonly dir = Deno.makeTempDirSync({ prefix: "chat-mariadb-" });
  readonly port: number;
  readonly #options: string[];
  #child: Deno.ChildProcess | null = null;

  private constructor(options: string[]) {
    this.#options = options;
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = (listener.addr as Deno.NetAddr).port;
    listener.close();
  }

  /** @param options of mariadbd, beside our own */
  static async start(...options: string[]): Promise<Mariadb> {
    const db = new Mariadb(options);
    await db.#install();
    await db.up();
    return db;
  }

  async #install(): Promise<void> {
    Deno.mkdirSync(`${this.dir}/tmp`, { mode: 0o700 }); // at its start a server removes what others left in /tmp
    const { ok, text } = await run("mariadb-install-db", [
      "--no-defaults",
      `--datadir=${this.dir}/data`,
      `--tmpdir=${this.dir}/tmp`,
      "--auth-root-authentication-method=normal",
      "--skip-test-db",
      `--user=${user}`,
      ...this.#options.filter((option) => option.startsWith("--innodb")),
    ]);
    if (!ok) throw new Error(`mariadb-install-db: ${text}`);
  }

  /** Starts the server on what it kept. */
  async up(...options: string[]): Promise<void> {
    this.#child = new Deno.Command(mariadbd, {
      args: [
        "--no-defaults",
        `--datadir=${this.dir}/data`,
        `--tmpdir=${this.dir}/tmp`,
        `--port=${this.port}`,
        "--bind-address=0.0.0.0",
        `--socket=${this.#socket}`,
        `--pid-file=${this.dir}/pid`,
        `--log-error=${this.dir}/log`,
        "--skip-networking=0",
        "--innodb-buffer-pool-size=16M",
        "--performance-schema=0",
        `--user=${user}`,
        ...this.#options,
        ...options,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await until(
      "mariadbd starts",
      async () => (await run("mariadb", this.#client("-e", "SELECT 1"))).ok,
      { timeoutMs: 60_000, everyMs: 50, instead: () => Deno.readTextFileSync(`${this.dir}/log`) },
    );
  }

  /** Kills it as a power cut would. */
  async down(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    this.#child = null;
  }

  /** Stops it where it stands: it answers nothing, and its connections stay open. */
  hang(): void {
    this.#child?.kill("SIGSTOP");
  }
  goOn(): void {
    this.#child?.kill("SIGCONT");
  }

  get #socket(): string {
    return join(this.dir, "sock");
  }
  #client(...args: string[]): string[] {
    return ["--no-defaults", `--socket=${this.#socket}`, "--user=root", "--batch", ...args];
  }

  /** Runs statements as the administrator. @returns what they print */
  async asAdmin(sql: string): Promise<string> {
    const { ok, text } = await run("mariadb", this.#client(), sql);
    if (!ok) throw new Error(text);
    return text;
  }

  /** Runs statements as another user, over TCP as our server does. @returns whether they went, and what they say */
  async asUser(user: string, password: string, database: string, sql: string) {
    const args = [
      "--no-defaults",
      "-h",
      "127.0.0.1",
      "-P",
      String(this.port),
      "-u",
      user,
      "--batch",
      database,
    ];
    return await run(
      "mariadb",
      [`--password=${password}`, ...args].toSorted((a) => a === "--no-defaults" ? -1 : 0),
      sql,
    );
  }

  /** All that a database holds, as an administrator would copy it. */
  async dump(database: string): Promise<string> {
    const { ok, text } = await run("mariadb-dump", [
      "--no-defaults",
      `--socket=${this.#socket}`,
      "--user=root",
      "--skip-extended-insert",
      "--hex-blob",
      database,
    ]);
    if (!ok) throw new Error(text);
    return text;
  }

  async stop(): Promise<void> {
    await this.down();
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** Real NATS servers of a test's own; `task setup` fetches what runs them. */

import { listenOnOwnPort } from "./ports.ts";
import { until } from "./until.ts";

const binary = new URL("../../.nats/nats-server", import.meta.url).pathname;
export const hasNats = (() => {
  try {
    return Deno.statSync(binary).isFile;
  } catch {
    return false;
  }
})();

function ownPort(): number {
  using listener = listenOnOwnPort();
  return (listener.addr as Deno.NetAddr).port;
}

/** One node, which keeps what it confirms. */
export class Nats {
  readonly port = ownPort();
  #child: Deno.ChildProcess | null = null;

  private constructor(private readonly dir: string) {}

  /** @param dir where its files are made */
  static async start(isSynced = true, dir?: string): Promise<Nats> {
    const nats = new Nats(await Deno.makeTempDir({ prefix: "chat-nats-", dir }));
    await nats.configure(isSynced);
    await nats.begin();
    return nats;
  }

  /** Says how it is run from its next beginning on. @param more of its jetstream part */
  async configure(isSynced = true, more = ""): Promise<void> {
    const { port, dir } = this;
    const config = `
      host: 127.0.0.1
      port: ${port}
      server_name: one
      jetstream { store_dir: "${dir}/js", sync_interval: ${isSynced ? "always" : "2m"}${more} }
      accounts {
        SYS { exports: [ { service: "$SYS.REQ.SERVER.PING.VARZ", response_type: stream, accounts: [CHAT] } ] }
        CHAT {
          jetstream: enabled
          users: [ { user: chat, password: chat } ]
          imports: [ { service: { account: SYS, subject: "$SYS.REQ.SERVER.PING.VARZ" } } ]
        }
      }
      system_account: SYS
      no_auth_user: chat
    `;
    await Deno.writeTextFile(`${dir}/nats.conf`, config);
  }

  /** Its process. */
  get pid(): number {
    return this.#child!.pid;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async begin(): Promise<void> {
    this.#child = new Deno.Command(binary, {
      args: ["-c", `${this.dir}/nats.conf`],
      stdout: "null",
      stderr: "null",
    }).spawn();
    await until(
      "NATS answers",
      () =>
        Deno.connect({ hostname: "127.0.0.1", port: this.port }).then(
          (conn) => (conn.close(), true),
          () => false,
        ),
    );
  }

  async kill(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    this.#child?.kill(signal);
    await this.#child?.status;
    this.#child = null;
  }

  async close(): Promise<void> {
    await this.kill();
    await Deno.remove(this.dir, { recursive: true });
  }
}

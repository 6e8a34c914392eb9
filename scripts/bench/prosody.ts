/**
 * Prosody: the XMPP server, the only one of those measured that keeps what is said (`mod_muc_mam` in SQLite), with
 * rooms of a few; for the same traffic as ours (small_rooms.ts).
 */

import type { TalkingRoom } from "./small_rooms.ts";

const dataBytes = 100;
const loginsAtOnce = 8;

const configuration = (dir: string, port: number) => `
run_as_root = true
daemonize = false
data_path = "${dir}"
pidfile = "${dir}/prosody.pid"
storage = "sql"
sql = { driver = "SQLite3", database = "prosody.sqlite" }
log = { warn = "${dir}/prosody.log" }
modules_enabled = { "saslauth", "tls" }
modules_disabled = { "s2s", "offline" }
interfaces = { "127.0.0.1" }
c2s_ports = {}
s2s_ports = {}
c2s_direct_tls_ports = { ${port} }
ssl = { certificate = "${dir}/cert.pem", key = "${dir}/key.pem" }
c2s_direct_tls_ssl = ssl
gc = { mode = "generational" }
VirtualHost "bench.local"
	authentication = "anonymous"
Component "muc.bench.local" "muc"
	modules_enabled = { "muc_mam" }
	muc_log_all_rooms = true
	muc_room_locking = false
	storage_archive_item_limit = 1000000
	max_history_messages = 0
	muc_room_default_history_length = 0
`;

/** A running Prosody with storage. */
export class Prosody {
  private constructor(
    private readonly child: Deno.ChildProcess,
    private readonly dir: string,
    /** On 127.0.0.1, TLS from the first byte. */
    readonly port: number,
  ) {}

  /** Starts it on a folder of its own. @throws where it is not installed, or does not come up */
  static async start(port: number): Promise<Prosody> {
    const dir = await Deno.makeTempDir({ prefix: "chat-bench-" });
    const subject = [
      "-subj",
      "/CN=bench.local",
      "-addext",
      "subjectAltName=DNS:bench.local",
      "-addext",
      "basicConstraints=critical,CA:FALSE",
    ];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    const files = ["-keyout", `${dir}/key.pem`, "-out", `${dir}/cert.pem`];
    await new Deno.Command("openssl", {
      args: ["req", "-x509", ...key, ...subject, ...files],
      stderr: "null",
    })
      .output();
    await Deno.writeTextFile(`${dir}/prosody.cfg.lua`, configuration(dir, port));
    const child = new Deno.Command("prosody", {
      args: ["-F", "--config", `${dir}/prosody.cfg.lua`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    for (let tries = 0; tries < 100; tries++) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => null);
      conn?.close();
      if (conn) return new Prosody(child, dir, port);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`Prosody does not come up: ${await Deno.readTextFile(`${dir}/prosody.log`)}`);
  }

  /** Its process. */
  get pid(): number {
    return this.child.pid;
  }
  /** What its clients trust, PEM. */
  get certificate(): string {
    return Deno.readTextFileSync(`${this.dir}/cert.pem`);
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    await this.child.status;
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** One XMPP client. */
class XmppMember {
  #seen = "";
  #wake: () => void = () => {};
  #hasEnded = false;
  #writing: Promise<unknown> = Promise.resolve();
  /** Told of the number of each message. */
  onMessage: ((number: number) => void) | null = null;

  private constructor(private readonly conn: Deno.TlsConn) {}

  static async login(port: number, certificate: string): Promise<XmppMember> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    const member = new XmppMember(
      await Deno.startTls(conn, { hostname: "bench.local", caCerts: [certificate] }),
    );
    void member.#read();
    const stream =
      "<?xml version='1.0'?><stream:stream to='bench.local' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
    const auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
    const bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    const dialogue = [
      [stream, "</stream:features>"],
      [auth, "<success"],
      [stream, "</stream:features>"],
      [bind, "</iq>"],
    ];
    for (const [said, end] of dialogue) await member.#ask(said, end);
    return member;
  }

  /** Enters a room. */
  async join(room: string, nick: string): Promise<void> {
    const muc = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>";
    await this.#ask(`<presence to='${room}/${nick}'>${muc}</presence>`, "code='110'");
  }

  say(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.#writing = this.#writing.then(() => this.conn.write(bytes));
    this.#writing.catch(() => {}); // the reader sees the end
  }

  close(): void {
    this.conn.close();
  }

  async #ask(text: string, end: string): Promise<void> {
    this.#seen = "";
    this.say(text);
    while (!this.#seen.includes(end)) {
      if (this.#hasEnded) throw new Error(`Prosody has closed a link before ${end}: ${this.#seen}`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(1 << 16);
    const decoder = new TextDecoder();
    for (;;) {
      const n = await this.conn.read(buffer).catch(() => null);
      if (n === null) {
        this.#hasEnded = true;
        this.#wake();
        return;
      }
      this.#seen += decoder.decode(buffer.subarray(0, n));
      if (this.onMessage) this.#count();
      this.#wake();
    }
  }

  /** The body of each ends with ^ and eight hex digits, once. */
  #count(): void {
    let done = 0;
    for (const match of this.#seen.matchAll(/\^([0-9a-f]{8})/g)) {
      this.onMessage!(parseInt(match[1], 16));
      done = match.index + match[0].length;
    }
    this.#seen = this.#seen.slice(Math.max(done, this.#seen.lastIndexOf("^")));
  }
}

/** Opens rooms of so many, all of them full. */
export async function openProsodyRooms(
  { port, certificate }: { readonly port: number; readonly certificate: string },
  rooms: number,
  members: number,
): Promise<TalkingRoom[]> {
  const opened: TalkingRoom[] = [];
  const waiting = Array.from({ length: rooms }, (_, i) => `r${i}@muc.bench.local`);
  const worker = async () => {
    for (let room = waiting.pop(); room; room = waiting.pop()) {
      const people: XmppMember[] = [];
      for (let i = 0; i < members; i++) {
        const person = await XmppMember.login(port, certificate);
        await person.join(room, `u${i}`);
        people.push(person);
      }
      opened.push(talking(room, people));
    }
  };
  await Promise.all(Array.from({ length: loginsAtOnce }, worker));
  return opened;
}

function talking(room: string, people: XmppMember[]): TalkingRoom {
  let number = 0;
  return {
    size: people.length,
    speak: (who) => {
      const body = `^${(number++).toString(16).padStart(8, "0")}`.padStart(dataBytes, "x");
      people[who % people.length].say(
        `<message to='${room}' type='groupchat'><body>${body}</body></message>`,
      );
    },
    listen: (onArrived) => {
      for (const person of people) person.onMessage = onArrived; // the sender gets it as well
    },
    close: () => people.forEach((person) => person.close()),
  };
}

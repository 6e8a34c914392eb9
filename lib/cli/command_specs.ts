/** CommandSpecs: every flag of every command, as one table: for parsing, help, completions, man page and pages. */

import { logFormats, logLevels } from "../server/operator/log.ts";
import { bells } from "../ui/bell.ts";
import { timeStyles } from "../ui/time_column.ts";
import { limitOptions } from "./limit_options.ts";
import type { CommandSpec, Option } from "./options.ts";

const common: readonly Option[] = [
  {
    name: "home",
    value: "DIR",
    help: "Keep profiles and server data below DIR (default: CHAT_HOME, else the platform's place)",
  },
  { name: "help", short: "h", help: "Show this help" },
];

/** `chat keygen` */
export const keygenSpec: CommandSpec = {
  name: "keygen",
  usage: "[-u NAME | --server | --room FILE | --show FILE]",
  about: "Write keys, or show what a key file holds.",
  positionals: 0,
  options: [
    { name: "user", short: "u", value: "NAME", help: "Whose keys (default: the login name)" },
    { name: "server", help: 'The server\'s keys, where "chat serve" looks' },
    { name: "room", value: "FILE", help: "A room key file, in the format of Python's Fernet.generate_key()" },
    { name: "show", value: "FILE", help: "Print kind, bits and fingerprint of a key file" },
    {
      name: "from",
      value: "FILE",
      help: "Take over the RSA key (3072 bits) of a PEM file made by OpenSSL or Python",
    },
    { name: "out", value: "DIR", help: "Write the pair to DIR instead" },
    { name: "force", help: "Replace files that exist; the old ones stay as .bak" },
    { name: "passphrase", help: "Change the passphrase of an existing key" },
    {
      name: "passphrase-file",
      value: "FILE",
      help: "Read the (new) passphrase from FILE, which holds it as its one line",
    },
    {
      name: "old-passphrase-file",
      value: "FILE",
      help: "With --passphrase or --from: the passphrase until now",
    },
    { name: "no-passphrase", help: "Write the key without a passphrase, and do not ask" },
    ...common,
  ],
  examples: [
    "chat keygen -u ira",
    "chat keygen --server --no-passphrase",
    "chat keygen --room secret.key",
    "chat keygen --from old_private_key.pem -u ira",
    "chat keygen --show secret.key",
  ],
};

/** `chat serve` */
export const serveSpec: CommandSpec = {
  name: "serve",
  usage: "[--host HOST] [-p PORT]",
  about: "Run the room: a server that stores and orders sealed messages and cannot read them.",
  positionals: 0,
  options: [
    { name: "host", value: "HOST", help: "Address to listen on (default: 127.0.0.1, this machine only)" },
    { name: "port", short: "p", value: "PORT", help: "Port to listen on (default: 9443)" },
    {
      name: "public-host",
      value: "HOST",
      help:
        "How others reach this server, for invites: HOST or HOST:PORT, with chats:// before it for TLS; several of a cluster with commas",
    },
    {
      name: "tls-cert",
      value: "FILE",
      help: "Wrap the port in TLS: the certificate chain (PEM), read anew when it changes",
    },
    { name: "tls-key", value: "FILE", help: "Its private key (PEM)" },
    {
      name: "proxy",
      value: "ADDRESS",
      help: "Everybody behind this address comes through a proxy: no limits per address for it",
    },
    { name: "data", value: "DIR", help: "Where keys and room logs are kept" },
    { name: "restored", help: "The data are an old copy: drop all rooms, begin another run, and end" },
    { name: "ephemeral", help: "Keep sealed messages in memory only; keys stay on disk" },
    {
      name: "retain",
      value: "TIME",
      help: "How long sealed messages wait for members who are away, as 30d, 12h or 90m (default: 30d)",
    },
    {
      name: "retain-bytes",
      value: "SIZE",
      help: "How much of them is kept per room, as 64M or 2G (default: 64M)",
    },
    {
      name: "files-keep",
      value: "TIME",
      help: "How long files wait for those who are away, as 7d or 12h (default: 7d)",
    },
    {
      name: "answer",
      value: "FILE",
      help: "Take part in key-file rooms with the key in FILE: show what is said, answer from the console",
    },
    { name: "answer-ack", help: 'With --answer: reply "Server received: ..." to every message by itself' },
    { name: "show-addresses", help: "Members see each sender's address and port before the name" },
    { name: "token-file", value: "FILE", help: "Everybody who joins must know the access token in FILE" },
    { name: "passphrase-file", value: "FILE", help: "Read the passphrase of the server's key from FILE" },
    {
      name: "accounts",
      value: "URL",
      help:
        "People must register and log in; kept in sqlite:, sqlite:FILE or mysql://USER@HOST:PORT/DATABASE",
    },
    {
      name: "registration",
      value: "MODE",
      choices: ["open", "token", "closed"],
      help: "Who may register: open, token or closed (default: open)",
    },
    {
      name: "accounts-password-file",
      value: "FILE",
      help: "The database user's password (default: CHAT_ACCOUNTS_PASSWORD)",
    },
    {
      name: "accounts-ca",
      value: "FILE",
      help: "The authority (PEM) that signed the database's certificate (default: the public ones)",
    },
    { name: "accounts-insecure", help: "Cross the network to the database without TLS" },
    {
      name: "print-schema",
      help: "With --accounts: print the statements that set the database up, for its administrator, and end",
    },
    { name: "audit", help: "With --accounts: print who did what and when, and end" },
    {
      name: "log-format",
      value: "FORMAT",
      choices: logFormats,
      help: "One line an event, as text or json: to --log-file, else instead of the lines for people",
    },
    { name: "log-file", value: "FILE", help: "Add log lines to FILE; it may be moved away at any time" },
    {
      name: "log-level",
      value: "LEVEL",
      choices: logLevels,
      help: "error, warn, info or debug (default: info)",
    },
    { name: "log-addresses", help: "Write addresses into the log" },
    {
      name: "metrics",
      value: "HOST:PORT",
      help: "Serve /metrics for Prometheus and /healthz there, over plain HTTP: keep it off the internet",
    },
    {
      name: "metrics-host",
      value: "NAME,…",
      help: "Names by which they are asked for, beside addresses and localhost",
    },
    {
      name: "cluster",
      value: "NODE,…",
      help:
        "Share rooms with other servers over NATS JetStream: its nodes, as nats://10.0.0.1:4222,10.0.0.2:4222",
    },
    {
      name: "cluster-tls-cert",
      value: "FILE",
      help: "With --cluster: this server's certificate (PEM) for NATS",
    },
    { name: "cluster-tls-key", value: "FILE", help: "Its private key (PEM)" },
    { name: "cluster-ca", value: "FILE", help: "The authority (PEM) that signed the certificates of NATS" },
    {
      name: "cluster-unsafe-sync",
      help: "Take a NATS that may lose what it has confirmed: for trials",
    },
    {
      name: "cluster-check",
      value: "NODE,…",
      help: "Tell what NATS has and lacks for --cluster, and end",
    },
    ...limitOptions,
    ...common,
  ],
  examples: [
    "chat serve",
    "chat serve --host 0.0.0.0 -p 9443",
    "chat serve --ephemeral",
    "chat serve --accounts sqlite: --registration token",
  ],
};

/** `chat join` */
export const joinSpec: CommandSpec = {
  name: "join",
  usage: "[-u NAME] [-s HOST] [-p PORT] [INVITE]",
  about: "Talk in a room, end to end encrypted.",
  positionals: 16, // a shell makes words of an invite that was not quoted
  options: [
    { name: "user", short: "u", value: "NAME", help: "Your name (default: the login name)" },
    {
      name: "server",
      short: "s",
      alias: "host",
      value: "HOST",
      help:
        "The server (default: 127.0.0.1), as HOST or HOST:PORT; several that share their rooms with commas; also --host",
    },
    { name: "port", short: "p", value: "PORT", help: "Its port (default: 9443)" },
    { name: "tls", help: "The server's port is wrapped in TLS (an invite says so by chats://)" },
    {
      name: "tls-ca",
      value: "FILE",
      help: "Also accept certificates that the authority in FILE (PEM) signed",
    },
    { name: "room", value: "ROOM", help: "The room (default: lobby)" },
    {
      name: "invite-file",
      value: "FILE",
      help: "Read the invite from FILE: an argument is seen by all in ps",
    },
    {
      name: "key",
      value: "FILE",
      help: "Mix the room key file FILE into the room's keys: who lacks it reads nothing",
    },
    {
      name: "fernet",
      value: "FILE",
      help: "Enter the key-file room of FILE instead, where Python's Fernet reads along",
    },
    { name: "message", short: "m", value: "TEXT", help: "Say TEXT, wait until it is stored, and go" },
    {
      name: "send",
      value: "FILE",
      help: "Send FILE, with -m TEXT beside it, wait until it is stored, and go",
    },
    {
      name: "download-dir",
      value: "DIR",
      help: "Where files are saved (default: ~/Downloads, else beside your keys)",
    },
    {
      name: "take",
      value: "SIZE",
      help: "For services: fetch every file of at most SIZE; needs --download-dir",
    },
    {
      name: "take-total",
      value: "SIZE",
      help: "With --take: only while the folder has less than this (default: 1G)",
    },
    { name: "to", value: "NAME", help: "What is said goes to NAME alone, end to end; no room is entered" },
    {
      name: "quiet",
      short: "q",
      help: "For pipes and -m: no news on standard error, only warnings and errors",
    },
    { name: "accept-new", help: "Accept the key of a server that is not known yet" },
    {
      name: "trust",
      value: "NAME",
      help: "Accept the changed key of a person, another room of a name, or a server given as HOST:PORT",
    },
    { name: "token-file", value: "FILE", help: "The access token that the server asks for" },
    { name: "passphrase-file", value: "FILE", help: "Read the passphrase of your key from FILE" },
    { name: "register", help: "Make an account on a server that has accounts" },
    { name: "password-file", value: "FILE", help: "Read your account's password from FILE" },
    {
      name: "registration-token-file",
      value: "FILE",
      help: "With --register: the token that the operator has given you",
    },
    { name: "join-timeout", value: "SECONDS", help: "How long a pipe waits to be let in (default: 60)" },
    {
      name: "history",
      value: "TIME",
      choices: ["30d", "off", "all"],
      help:
        "How long what is said is kept on this machine, sealed: 30d (days), off or all (default: 30d; off for pipes)",
    },
    {
      name: "time",
      value: "STYLE",
      choices: timeStyles,
      help: "Times before lines: short, full or off (default: short in windows under 60 columns, else full)",
    },
    {
      name: "colours",
      value: "WHEN",
      choices: ["on", "off", "auto"],
      help: "Whether names have colours: on, off, or auto, which NO_COLOR turns off (default: auto)",
    },
    { name: "listen", help: "Stay when the input has ended, and show what is said: for services" },
    { name: "json", help: "For programs: one JSON object a line, in and out; asks nothing" },
    {
      name: "raw-tokens",
      help: "With --json and --fernet: Fernet tokens as they are, for programs that open and make them",
    },
    {
      name: "web",
      optional: "PORT",
      help: "Talk in the browser of this machine: prints a link for it; keys and files stay in this program",
    },
    { name: "plain", help: "Only append lines: for screen readers and slow links" },
    {
      name: "bell",
      value: "WHEN",
      choices: bells,
      help: "Ring the terminal's bell: off, mentions (and direct messages) or all (default: mentions)",
    },
    ...common,
  ],
  examples: [
    "chat join -u ira",
    "chat join -u ira chat://chat.example.org:9443/lobby#SERVERID",
    "chat join --register -u ira",
    "chat join -u ira --web",
    'chat join -u bot -m "deploy done"',
    "echo done | chat join -u bot",
    'chat join -u bot --send report.pdf -m "of last night"',
  ],
};

/** What completions can be printed for. */
export const shells = ["bash", "zsh", "fish", "man"] as const;

/** `chat completions` */
export const completionsSpec: CommandSpec = {
  name: "completions",
  usage: "SHELL",
  about: "Print the completions of a shell (bash, zsh, fish), or the manual page (man).",
  positionals: 1,
  choices: shells,
  options: common.filter(({ name }) => name === "help"),
  examples: [
    "source <(chat completions bash)",
    'chat completions zsh > "${fpath[1]}/_chat"',
    "chat completions fish > ~/.config/fish/completions/chat.fish",
    "chat completions man > /usr/local/share/man/man1/chat.1",
  ],
};

/** All subcommands. */
export const specs: readonly CommandSpec[] = [keygenSpec, serveSpec, joinSpec, completionsSpec];

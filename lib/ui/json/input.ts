/** Input: what a program may write, one object a line. */

import { ChatError } from "../../errors.ts";

/** Something to be said. */
export interface SayInput {
  /** What it is. */
  readonly type: "say";
  /** As it stands. */
  readonly text: string;
  /** In this room; without it and `to`, in the one that was joined. */
  readonly room?: string;
  /** To this person alone. */
  readonly to?: string;
  /** "/me" */
  readonly action?: boolean;
  /** Comes back with what becomes of it. */
  readonly ref?: string;
}

/** A Fernet token that the program has made with the room's key file. */
export interface TokenInput {
  /** What it is. */
  readonly type: "token";
  /** Padded base64url. */
  readonly token: string;
  /** In this room. */
  readonly room?: string;
  /** Comes back with what becomes of it. */
  readonly ref?: string;
}

/** A file to be sent. */
export interface SendInput {
  /** What it is. */
  readonly type: "send";
  /** Of this machine. */
  readonly path: string;
  /** What is said of it. */
  readonly text?: string;
  /** Into this room; without it and `to`, into the one that was joined. */
  readonly room?: string;
  /** To this person alone. */
  readonly to?: string;
  /** Comes back with what becomes of it. */
  readonly ref?: string;
}

/** A file to be fetched. */
export interface GetInput {
  /** What it is. */
  readonly type: "get";
  /** As `file` has told it. */
  readonly id: string;
  /** Where to; without it, to --download-dir. */
  readonly dir?: string;
  /** Comes back when it is refused. */
  readonly ref?: string;
}

/** A file that is not to move on. */
export interface CancelInput {
  /** What it is. */
  readonly type: "cancel";
  /** As `pending` or `file` has told it. */
  readonly id: string;
  /** Comes back when it is refused. */
  readonly ref?: string;
}

/** All of it. */
export type Input =
  | SayInput
  | TokenInput
  | SendInput
  | GetInput
  | CancelInput
  /** A command as a person types it, with its slash. */
  | { readonly type: "command"; readonly line: string }
  | { readonly type: "quit" };

/** A line that is none of them. */
export class BadInput extends ChatError {
  /** @param ref the line's own, if it could be read */
  constructor(message: string, readonly ref: string | undefined) {
    super(message, 'one object a line, as {"type":"say","text":"Hi"} or {"type":"command","line":"/who"}');
  }
}

const fields: Record<Input["type"], Record<string, "string" | "boolean">> = {
  say: { text: "string", room: "string", to: "string", action: "boolean", ref: "string" },
  token: { token: "string", room: "string", ref: "string" },
  send: { path: "string", text: "string", room: "string", to: "string", ref: "string" },
  get: { id: "string", dir: "string", ref: "string" },
  cancel: { id: "string", ref: "string" },
  command: { line: "string" },
  quit: {},
};
const needed: Record<Input["type"], string | null> = {
  say: "text",
  token: "token",
  send: "path",
  get: "id",
  cancel: "id",
  command: "line",
  quit: null,
};

/** What version 1 says, this one says in the same way. */
const newest = 2;

/** Reads one line. @throws BadInput */
export function parseInput(line: string): Input {
  const { v = newest, type, ...rest } = parsed(line);
  const ref = typeof rest.ref === "string" ? rest.ref : undefined;
  const bad = (message: string) => new BadInput(message, ref);
  if (v !== 1 && v !== newest) {
    throw bad(`Version ${JSON.stringify(v)} is not known here; this program speaks 1 and ${newest}`);
  }
  if (typeof type !== "string" || !Object.hasOwn(fields, type)) {
    throw bad(`"type" must be one of ${Object.keys(fields).join(", ")}`);
  }
  const known = fields[type as Input["type"]];
  for (const [name, value] of Object.entries(rest)) {
    if (!Object.hasOwn(known, name)) throw bad(`"${type}" has no field ${JSON.stringify(name)}`);
    const kind: string = typeof value;
    if (kind !== known[name]) throw bad(`"${name}" must be a ${known[name]}`);
  }
  const missing = needed[type as Input["type"]];
  if (missing !== null && rest[missing] === undefined) throw bad(`"${type}" needs "${missing}"`);
  if (rest.room !== undefined && rest.to !== undefined) throw bad('"room" and "to" contradict each other');
  if (type === "command" && !(rest.line as string).startsWith("/")) throw bad('"line" must begin with /');
  if (type === "command" && /[\r\n]/.test(rest.line as string)) throw bad('"line" must be one line');
  return { type, ...rest } as Input;
}

function parsed(line: string): Record<string, unknown> {
  try {
    const value = JSON.parse(line);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // It is told below.
  }
  throw new BadInput("The line is no JSON object", undefined);
}

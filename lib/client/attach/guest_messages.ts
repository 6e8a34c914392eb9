/**
 * GuestMessages: what comes over the socket, held against what a guest may say. Whatever runs as the same user can reach
 * the socket: nothing that it sends may end the program that holds the profile.
 */

import { maxAddresses } from "../../host_port.ts";
import { isName } from "../../protocol/identity/name.ts";
import type { ChatOptions } from "../chat_options.ts";
import type { EnteredItem, FromGuest, GuestHello } from "./attach_messages.ts";

type Fields = Record<string, unknown>;
type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === "string";
const flag: Check = (value) => typeof value === "boolean";
const count: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const bytes = (length?: number): Check => (value) =>
  value instanceof Uint8Array && (length === undefined || value.length === length);
const orNull = (check: Check): Check => (value) => value === null || check(value);
const maybe = (check: Check): Check => (value) => value === undefined || check(value);
const list = (check: Check): Check => (value) => Array.isArray(value) && value.every(check);
const fields = (checks: Readonly<Record<string, Check>>): Check => (value) =>
  typeof value === "object" && value !== null &&
  Object.entries(checks).every(([name, check]) => check((value as Fields)[name]));

const port: Check = (value) => count(value) && Number(value) >= 1 && Number(value) <= 65_535;
const options: Readonly<Record<keyof ChatOptions, Check>> = {
  host: text,
  port,
  others: (value) => list(fields({ host: text, port }))(value) && (value as unknown[]).length < maxAddresses,
  tls: flag,
  room: (value) => text(value) && isName(String(value)),
  to: orNull((value) => text(value) && isName(String(value))),
  token: bytes(),
  expectServer: orNull(bytes(32)),
  acceptNew: flag,
  trust: orNull(text),
  joinTimeoutMs: (value) => Number.isFinite(value) && Number(value) > 0,
  history: fields({ days: orNull((value) => typeof value === "number" && value >= 0), isPersons: flag }),
  roomKey: orNull(bytes(32)),
  fernetKey: orNull(bytes(32)),
  downloadDir: orNull(text),
  take: orNull(fields({ each: count, total: count })),
  pins: orNull(
    fields({
      roomId: bytes(32),
      inviterId: bytes(32),
      pass: orNull(fields({ seed: bytes(32), epoch: count })),
    }),
  ),
  login: fields({ register: flag, password: orNull(text), registrationToken: orNull(text) }),
};
const hello: Record<Exclude<keyof GuestHello, "t">, Check> = {
  version: text,
  protocol: count,
  options: fields(options),
  authorities: list(text),
  listen: flag,
  seen: (value) => typeof value === "object" && value !== null && Object.values(value).every(count),
  room: orNull(text),
  view: fields({ interactive: flag, holds: flag, isBlind: flag }),
};
const said = fields({
  texts: list(text),
  action: maybe(flag),
  isToken: maybe(flag),
  file: maybe(text),
  room: maybe(text),
  to: maybe(text),
});
const item: Record<keyof EnteredItem, Check> = {
  n: count,
  line: maybe(text),
  said: maybe(said),
  wish: maybe(fields({ wish: (value) => value === "get" || value === "cancel", id: text, dir: maybe(text) })),
  room: orNull(text),
  msgIds: list(bytes(16)),
};
const isItem: Check = (value) => {
  if (!fields(item)(value)) return false;
  const { line, said, msgIds } = value as EnteredItem;
  return line !== undefined ? msgIds.length === 1 : msgIds.length === (said?.texts.length ?? 0);
};

const messages: Readonly<Record<FromGuest["t"], Check>> = {
  hello: fields(hello),
  enter: fields({ item: isItem }),
  part: fields({ n: count, bytes: bytes() }),
  "input over": fields({}),
  ask: fields({
    n: count,
    what: (value) => value === "complete" || value === "kept" || value === "people",
    about: (value) => text(value) || count(value),
  }),
  switch: fields({ number: count }),
  remember: fields({ line: text }),
  cancel: fields({}),
  "secret typed": fields({ n: count, typed: orNull(text) }),
  quit: fields({}),
  ping: fields({}),
};

/** Whether it is one of a guest's messages, with all that belongs to it. */
export function isFromGuest(value: unknown): value is FromGuest {
  const t = typeof value === "object" && value !== null ? (value as Fields).t : undefined;
  return typeof t === "string" && Object.hasOwn(messages, t) && messages[t as FromGuest["t"]](value);
}

/**
 * Settings: the limits by which records are applied. Servers that share a log must apply by the same ones, so there they
 * are records themselves; all other limits each server keeps by itself.
 */

import type { Bytes } from "../crypto/bytes.ts";
import { ChatError, Malformed } from "../errors.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { defaultFilesSeconds, defaultRetention, type Retention } from "./rooms/retention.ts";

/** Limits of which apply.ts and what it calls make use. */
export const sharedLimits = [
  "commitEveryMs",
  "memberCommits",
  "memberCommitSeconds",
  "roomsPerUser",
  "directRoomsPerUser",
  "ownEntrySeconds",
  "putsAtOnce",
  "putEverySeconds",
  "unwantedRooms",
  "unwantedRoomsFromOne",
  "members",
  "roomsInAll",
  "storeBytes",
  "fileBytes",
  "filesPerUser",
  "filesPerRoom",
  "filesBytes",
] as const satisfies readonly (keyof Limits)[];

const times = ["seconds", "bytes", "filesSeconds"] as const satisfies readonly (keyof Retention)[];

/** See above. */
export interface Settings {
  /** By their names. */
  readonly limits: Pick<Limits, typeof sharedLimits[number]>;
  /** How long, and how much. */
  readonly retention: Required<Retention>;
}

/** A newer server applies by a limit of which this version knows nothing. */
export class UnknownSetting extends ChatError {
  /** Exit code 1. */
  constructor() {
    super(
      "The log is applied by a limit that this version does not know",
      "a newer server writes to it: run the same version here",
    );
  }
}

/** Those of a server. */
export function settingsOf(limits: Limits, retention: Retention): Settings {
  const shared = Object.fromEntries(sharedLimits.map((name) => [name, limits[name]]));
  return {
    limits: shared as unknown as Settings["limits"],
    retention: { filesSeconds: defaultFilesSeconds, ...retention },
  };
}

/** What differs, in words: `members 256 -> 200`. */
export function settingsChanged(before: Settings, now: Settings): string[] {
  const say = (name: string, old: number, fresh: number) =>
    old === fresh ? [] : [`${name} ${old} -> ${fresh}`];
  return [
    ...sharedLimits.flatMap((name) => say(name, before.limits[name], now.limits[name])),
    ...times.flatMap((name) => say(name, before.retention[name], now.retention[name])),
  ];
}

/** As UTF-8 JSON with the names in their order: the same settings are the same bytes. */
export function encodeSettings({ limits, retention }: Settings): Bytes {
  const all = [
    ...sharedLimits.map((name) => [name, limits[name]]),
    ...times.map((name) => [name, retention[name]]),
  ];
  return new TextEncoder().encode(JSON.stringify(Object.fromEntries(all)));
}

/**
 * Reads them; what an older server did not say is the default.
 *
 * @throws Malformed; UnknownSetting for a name that this version does not know: it could not apply by it
 */
export function decodeSettings(bytes: Bytes): Settings {
  let all: Record<string, unknown>;
  try {
    all = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Malformed("settings that are not JSON");
  }
  const names: readonly string[] = [...sharedLimits, ...times];
  const defaults: Record<string, unknown> = {
    ...defaultLimits,
    ...defaultRetention,
    filesSeconds: defaultFilesSeconds,
  };
  if (Object.keys(all).some((name) => !names.includes(name))) throw new UnknownSetting();
  all = { ...defaults, ...all };
  const isSound = names.every((name) => Number.isSafeInteger(all[name]) && Number(all[name]) >= 0);
  if (!isSound) throw new Malformed("settings that are no numbers");
  const pick = (some: readonly string[]) => Object.fromEntries(some.map((name) => [name, all[name]]));
  return { limits: pick(sharedLimits), retention: pick(times) } as unknown as Settings;
}

/** Limit options: one flag of `chat serve` for each limit of protocol §12, with its bounds and its default. */

import { defaultLimits, type Limits } from "../server/limits.ts";
import { bytesOf } from "./byte_size.ts";
import { type Option, type Parsed, UsageError } from "./options.ts";

interface LimitOption {
  readonly flag: string;
  readonly limit: keyof Limits;
  readonly least: number;
  readonly most: number;
  readonly help: string;
  /** A number of bytes, which may be written as 64M. */
  readonly isSize: boolean;
}

const table: readonly LimitOption[] = [
  row("max-links", "links", 1, 100_000, "Most people linked at once"),
  row("max-links-per-address", "linksPerAddress", 1, 100_000, "The same, from one address"),
  row("max-pending", "pending", 1, 100_000, "Most connections that have not proved who they are"),
  row("max-pending-per-address", "pendingPerAddress", 1, 100_000, "The same, from one address"),
  row("handshake-burst", "handshakeBurst", 1, 100_000, "Handshakes that one address may try at once"),
  row("handshake-seconds", "handshakeEverySeconds", 1, 3600, "Seconds until it may try one more"),
  row("hellos-per-second", "hellosPerSecond", 1, 100_000, "Handshakes per second, all together"),
  row("rsa-at-once", "rsaAtOnce", 1, 64, "RSA decryptions at once: one per core"),
  row(
    "rsa-queued",
    "rsaQueued",
    4,
    10_000,
    "RSA decryptions that wait; as they grow, newcomers must work more",
  ),
  row("identities-per-hour", "identitiesPerHour", 1, 1_000_000, "People never seen before, from one address"),
  row("send-burst", "sendBurst", 1, 10_000, "Messages that one person may send at once"),
  row("sends-per-second", "sendsPerSecond", 1, 10_000, "Messages per second after that"),
  row("work-burst-ms", "workBurstMs", 10, 60_000, "Milliseconds of work that one person may ask for at once"),
  row("work-ms", "workMsPerSecond", 1, 1_000_000, "Milliseconds of work per second after that"),
  row("work-per-address", "workPerAddress", 1, 100_000, "How many times as much all from one address may"),
  row("commit-ms", "commitEveryMs", 10, 60_000, "Milliseconds between changes of members in one room"),
  row("member-commits", "memberCommits", 1, 10_000, "Such changes by one who is no admin, at once"),
  row("member-commit-seconds", "memberCommitSeconds", 1, 3600, "Seconds until that one may make one more"),
  row("max-members", "members", 2, 256, "Most members of a room"),
  row(
    "rooms-per-user",
    "roomsPerUser",
    1,
    1024,
    "Rooms that one person may have made, and open ones to be in",
  ),
  row("direct-rooms-per-user", "directRoomsPerUser", 1, 100_000, "Rooms of two that one may have begun"),
  row("rooms-per-address", "roomsPerAddressPerHour", 1, 1_000_000, "New rooms per hour, from one address"),
  row("join-burst", "joinBurst", 1, 100_000, "Requests to be let in at once, from one address"),
  row("join-seconds", "joinEverySeconds", 1, 86_400, "Seconds until one more"),
  row("entry-burst", "entryBurst", 1, 100_000, "Who may enter by themselves at once, from one address"),
  row("entry-seconds", "entryEverySeconds", 1, 86_400, "Seconds until one more"),
  row("own-entry-seconds", "ownEntrySeconds", 1, 604_800, "Seconds until one may enter a room so again"),
  row("puts-at-once", "putsAtOnce", 1, 100_000, "People whom one may put into rooms unasked"),
  row("put-seconds", "putEverySeconds", 1, 86_400, "Seconds until one more"),
  row("unwanted-rooms", "unwantedRooms", 1, 10_000, "Rooms into which one may be put without looking"),
  row("unwanted-rooms-from-one", "unwantedRoomsFromOne", 1, 10_000, "And of those by the same person"),
  row(
    "direct-rooms-per-hour",
    "directRoomsPerHour",
    1,
    10_000,
    "Rooms of two or by key file that one may begin",
  ),
  row("max-rooms", "roomsInAll", 1, 1_000_000, "Most rooms"),
  row("store-bytes", "storeBytes", 10_000_000, 2 ** 50, "Bytes of all rooms on disk"),
  sizeRow("file-bytes", "fileBytes", 0, "Most bytes of one file; 0: no files"),
  sizeRow("files-per-user", "filesPerUser", 1, "Bytes of files that one person may have here"),
  sizeRow("files-per-room", "filesPerRoom", 1, "The same, of one room"),
  sizeRow("files-per-address", "filesPerAddress", 1, "The same, from one address"),
  sizeRow("files-bytes", "filesBytes", 0, "Bytes of all files on disk; 0: no files"),
  row("files-work-ms", "filesWorkMs", 1, 4000, "Milliseconds of work per second that files may take"),
  row(
    "queue-bytes",
    "queueBytes",
    2_097_152,
    1 << 30,
    "Bytes that may wait for one person who does not read",
  ),
  row("queue-seconds", "queueSeconds", 1, 3600, "How long they may wait before that person is put off"),
  row(
    "transit-from",
    "transitFrom",
    2,
    100_000,
    "Readers of a room from whom on a message is encrypted once for all",
  ),
];

function row(flag: string, limit: keyof Limits, least: number, most: number, help: string): LimitOption {
  return { flag, limit, least, most, help, isSize: flag.endsWith("-bytes") };
}

function sizeRow(flag: string, limit: keyof Limits, least: number, help: string): LimitOption {
  return { ...row(flag, limit, least, 2 ** 44, help), isSize: true };
}

/** For the table of `chat serve`. */
export const limitOptions: readonly Option[] = table.map(({ flag, limit, help }) => ({
  name: flag,
  value: "N",
  help: `${help} (default: ${defaultLimits[limit]})`,
}));

/** The limits that a command line asks for. @throws UsageError */
export function limitsOf(values: Parsed["values"]): Limits {
  const limits: { -readonly [K in keyof Limits]: Limits[K] } = { ...defaultLimits };
  for (const { flag, limit, least, most, isSize } of table) {
    const text = values[flag];
    if (text === undefined) continue;
    const value = isSize ? bytesOf(text) : /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most)) {
      throw new UsageError(
        `--${flag} cannot be "${text}"`,
        `give a number from ${least} to ${most}${isSize ? ", or a size as 64M or 10G" : ""}`,
      );
    }
    limits[limit] = value;
  }
  return limits;
}

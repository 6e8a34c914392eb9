/** BAN: keeps out a name, an address or a range of addresses, for good or for a time. */

import { timestamp } from "../../timestamp.ts";
import { closeReasons } from "../../protocol/channel/link_messages.ts";
import { splitHostPort } from "../../host_port.ts";
import { addressKey } from "../address_key.ts";
import { banOf } from "../rooms/bans.ts";
import { isIn, networkFrom } from "../rooms/network.ts";
import type { StoredBan } from "../store/store.ts";
import type { ChatServer } from "../server.ts";
import { printable } from "./printable.ts";

const maxReason = 200;

/** What it works on. */
interface BanContext {
  /** Whose doors they are. */
  readonly server: ChatServer;
  /** Milliseconds since 1970. */
  now(): number;
}

/** A range that is more than a provider's: a mistyped /2 for /24 must not shut everybody out. */
export function wideRange(rest: string): string | null {
  const made = banOf(rest.split(/\s+/, 1)[0]);
  if (made?.kind !== "network") return null;
  const { bits, prefix } = networkFrom(made.value);
  return prefix < (bits === 128 ? 29 : 12) ? made.shown : null;
}

const banUnits: Record<string, number> = { m: 60, h: 3600, d: 86_400, w: 7 * 86_400 };

/** `WHO [--for TIME] [REASON]` as a ban; else what is wrong with it. */
function parseBan(rest: string, nowMs: number): StoredBan | string {
  const words = rest.split(/\s+/);
  const made = banOf(words[0]);
  if (!made) return `"${printable(words[0])}" is neither a name nor an address`;
  const at = words.findIndex((word) => word === "--for" || word.startsWith("--for="));
  if (at < 0) return { ...made, reason: printable(words.slice(1).join(" "), maxReason) };
  const isApart = words[at] === "--for";
  const time = isApart ? words[at + 1] ?? "" : words[at].slice("--for=".length);
  const [, count, unit] = /^(\d{1,4})([mhdw])$/.exec(time) ?? [];
  if (time === "") return "--for needs a time";
  if (!(Number(count) > 0)) return `"${printable(time)}" is no time to ban for`;
  const reason = [...words.slice(1, at), ...words.slice(at + (isApart ? 2 : 1))].join(" ");
  return {
    ...made,
    until: Math.floor(nowMs / 1000) + Number(count) * banUnits[unit],
    reason: printable(reason, maxReason),
  };
}

/** Who is banned and linked to other servers that share the rooms. */
function namesElsewhere({ rooms }: ChatServer): string[] {
  return [...rooms.others.links()].flatMap(({ id, address, server }) => {
    const name = rooms.cards(id)?.name ?? "";
    return rooms.bans.has(name, addressKey(splitHostPort(address)!.host)) ? [`${name} at ${server}`] : [];
  });
}

/** BAN [WHO [--for TIME] [REASON]]. */
export async function ban({ server, now }: BanContext, rest: string): Promise<string[]> {
  const { bans, peers } = server.rooms;
  if (rest === "") {
    const all = bans.all();
    return all.length === 0 ? ["Nobody is banned."] : all;
  }
  const made = parseBan(rest, now());
  if (typeof made === "string") {
    return [
      `error: ${made}`,
      "hint: BAN NAME, BAN 192.0.2.7, BAN 192.0.2.0/24 or BAN 2001:db8::/48 (/64 at most), then maybe " +
      "--for 90m, 12h, 7d or 2w, and a reason",
    ];
  }
  const holdsProxy = made.kind === "network"
    ? server.proxies.some((address) => isIn(networkFrom(made.value), address))
    : made.kind === "address" && server.proxies.includes(made.value);
  if (holdsProxy) {
    return [
      `error: ${made.shown} ${
        made.kind === "address" ? "is" : "holds"
      } the proxy: everybody comes from there`,
      "hint: BAN NAME",
    ];
  }
  const stored = bans.add(made); // in force at once
  const out = [...peers.values()].filter((peer) =>
    bans.has(peer.card.name, addressKey(splitHostPort(peer.address)!.host))
  );
  for (const peer of out) peer.link.close(closeReasons.putOut); // the others do so once the ban comes to them
  const all = [...out.map((peer) => peer.card.name), ...namesElsewhere(server)];
  const names = all.length > 0 ? `; put out: ${all.join(", ")}` : "";
  const until = made.until === null ? "" : ` until ${timestamp(made.until * 1000)}`;
  const lines = [`[+] ${made.shown} is banned${until}${names}`];
  return await stored
    ? lines
    : [...lines, "error: The ban could not be stored", "hint: it ends with this server; see above"];
}

/** `--host`, `--port`, `--public-host`, `--proxy`: where a server listens, and where others reach it. */

import { ChatError } from "../../errors.ts";
import { command } from "../../program.ts";
import type { TlsListener } from "../../server/gate/tls_listener.ts";
import { banOf } from "../../server/rooms/bans.ts";
import { parseAddresses, type Place } from "../../protocol/identity/invite.ts";
import { type Parsed, UsageError } from "../options.ts";
import type { Process } from "../process.ts";
import { listenTls, type TlsFiles } from "./serve_tls.ts";

/** Listens. @throws ChatError in words for what the system refuses */
export function listen(
  host: string,
  port: number,
  tls: TlsFiles | null,
  process: Process,
): Deno.TcpListener | TlsListener {
  const at = { hostname: host, port };
  try {
    return tls ? listenTls(at, tls, process) : Deno.listen(at);
  } catch (error) {
    if (error instanceof ChatError) throw error;
    if (error instanceof Deno.errors.AddrInUse) {
      throw new ChatError(
        `Port ${port} on "${host}" is in use`,
        `end the program that uses it, or choose another port: ${
          command(`serve -p ${port === 65_535 ? 9443 : port + 1}`)
        }`,
      );
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new ChatError(
        `The system does not let you listen on port ${port}`,
        "choose a port above 1023 with -p",
      );
    }
    if (/lookup|resolve|Name or service|invalid host/i.test(String(error))) {
      throw new ChatError(
        `There is no host "${host}"`,
        "give an address of this machine, or 0.0.0.0 for all",
      );
    }
    throw new ChatError(
      `"${host}" is not an address of this machine`,
      "give one that is, 127.0.0.1, or 0.0.0.0 for all",
    );
  }
}

/** `--proxy`: as limits count addresses. @throws UsageError */
export function proxiesOf(text: string | undefined): ReadonlySet<string> {
  if (text === undefined) return new Set();
  const made = banOf(text);
  if (made?.kind === "address") return new Set([made.value]);
  throw new UsageError(
    `--proxy cannot be "${text}"`,
    "give the address that the proxy connects from, as 127.0.0.1",
  );
}

/**
 * Where others dial: `--public-host`, else the address that is listened on; nobody dials 0.0.0.0. Several servers that
 * share their rooms name each other there, each itself first.
 *
 * @throws UsageError
 */
export function publicPlace(
  { "public-host": given, "tls-cert": certificate }: Parsed["values"],
  host: string,
  port: number,
): Place {
  const tls = certificate !== undefined;
  if (given === undefined) {
    return { host: host === "0.0.0.0" || host === "::" ? "HOST" : host, port, others: [], tls };
  }
  const [, scheme, list] = /^(chats?:\/\/)?([^/#]+)$/i.exec(given) ?? [];
  if (list !== undefined && /^HOST\b/.test(list)) {
    throw new UsageError(
      "HOST stands for the name or address that others dial",
      "put that in its place, as --public-host chat.example.org",
    );
  }
  const addresses = list === undefined ? null : parseAddresses(list, port);
  if (!addresses) {
    throw new UsageError(
      `--public-host cannot be "${given}"`,
      "give HOST or HOST:PORT as others dial it ([::1] for IPv6), with chats:// before it where they need TLS; several " +
        "servers that share their rooms with commas between, at most 8",
    );
  }
  const [first, ...others] = addresses;
  return {
    ...first,
    others,
    tls: scheme === undefined ? tls : scheme.toLowerCase() === "chats://",
  };
}

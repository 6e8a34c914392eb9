/**
 * Dial: how a server is reached: plainly, or through TLS for networks that let nothing else through. The link inside is
 * the same, and so is what is trusted: TLS adds no trust, and its failure is told apart.
 */

import type { ByteConn } from "../../protocol/channel/conn.ts";
import { Unreachable } from "./connection_errors.ts";

/** Opens a connection. @throws what the system says, or a ChatError that says it in words */
export type Dial = (host: string, port: number) => Promise<ByteConn>;

/** Without TLS. */
export const dialTcp: Dial = async (host, port) => {
  const conn = await Deno.connect({ hostname: host, port });
  conn.setNoDelay(true);
  return conn;
};

/** Through TLS. @param caCerts authorities in PEM beside those of the system */
export function dialTls(caCerts: readonly string[]): Dial {
  return async (host, port) => {
    const target = `"${host}" at port ${port}`;
    // Dialled first, so that what the system says of the network keeps its own words.
    const tcp = await Deno.connect({ hostname: host, port });
    tcp.setNoDelay(true);
    try {
      const conn = await Deno.startTls(tcp, { hostname: host, caCerts: [...caCerts] });
      await conn.handshake();
      return conn;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (/certificate|UnknownIssuer|NotValidForName/i.test(why)) {
        throw new Unreachable(
          `The TLS certificate of ${target} is not accepted: ${
            certificateWords(why.replace(/^.*certificate: /i, ""))
          }`,
          "if an authority of your own signed it, give it with --tls-ca FILE; check the host name and your clock",
        );
      }
      throw new Unreachable(
        `What answers as ${target} does not speak TLS`,
        "check the port; a server that was started without --tls-cert is joined without --tls",
      );
    }
  };
}

const words: readonly (readonly [RegExp, string])[] = [
  [
    /CaUsedAsEndEntity/i,
    "it is an authority's, and a server needs one of its own (basicConstraints CA:FALSE)",
  ],
  [/UnknownIssuer/i, "nobody whom this machine trusts has signed it"],
  [/NotValidForName|not valid for name/i, "it is for another name"],
  [/Expired/i, "its time is over, or one of the clocks is wrong"],
  [/NotValidYet/i, "its time has not come, or one of the clocks is wrong"],
];

/** What the TLS library says of a certificate, in words. */
function certificateWords(why: string): string {
  return words.find(([pattern]) => pattern.test(why))?.[1] ?? `the TLS library says "${why}"`;
}

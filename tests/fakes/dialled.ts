/** A link to a server under test, over a real socket, at the point where the client has not entered yet. */

import { systemClock } from "../../lib/clock.ts";
import { Connection, type Credentials } from "../../lib/client/connection/connection.ts";
import { dialTcp } from "../../lib/client/connection/dial.ts";
import type { Bytes } from "../../lib/crypto/bytes.ts";
import type { Identity } from "../../lib/crypto/identity.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import type { MessageOf } from "../../lib/protocol/channel/link_messages.ts";

/** Who dials. */
export interface Dialler {
  readonly name: string;
  readonly identity: Identity;
  readonly card: Bytes;
}

/** Shakes hands with the server on this machine's `port`. */
export function dialled(
  port: number,
  who: Dialler,
  credentials?: (welcome: MessageOf<"WELCOME">) => Promise<Credentials>,
): Promise<Connection> {
  return Connection.open({
    host: "127.0.0.1",
    port,
    dial: dialTcp,
    clock: systemClock,
    random: systemRandom,
    token: new Uint8Array(0),
    minVersion: 2,
    ...who,
    checkServer: () => {},
    ...(credentials ? { credentials } : {}),
  });
}

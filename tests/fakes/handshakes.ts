/** Both sides of a handshake, ready to be run against each other or against a test. */

import type { ClientHandshakeConfig } from "../../lib/protocol/channel/handshake_client.ts";
import type { ServerHandshakeConfig } from "../../lib/protocol/channel/handshake_server.ts";
import { oaepDecrypt } from "../../lib/crypto/oaep.ts";
import { systemRandom } from "../../lib/crypto/random.ts";
import { person } from "./people.ts";

export async function serverConfig(overrides: Partial<ServerHandshakeConfig> = {}) {
  const server = await person("server");
  const counts = { decryptions: 0 };
  const config: ServerHandshakeConfig = {
    identity: server.identity,
    card: server.card.bytes,
    random: systemRandom,
    puzzleBits: () => 0,
    decrypt: (label, ct) => {
      counts.decryptions++;
      return oaepDecrypt(server.identity.rsa, label, ct);
    },
    ...overrides,
  };
  return { config, counts };
}

export async function clientConfig(
  overrides: Partial<ClientHandshakeConfig> = {},
): Promise<ClientHandshakeConfig> {
  const ira = await person("ira");
  return {
    identity: ira.identity,
    card: ira.card.bytes,
    token: new Uint8Array(0),
    minVersion: 2,
    random: systemRandom,
    checkServer: () => {},
    ...overrides,
  };
}

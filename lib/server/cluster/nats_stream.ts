/** NatsStream: a stream of JetStream that must be there, on as many nodes as are to keep it. */

import type { JetStreamManager, StreamConfig } from "@nats-io/jetstream";

/** What must be said of one. */
export type StreamWish = Parameters<JetStreamManager["streams"]["add"]>[0] & { num_replicas: number };

/** Makes it if it is not there, or lets more nodes keep it than before. @throws what the library says */
export async function ensureStream(manager: JetStreamManager, wish: StreamWish): Promise<void> {
  const known = await manager.streams.info(wish.name).catch(() => null);
  if (known) await keepOnMore(manager, known.config, wish.num_replicas);
  else await manager.streams.add(wish);
}

/** Lets more nodes keep it than before; never fewer. @throws what the library says */
export async function keepOnMore(
  manager: JetStreamManager,
  config: StreamConfig,
  replicas: number,
): Promise<void> {
  if (config.num_replicas >= replicas) return;
  await manager.streams.update(config.name, { ...config, num_replicas: replicas });
}

/**
 * Outbox (protocol §7.3): what was said and is not confirmed yet.
 *
 * Messages are sealed and stored before they are sent, sent in order, and resent byte for byte within an
 * epoch; in a new epoch they are sealed anew with the same msg_id, so that nothing is lost or doubled.
 */

import { encodeHex } from "../../hex.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { errorCodes } from "../../protocol/channel/link_messages.ts";
import type { Connection } from "../connection/connection.ts";
import type { RoomContext } from "./room_context.ts";
import { Respite } from "./respite.ts";
import type { RoomNews } from "./room_news.ts";
import type { OutboxItem } from "./room_state.ts";

/** A message as it was sealed. */
export type Sealed = NonNullable<OutboxItem["sealed"]>;

/** What an outbox needs of its room. */
export interface OutboxOwner {
  /** Clock, and how fast we may send. */
  readonly context: RoomContext;
  /** Where to send. @throws LinkLost when there is no connection */
  readonly linked: Connection;
  /** What waits. */
  readonly state: { readonly id: Bytes; outbox: OutboxItem[] };
  /** For events. */
  readonly label: string;
  /** Seals one message. */
  seal(item: OutboxItem): Sealed;
  /** Whether a sealed message still fits; if not, it is sealed anew. */
  isCurrent(sealed: Sealed): boolean;
  /** The server refused a message for good. */
  messageDenied(item: OutboxItem): void;
  /** The server refused a message's number. */
  numberRefused(item: OutboxItem): void;
  /** Where the person is told. */
  readonly news: Pick<RoomNews, "event">;
  /** Tries again. */
  schedule(): void;
}

const firstBackoffMs = 1_000;
const maxBackoffMs = 30_000;
const maxInFlight = 64;

/** A message on its way: what was sent counts, whatever happens to the item meanwhile. */
interface InFlight {
  readonly item: OutboxItem;
  readonly sealed: Sealed;
}

/** The sending side of one room. */
export class Outbox {
  #inFlight = new Map<number, InFlight>();
  #slowed = false;
  #backoffMs = 0;
  readonly #respite: Respite;
  #cancel: () => void = () => {};

  /** @param room whose outbox it is */
  constructor(private readonly room: OutboxOwner) {
    this.#respite = new Respite(room.context.clock, () => room.schedule());
  }

  /** A new connection: nothing is in flight any more. */
  reset(): void {
    this.#inFlight.clear();
    this.#backoffMs = 0;
    this.#respite.end();
    this.#cancel();
  }

  /** Whether something waits to be sealed or sent. */
  get hasWork(): boolean {
    return this.#open().length > 0;
  }

  /** The message that a STORED or ERROR with this ref is about. */
  take(ref: number): InFlight | undefined {
    const flying = this.#inFlight.get(ref);
    this.#inFlight.delete(ref);
    return flying;
  }

  #open(): OutboxItem[] {
    const flying = new Set([...this.#inFlight.values()].map(({ item }) => item));
    return this.room.state.outbox.filter((item) => !item.failed && !flying.has(item));
  }

  /**
   * Seals what may go out now.
   *
   * @returns sends it; to be called once the state is stored
   * @throws LinkLost before anything is sealed
   */
  prepare(): () => void {
    const { linked, state } = this.room;
    if (this.#respite.isOn) return () => {};
    // Messages of the last epoch will still come back as STALE: new ones must not overtake them.
    if ([...this.#inFlight.values()].some(({ item }) => item.sealed === null)) return () => {};
    const ready: OutboxItem[] = [];
    for (const item of this.#open()) {
      if (this.#inFlight.size + ready.length >= maxInFlight) break;
      const waitMs = this.room.context.sendWaitMs();
      if (waitMs > 0) {
        this.#later(waitMs);
        break;
      }
      item.sealed ??= this.room.seal(item);
      ready.push(item);
    }
    return () => {
      if (ready.length > 0) this.#slowed = false;
      for (const item of ready) {
        const sealed = item.sealed!;
        const message = sealed.bytes;
        const ref = linked.sendInStream(state.id, (ref) => ({ type: "SEND", ref, message }));
        this.#inFlight.set(ref, { item, sealed });
      }
    };
  }

  /** Whether this one is on its way now. */
  isFlying(item: OutboxItem): boolean {
    return [...this.#inFlight.values()].some((flying) => flying.item === item);
  }

  /** The server refused a message. */
  refused({ item, sealed }: InFlight, code: number): void {
    const current = this.room.isCurrent(sealed);
    if (code === errorCodes.STALE && !current) return; // sealed anew in the next job
    if (code === errorCodes.DENIED && current) {
      item.failed = true;
      this.room.messageDenied(item);
      this.room.news.event({
        type: "failed",
        room: this.room.label,
        msgId: encodeHex(item.msgId),
        why: "the server refused it",
      });
      return;
    }
    if (code === errorCodes.ORDER) this.room.numberRefused(item);
    // A refusal also refuses the messages behind it: back off once, not once per message.
    if (this.#slowed) return;
    this.#slowed = true;
    this.#backoffMs = Math.min(maxBackoffMs, this.#backoffMs * 2 || firstBackoffMs);
    this.#respite.begin(this.#backoffMs);
  }

  /** Something was stored: the server takes messages again. */
  accepted(): void {
    this.#backoffMs = 0;
  }

  #later(ms: number): void {
    this.#cancel();
    this.#cancel = this.room.context.clock.after(ms, () => this.room.schedule());
  }
}

/**
 * Directory: the cards and prekeys of others at one server (protocol §4.2, §4.4, §8.2).
 *
 * One id, one name: the first card seen for an id is kept. A prekey below the newest seen, expired or from
 * the future is not sealed to, whatever the server says.
 */

import { encodeHex } from "../../hex.ts";
import { equals } from "@std/bytes/equals";
import { type Clock, seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { type Card, parseCard, roles } from "../../protocol/identity/card.ts";
import { encodeName } from "../../protocol/identity/name.ts";
import { isPrekeyUsable, parsePrekey, type Prekey, verifyPrekey } from "../../protocol/identity/prekey.ts";
import { unlessRefused } from "../../errors.ts";
import type { SealedFiles } from "../../storage/sealed_files.ts";
import type { Connection } from "./connection.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";

const perRequest = 32;
const file = "directory.state";

interface Kept {
  cards: Record<string, Bytes>;
  /** The highest prekey id seen, by id. */
  prekeyIds: Record<string, number>;
}

/** What is known of others. */
export class Directory {
  #kept: Kept;
  #cards = new Map<string, Card>();
  #dirty = false;

  /** @param own our card, which needs no fetching */
  constructor(private readonly files: SealedFiles, own: Card, private readonly clock: Clock) {
    const bytes = files.read(file);
    this.#kept = bytes ? decodeState<Kept>(bytes) : { cards: {}, prekeyIds: {} };
    for (const [id, card] of Object.entries(this.#kept.cards)) this.#cards.set(id, parseCard(card));
    this.#cards.set(encodeHex(own.id), own);
  }

  /** A card that is here. */
  card = (id: Uint8Array): Card | undefined => this.#cards.get(encodeHex(id));

  /** The same by id in hex. */
  cardByKey(key: string): Card | undefined {
    return this.#cards.get(key);
  }

  /** Those of `ids` whose cards are not here. */
  missing(ids: readonly Bytes[]): Bytes[] {
    const unknown = new Map(ids.map((id) => [encodeHex(id), id]));
    for (const key of unknown.keys()) if (this.#cards.has(key)) unknown.delete(key);
    return [...unknown.values()];
  }

  /**
   * Asks for cards that are not here; what the server cannot or will not show stays missing.
   *
   * @throws LinkLost
   */
  async fetchCards(connection: Connection, ids: readonly Bytes[]): Promise<void> {
    const missing = this.missing(ids);
    for (let i = 0; i < missing.length; i += perRequest) {
      const some = missing.slice(i, i + perRequest);
      const answer = await connection.request((ref) => ({ type: "CARD_GET", ref, ids: some }), "CARD");
      answer.cards.forEach((bytes, k) => this.#take(some[k], bytes));
    }
    this.save();
  }

  /** Looks a name up: the server's claim, to be held against the pins. @throws LinkLost */
  async findByName(connection: Connection, name: string): Promise<Card | null> {
    const answer = await connection.request(
      (ref) => ({ type: "NAME_GET", ref, name: encodeName(name) }),
      "CARD",
    );
    const card = answer.cards.length === 1 ? unlessRefused(() => parseCard(answer.cards[0])) : null;
    if (!card || card.role !== roles.user) return null;
    this.#take(card.id, card.bytes);
    this.save();
    return this.card(card.id)!;
  }

  #take(id: Bytes | undefined, bytes: Bytes): void {
    const card = unlessRefused(() => parseCard(bytes));
    if (!id || !card || !equals(card.id, id)) return; // a card is checked against its id
    const key = encodeHex(id);
    if (this.#cards.has(key)) return;
    this.#cards.set(key, card);
    this.#kept.cards[key] = card.bytes;
    this.#dirty = true;
  }

  /**
   * The prekeys of these ids, fresh from the server and checked.
   *
   * @returns by id in hex; ids without a usable one are left out
   * @throws LinkLost
   */
  async fetchPrekeys(connection: Connection, ids: readonly Bytes[]): Promise<Map<string, Prekey>> {
    const found = new Map<string, Prekey>();
    for (let i = 0; i < ids.length; i += perRequest) {
      const some = ids.slice(i, i + perRequest);
      const answer = await connection.request((ref) => ({ type: "PREKEY_GET", ref, ids: some }), "PREKEY");
      some.forEach((id, k) => {
        const prekey = this.#checkPrekey(id, answer.prekeys[k]);
        if (prekey) found.set(encodeHex(id), prekey);
      });
    }
    this.save();
    return found;
  }

  #checkPrekey(id: Bytes, bytes: Bytes | undefined): Prekey | null {
    const card = this.card(id);
    const key = encodeHex(id);
    if (!bytes || bytes.length === 0 || !card) return null;
    const prekey = unlessRefused(() => parsePrekey(bytes));
    const good = prekey && equals(prekey.id, id) && verifyPrekey(prekey, card.verifying) &&
      isPrekeyUsable(prekey, seconds(this.clock)) && prekey.prekeyId >= (this.#kept.prekeyIds[key] ?? 0);
    if (!good) return null;
    if (this.#kept.prekeyIds[key] !== prekey.prekeyId) {
      this.#kept.prekeyIds[key] = prekey.prekeyId;
      this.#dirty = true;
    }
    return prekey;
  }

  /** Writes what is new. @throws FileTrouble */
  save(): void {
    if (!this.#dirty) return;
    this.files.write(file, encodeState(this.#kept));
    this.#dirty = false;
  }
}

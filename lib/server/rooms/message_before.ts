/** MessageBefore: what a message comes to whose place in its sender's chain is taken already (protocol §11, SEND). */

import { equals } from "@std/bytes/equals";
import { sha256 } from "../../crypto/hash.ts";
import type { Message } from "../../protocol/group/sealed_message.ts";
import type { Outcome } from "../store/journal.ts";
import type { Store } from "../store/store.ts";

/** @returns its first position when the bytes are the same, DENIED when not; null when the place is free */
export function messageBefore(
  store: Pick<Store, "message">,
  { room, sender, epoch, n, view, bytes }: Message,
): Outcome | null {
  const before = store.message(room, view.pos, sender, epoch, n);
  if (!before) return null;
  return equals(before.digest, sha256(bytes))
    ? { type: "stored", pos: before.pos, isRepeated: true }
    : { type: "refused", code: "DENIED" };
}

/** Who can read a message, with a chain key from any earlier place. */

import type { Bytes } from "../../lib/crypto/bytes.ts";
import { ChatError } from "../../lib/errors.ts";
import { chainStep } from "../../lib/protocol/group/epoch.ts";
import { openMessage, parseMessage } from "../../lib/protocol/group/sealed_message.ts";

const maxSteps = 20;

/** Whether the chain, walked on from `first`, opens the message. */
export function opensWith(bytes: Bytes, first: Bytes, commitHash: Bytes): boolean {
  const message = parseMessage(bytes);
  for (let chain = first, i = 0; i < maxSteps; i++) {
    const { messageKey, next } = chainStep(chain);
    chain = next;
    try {
      openMessage(message, messageKey, commitHash);
      return true;
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
    }
  }
  return false;
}

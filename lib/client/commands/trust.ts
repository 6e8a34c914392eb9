/** `/trust`: accepts a changed key (protocol §4.3). */

import type { ChatApi } from "./chat_api.ts";

/** @param said a name, and maybe the beginning of the digits of the key that is meant */
export function trust(chat: ChatApi, said: string): void {
  const [name = "", ...digits] = said.split(/\s+/);
  const { room, view } = chat;
  if (!room || name === "") return view.warning("Whom? /trust NAME");
  const claim = chat.chosenClaim(name, digits.join(""));
  if (claim) return chat.acceptKey(claim);
  view.warning(`There is nothing to accept: no key of ${name} has changed.`);
}

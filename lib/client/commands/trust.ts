/** `/trust`: accepts a changed key, or ignores the views of a member whose history differs (protocol §4.3, §9). */

import { decodeHex } from "@std/encoding/hex";
import { skeleton } from "../../protocol/identity/name.ts";
import type { ChatApi } from "./chat_api.ts";

/** @param said a name, and maybe the beginning of the digits of the key that is meant */
export function trust(chat: ChatApi, said: string): void {
  const [name = "", ...digits] = said.split(/\s+/);
  const { room, view } = chat;
  if (!room || name === "") return view.warning("Whom? /trust NAME");
  const claim = chat.chosenClaim(name, digits.join(""));
  if (claim) return chat.acceptKey(claim);
  const { alarm, alarmBy } = room.state;
  if (alarm === null || !alarmBy || skeleton(alarm) !== skeleton(name)) {
    return view.warning(
      `There is nothing to accept: no key of ${name} has changed, and no alarm is by ${name}.`,
    );
  }
  room.ignoreViews(decodeHex(alarmBy));
}

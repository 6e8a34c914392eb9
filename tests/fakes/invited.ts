/** Invited: an invite as a user makes and reads it. */

import { type InvitePins, parseInvite } from "../../lib/protocol/identity/invite.ts";
import { until } from "./until.ts";
import type { Client } from "./world.ts";

/** Types a command that shows an invite, and reads what the invite pins. */
export async function invited({ view }: Client, line: string): Promise<InvitePins> {
  const before = view.answers.length;
  view.type(line);
  await until("an invite", () => view.answers.slice(before).some((text) => text.includes("chat://")));
  return parseInvite(view.answers.findLast((text) => text.includes("chat://"))!.replace("HOST", "h")).pins!;
}

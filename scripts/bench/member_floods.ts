/**
 * Member floods: what ordinary people feel while others, who have proved who they are, do the worst they may. In a
 * process of its own; `deno task soak --flooders 20` begins it.
 */

import { decodeHex } from "@std/encoding/hex";
import { floodAsMember } from "../../tests/fakes/member_floods.ts";

/** So many identities, each from an address of its own, for so long. @param run `room` in hex */
export async function runMemberFloods(
  run: { flooders: number; port: number; seconds: number; room: string },
  print: (row: string) => void,
): Promise<void> {
  const signal = AbortSignal.timeout(run.seconds * 1000);
  const all = Array.from(
    { length: run.flooders },
    (_, n) => floodAsMember(n, run.port, decodeHex(run.room), signal),
  );
  for (const { name, answers } of await Promise.all(all)) {
    print(
      `member-flood "${name.replaceAll(" ", "-")}" ${
        [...answers].map(([kind, n]) => `${kind}:${n}`).join(" ")
      }`,
    );
  }
}

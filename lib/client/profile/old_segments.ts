/** OldSegments: the local history as versions before 0.2 have kept it, in segments that were written anew. */

import type { SealedFiles } from "../../storage/sealed_files.ts";
import { decodeState } from "../../storage/state_json.ts";
import type { KeptMessage } from "../room_events.ts";

const name = /^([0-9a-f]{64})-(\d+)$/;

/** One segment. */
interface OldSegment {
  /** Of the room, in hex. */
  readonly id: string;
  /** When it was last written, as `2026-11-21`. */
  readonly day: string;
  /** What it holds. */
  readonly lines: KeptMessage[];
  /** It was taken over. @throws FileTrouble */
  remove(): void;
}

/** The segments that are left, each room's in order. @throws FileTrouble when one was changed */
export function* oldSegments(files: SealedFiles): Generator<OldSegment> {
  const found = files.names().flatMap((each) => {
    const [, id, number] = name.exec(each) ?? [];
    return id === undefined ? [] : [{ each, id, number: Number(number) }];
  });
  const latest = new Map<string, string>();
  for (const { each, id } of found.toSorted((a, b) => a.number - b.number)) {
    const bytes = files.read(each);
    if (!bytes) continue;
    const written = files.changedMs(each);
    const own = new Date(written).toISOString().slice(0, 10);
    // A copy may have been restored in any order: later lines never go before earlier ones.
    const day = own > (latest.get(id) ?? "") ? own : latest.get(id)!;
    latest.set(id, day);
    const lines = decodeState<Omit<KeptMessage, "pos">[]>(bytes).map((line) => ({ ...line, pos: 0 }));
    yield { id, day, lines, remove: () => files.remove(each) };
  }
}

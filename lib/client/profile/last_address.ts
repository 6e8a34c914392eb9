/** LastAddress: which of several addresses has worked last, so that it is tried first. */

import type { SealedFiles } from "../../storage/sealed_files.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";

const file = "addresses.state";
/** Lists that are remembered. */
const most = 32;

/** What a profile remembers of them: by the list as text. */
export class LastAddress {
  /** @param files of the profile */
  constructor(private readonly files: Pick<SealedFiles, "read" | "write">) {}

  #all(): [list: string, address: string][] {
    const kept = this.files.read(file);
    return kept ? decodeState<[string, string][]>(kept) : [];
  }

  /** `host:port`; null when nothing is known. */
  of(list: string): string | null {
    return this.#all().find(([known]) => known === list)?.[1] ?? null;
  }

  /** One of them has worked. @throws FileTrouble */
  keep(list: string, address: string): void {
    const all = this.#all();
    if (all.some(([known, worked]) => known === list && worked === address)) return;
    const others = all.filter(([known]) => known !== list);
    this.files.write(file, encodeState([[list, address], ...others].slice(0, most)));
  }
}

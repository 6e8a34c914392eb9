/** Ignored: people at one server whose messages the person does not want to see. By key, not by name. */

import type { SealedFiles } from "../../storage/sealed_files.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";

const file = "ignored.state";

/** Who is ignored; kept. */
export class Ignored {
  #names: Record<string, string>;

  /** @param files the folder of one server */
  constructor(private readonly files: SealedFiles) {
    const bytes = files.read(file);
    this.#names = bytes ? decodeState<Record<string, string>>(bytes) : {};
  }

  /** Whether somebody is. @param id in hex */
  has(id: string): boolean {
    return Object.hasOwn(this.#names, id);
  }

  /** Their names. */
  get names(): string[] {
    return Object.values(this.#names).toSorted();
  }

  /** Begins or ends it. @param id in hex @returns whether it is so now @throws FileTrouble */
  toggle(id: string, name: string): boolean {
    const { [id]: before, ...others } = this.#names;
    const next = before === undefined ? { ...others, [id]: name } : others;
    this.files.write(file, encodeState(next));
    this.#names = next;
    return before === undefined;
  }
}

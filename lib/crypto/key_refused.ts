/** KeyRefused: a key that is well-formed but breaks a rule of protocol §3. */

import { command } from "../program.ts";
import { ChatError, exitCodes } from "../errors.ts";

/** Says which rule the key breaks. */
export class KeyRefused extends ChatError {
  /** Makes one. @param rule completes "The key is refused: …" */
  constructor(readonly rule: string) {
    super(
      `The key is refused: ${rule}`,
      `make one that fits with "${command("keygen")}", or with "openssl genrsa 3072"`,
      exitCodes.failed,
    );
  }
}

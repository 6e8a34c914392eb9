/** BegunAnew: all servers that share a log have dropped their rooms; each must be started again. */

import { ChatError } from "../../errors.ts";

/** See above. */
export class BegunAnew extends ChatError {
  /** Exit code 1, so that a service manager starts it again. */
  constructor() {
    super(
      "The servers of this cluster begin anew: one of them was started with --restored",
      "start this one again",
    );
  }
}

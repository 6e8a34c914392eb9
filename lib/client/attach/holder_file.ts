/**
 * HolderFile: where the program that holds a profile can be reached by other programs of the same person: a socket in the
 * profile, or, where its path would be too long for one, in a private temporary folder that a file in the profile names.
 *
 * The lock of the profile says who holds it, never these files: they may be left over from a program that was killed.
 */

import { dirname, join } from "@std/path";
import { decodeState, encodeState } from "../../storage/state_json.ts";
import { trouble } from "../../storage/file_trouble.ts";
import { readPrivate, writeAtomically } from "../../storage/private_file.ts";

const file = "holder";
/** Less than the 108 bytes of Linux and the 104 of macOS. */
const maxSocketPath = 100;

/** What a holder says of itself. */
export interface Holder {
  /** Of the program. */
  readonly version: string;
  /** Its process. */
  readonly pid: number;
  /** Path of its socket. */
  readonly socket: string;
}

/** Listens where others of this profile look. @param profile its folder; its lock is ours @throws FileTrouble */
export function listenAsHolder(
  profile: string,
  { version, pid }: Omit<Holder, "socket">,
): { listener: Deno.UnixListener; close(): void } {
  removeOld(profile);
  let socket = join(profile, "socket");
  let listener: Deno.UnixListener;
  try {
    if (new TextEncoder().encode(socket).length > maxSocketPath) {
      socket = join(Deno.makeTempDirSync({ prefix: "chat-" }), "socket"); // 0700
    }
    listener = Deno.listen({ transport: "unix", path: socket });
    Deno.chmodSync(socket, 0o600);
  } catch (error) {
    throw trouble("listen on", socket, error);
  }
  writeAtomically(join(profile, file), encodeState({ version, pid, socket }));
  return {
    listener,
    close() {
      listener.close();
      removeOld(profile);
    },
  };
}

/** What the last holder has said of itself; null when there is nothing. @throws FileTrouble */
export function readHolder(profile: string): Holder | null {
  const bytes = readPrivate(join(profile, file));
  if (!bytes) return null;
  try {
    const { version, pid, socket } = decodeState<Partial<Holder>>(bytes);
    return typeof version === "string" && typeof pid === "number" && typeof socket === "string"
      ? { version, pid, socket }
      : null;
  } catch {
    return null;
  }
}

/** Removes what a holder has left; only whoever has the lock may. */
function removeOld(profile: string): void {
  const socket = readHolder(profile)?.socket;
  for (const path of [socket, join(profile, "socket"), join(profile, file)]) {
    if (path === undefined) continue;
    try {
      Deno.removeSync(path);
      if (dirname(path) !== profile) Deno.removeSync(dirname(path));
    } catch {
      // Not there, or not ours.
    }
  }
}

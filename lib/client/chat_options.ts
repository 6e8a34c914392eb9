/** ChatOptions: where a chat goes and how, and what is passed in. */

import type { Clock } from "../clock.ts";
import type { Bytes } from "../crypto/bytes.ts";
import type { RandomSource } from "../crypto/random.ts";
import type { InvitePins } from "../protocol/identity/invite.ts";
import type { FrameWatcher } from "../protocol/channel/link.ts";
import type { Dial } from "./connection/dial.ts";
import type { LoginOptions } from "./connection/login.ts";
import type { ServerTrust } from "./connection/server_gate.ts";
import type { HistoryWish } from "./profile/history_choice.ts";
import type { InputHistory } from "./profile/input_history.ts";

/** Where to go, and how. */
export interface ChatOptions extends ServerTrust {
  /** Whether the port is wrapped in TLS. */
  readonly tls: boolean;
  /** Room name. */
  readonly room: string;
  /** Somebody who is written to alone; then no room is entered. */
  readonly to: string | null;
  /** What the command line says of accounts. */
  readonly login: LoginOptions;
  /** Access token, maybe empty. */
  readonly token: Bytes;
  /** After how long somebody who is not there to wait gives up. */
  readonly joinTimeoutMs: number;
  /** How long what is said is kept on this machine, sealed. */
  readonly history: HistoryWish;
  /** 32 bytes of the room's key file, which is mixed into its keys; null for none. */
  readonly roomKey: Bytes | null;
  /** 32 bytes of a key file whose Fernet room is entered instead of an ordinary one. */
  readonly fernetKey: Bytes | null;
  /** Where files are saved; null: beside the profile. */
  readonly downloadDir: string | null;
  /** Files are taken unasked, up to so many bytes each, and in all that the folder has; null: none are. */
  readonly take: { readonly each: number; readonly total: number } | null;
  /** The room, and who vouches for it, by an invite. */
  readonly pins: InvitePins | null;
}

/** What is passed in. */
export interface ChatSeams {
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** Connections. */
  readonly dial: Dial;
  /** What the person has typed, for `/forget`. */
  readonly typed?: Pick<InputHistory, "forget">;
  /** Makes a path whole: against where the program was started, `~` as a shell has it. */
  readonly pathOf?: (path: string) => string;
  /** The servers that this person is at, one a line. @param chat that asks */
  readonly servers?: (chat: object) => readonly string[];
  /** A server has proved its key: one chat for each. @throws ChatError when another has it */
  readonly claimServer?: (chat: object, id: Bytes) => void;
  /** Told of faults of this program that did not end it. */
  readonly onBug?: (error: Error) => void;
  /** Told of what passes over the link. */
  readonly onFrame?: FrameWatcher;
}

/** RoomContext: what all rooms at one server share. */

import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { VerifyingKey } from "../../crypto/ed25519.ts";
import type { Identity } from "../../crypto/identity.ts";
import type { RandomSource } from "../../crypto/random.ts";
import type { Card } from "../../protocol/identity/card.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import type { Directory } from "../connection/directory.ts";
import type { KnownKeys } from "../trust/known_keys.ts";
import type { TokenBucket } from "../../token_bucket.ts";
import type { Backlog } from "./backlog.ts";
import type { OwnPrekeys } from "../connection/own_prekeys.ts";
import type { Evidence } from "./conviction.ts";
import type { RoomEvent } from "../room_events.ts";
import type { RoomFiles } from "./room_files.ts";

/** Passed to every room. */
export interface RoomContext {
  /** The server's id. */
  readonly serverId: Bytes;
  /** Its key, by which it signs where histories stand. */
  readonly serverKey: VerifyingKey;
  /** Where its rooms are now: 32 bytes. */
  readonly site: Bytes;
  /** Our keys. */
  readonly identity: Identity;
  /** Our card. */
  readonly card: Card;
  /** Cards and prekeys of others. */
  readonly directory: Directory;
  /** Pins. */
  readonly known: KnownKeys;
  /** Our private prekeys. */
  readonly prekeys: OwnPrekeys;
  /** Where rooms are kept. */
  readonly files: RoomFiles;
  /** How often our private keys open a box for whoever commits: 200 at once, 30 a minute (protocol §7.2). */
  readonly openings: TokenBucket;
  /** The same in rooms that the person has not asked for: those must not use up what the others need. */
  readonly unaskedOpenings: TokenBucket;
  /** What waits in all rooms. */
  readonly backlog: Backlog;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** Shows. @param room where it happened */
  show(event: RoomEvent, room: object): void;
  /** Whether what is said in a room waits until the room is on the screen. */
  holds(room: object): boolean;
  /** Whether others look on through this program, and may have to take over from it. */
  hasGuests(): boolean;
  /** Whether nobody reads what is said now: all of it is to wait. */
  areBlind(): boolean;
  /** Whether the person wants to see nothing of somebody. @param id in hex */
  ignores(id: string): boolean;
  /** Keeps what was said, before it is acknowledged and shown. @param room its id @throws FileTrouble */
  record(room: Bytes, events: readonly RoomEvent[]): void;
  /** Takes the place of one message in what WELCOME allows. @returns 0, or in how many milliseconds there is one */
  sendWaitMs(): number;
  /** Whether names of rooms stand for the same room for ever: not at a memory-only server. */
  pinsRooms(): boolean;
  /** Something could not be stored; it is tried again, but a program may want to end. */
  storageFailed(error: ChatError): void;
  /** A room cannot go on, by something only the person can mend. @returns whether the chat ends for it */
  gaveUp(error: ChatError): boolean;
  /** Keeps what convicts the server. @returns the path of the file @throws FileTrouble */
  keepConviction(evidence: Omit<Evidence, "card" | "runId">): string;
  /** A room at whose door we waited has ended: what was typed for it waits for the next one of its name. */
  endedAtTheDoor(room: object): void;
  /** A fault of this program: goes to the debug log. */
  bug(error: Error): void;
  /** The server broke the protocol: the connection must end. */
  serverFault(why: string): void;
}

/** The box opens, but not with the secret that the commit has signed: the file is another one. */
export class WrongKeyFile extends ChatError {
  /** @param room its name */
  constructor(room: string) {
    super(
      `The key file does not fit the room "${room}"`,
      "ask a member for the right one; you are on the list of members, and read and send nothing without it",
      exitCodes.trust,
    );
  }
}

/** The server broke a rule that no honest server breaks. */
export class ServerFault extends Error {}

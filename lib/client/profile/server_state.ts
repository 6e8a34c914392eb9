/**
 * ServerState: everything of one server that a profile keeps (protocol §8.6, §10): rooms, directory and
 * prekeys; for a memory-only server, rooms by its run.
 */

import { encodeHex } from "../../hex.ts";
import { equals } from "@std/bytes/equals";
import type { Clock } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import { siteOf } from "../../protocol/group/site.ts";
import type { SealedFiles } from "../../storage/sealed_files.ts";
import { Directory } from "../connection/directory.ts";
import { LinkLost } from "../connection/connection_errors.ts";
import { OwnPrekeys } from "../connection/own_prekeys.ts";
import type { Profile } from "./profile.ts";
import { Ignored } from "./ignored.ts";
import { HistoryChoice, type HistoryWish } from "./history_choice.ts";
import { LocalHistory } from "./local_history.ts";
import { RoomOrder } from "../rooms/room_order.ts";
import type { Upload, UploadFile } from "../files/uploads.ts";
import { RoomFiles } from "../rooms/room_files.ts";
import { decodeState, encodeState } from "../../storage/state_json.ts";

const file = "about.state";
const uploadsFile = "uploads.state";

/** What a server said of itself at the last WELCOME. */
export interface AboutServer {
  /** 16 bytes; changes when its logs are lost. */
  runId: Bytes;
  /** Whether that is to be expected. */
  memoryOnly: boolean;
}

/** The folder of one server. */
export class ServerState {
  /** Cards and prekeys of others. */
  readonly directory: Directory;
  /** Our prekeys there. */
  readonly prekeys: OwnPrekeys;
  /** At the last WELCOME; null before the first. */
  about: AboutServer | null;
  /** People whose messages are not shown. */
  readonly ignored: Ignored;
  /** The numbers of rooms. */
  readonly order: RoomOrder;
  /** How long what is said is kept. */
  choice: HistoryChoice;
  /** Files on their way there. */
  readonly uploads: UploadFile;
  /** What was said. */
  history: LocalHistory;
  #files: SealedFiles;

  /** Opens it. @param history how long what is said is to be kept */
  constructor(profile: Profile, serverId: Bytes, private readonly clock: Clock, history: HistoryWish) {
    this.#files = profile.files.folder(encodeHex(serverId).slice(0, 32));
    this.directory = new Directory(this.#files, profile.card, clock);
    this.prekeys = new OwnPrekeys(this.#files, profile.identity, clock);
    this.choice = new HistoryChoice(this.#files, history);
    this.history = new LocalHistory(this.#files, this.choice.days, clock);
    this.order = new RoomOrder(this.#files);
    this.ignored = new Ignored(this.#files);
    this.uploads = {
      load: () => {
        const kept = this.#files.read(uploadsFile);
        return kept ? decodeState<Upload[]>(kept) : [];
      },
      save: (uploads) => {
        if (uploads.length === 0) this.#files.remove(uploadsFile);
        else this.#files.write(uploadsFile, encodeState(uploads));
      },
    };
    const bytes = this.#files.read(file);
    this.about = bytes ? decodeState<AboutServer>(bytes) : null;
  }

  /** How long what is said is to be kept from now on. @throws FileTrouble */
  wish(history: HistoryWish): void {
    const before = this.choice.days;
    this.choice = new HistoryChoice(this.#files, history);
    if (this.choice.days !== before) {
      this.history = new LocalHistory(this.#files, this.choice.days, this.clock);
    }
  }

  /** Where its rooms are. @param serverId its id @throws LinkLost before the first WELCOME */
  site(serverId: Uint8Array): Bytes {
    if (!this.about) throw new LinkLost();
    return siteOf(serverId, this.about.runId);
  }

  /** The rooms that belong to what the server was last known to be. */
  rooms(): RoomFiles {
    const run = this.about?.memoryOnly ? `run-${encodeHex(this.about.runId)}` : "rooms";
    return new RoomFiles(this.#files.folder(run));
  }

  /**
   * Takes what WELCOME says.
   *
   * @returns `same`; `restarted` when a memory-only server has begun anew; `lost` when a durable one has
   */
  welcome(about: AboutServer): "same" | "restarted" | "lost" {
    const before = this.about;
    if (before && before.memoryOnly === about.memoryOnly && equals(before.runId, about.runId)) return "same";
    const expected = before === null || before.memoryOnly;
    // A loss stays on record: the alarm is raised at each return, until the person begins anew.
    if (!expected) return "lost";
    this.#become(about);
    return before === null ? "same" : "restarted";
  }

  /** The person begins anew at a server that has lost its rooms: what was known of them goes. */
  beginAnew(about: AboutServer): void {
    this.#files.removeFolder("rooms");
    this.#become(about);
  }

  #become(about: AboutServer): void {
    this.about = about;
    this.#files.write(file, encodeState(about));
    for (const folder of this.#files.folders()) {
      if (folder.startsWith("run-") && folder !== `run-${encodeHex(about.runId)}`) {
        this.#files.removeFolder(folder);
      }
    }
  }
}

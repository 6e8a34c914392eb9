/**
 * Profile: the folder of one name: keys, card, pins and sealed state, held by one process at a time
 * (protocol §4.1).
 */

import { dirname, join } from "@std/path";
import { type Clock, seconds } from "../../clock.ts";
import { generateIdentity, type Identity, identityFrom } from "../../crypto/identity.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { type Card, makeCard, parseCard, roles } from "../../protocol/identity/card.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import { hasKeys, inFile, openKeys, readPrivateKey, writeKeys } from "../../storage/key_files.ts";
import { Lock } from "../../storage/lock.ts";
import { FileTrouble, refuseForeign } from "../../storage/file_trouble.ts";
import {
  exists,
  makePrivateDir,
  readPrivate,
  tightenDir,
  writeAtomically,
} from "../../storage/private_file.ts";
import { movedWords, moveVersionOne } from "../../storage/version_one.ts";
import { SealedFiles } from "../../storage/sealed_files.ts";
import { KnownKeys } from "../trust/known_keys.ts";

/** An open profile; `close` gives it back. */
export interface Profile {
  /** Its folder. */
  readonly dir: string;
  /** The name on the card. */
  readonly name: string;
  /** Our keys. */
  readonly identity: Identity;
  /** Made once, and never a second one: one id, one name. */
  readonly card: Card;
  /** Pins. */
  readonly known: KnownKeys;
  /** Sealed state. */
  readonly files: SealedFiles;
  /** Lets go of the lock. */
  close(): void;
}

/** What opening a profile may need of a person. */
export interface ProfileAsks {
  /** The passphrase of the key file at this path. @throws ChatError when there is nobody to ask */
  passphrase<T>(open: (passphrase: string) => T): Promise<T>;
  /** Keys are about to be made, which takes a moment. @returns the passphrase for them, or null for none */
  making(): string | null;
  /** What an earlier version has kept was moved. @param words what is so */
  moved(words: string): void;
}

/**
 * Opens the profile of `name`, making keys at the first use.
 *
 * @param dir that holds one folder per name
 * @throws InUse, FileExposed, FileTrouble, BadPassphrase, KeyRefused
 */
export async function openProfile(
  dir: string,
  name: string,
  asks: ProfileAsks,
  { clock, random }: { clock: Clock; random: RandomSource },
): Promise<Profile> {
  const own = join(dir, name);
  refuseForeign(`The profile "${name}"`, own, dirname(dir));
  makePrivateDir(own);
  tightenDir(own);
  const lock = Lock.take(
    join(own, "lock"),
    `The profile "${name}"`,
    "leave the other chat first, or choose another name with -u NAME",
  );
  try {
    const moved = moveVersionOne(own);
    if (moved !== null) asks.moved(movedWords(moved));
    if (!hasKeys(own, "client")) {
      refuseRemains(dir, name);
      const fresh = asks.making();
      await writeKeys(own, "client", await generateIdentity(random), fresh, random, false);
    }
    const { text, encrypted } = readPrivateKey(own, "client");
    const open = (passphrase: string | null) => openKeys(own, "client", text, passphrase);
    const identity = await identityFrom(encrypted ? await asks.passphrase(open) : open(null));
    const card = openCard(own, name, identity, clock);
    const files = await SealedFiles.open(join(own, "state"), identity, random);
    return {
      dir: own,
      name,
      identity,
      card,
      known: new KnownKeys(own, clock),
      files,
      close: () => lock.release(),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Nothing may be there that belongs to keys which are gone, or to the same name in another spelling. */
function refuseRemains(dir: string, name: string): void {
  const own = join(dir, name);
  for (const left of ["client_public_key.pem", "card"]) {
    if (!exists(join(own, left))) continue;
    throw new FileTrouble(
      `The private key of "${name}" is gone: "${join(own, "client_private_key.pem")}"`,
      `restore it from a copy (maybe .bak), or move "${own}" away to begin anew under another key`,
    );
  }
  const twin = [...Deno.readDirSync(dir)].find((e) =>
    e.name !== name && skeleton(e.name) === skeleton(name) && hasKeys(join(dir, e.name), "client")
  );
  if (twin) {
    throw new FileTrouble(
      `There is a profile "${twin.name}", which is the same name as "${name}" to a server`,
      `use -u ${twin.name}`,
    );
  }
}

function openCard(dir: string, name: string, identity: Identity, clock: Clock): Card {
  const path = join(dir, "card");
  const stored = readPrivate(path);
  if (stored) {
    const card = inFile(path, () => parseCard(stored));
    if (card.id.every((byte, i) => byte === identity.id[i])) return card;
    throw new FileTrouble(
      `"${path}" belongs to other keys`,
      `if the keys were replaced on purpose, move "${dir}/card" and "${dir}/state" away`,
    );
  }
  const bytes = makeCard(identity, roles.user, name, seconds(clock));
  writeAtomically(path, bytes);
  return parseCard(bytes);
}

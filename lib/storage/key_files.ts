/**
 * Key files: an identity's two PEM files in a private directory (protocol §4.1).
 *
 * The public file is derived, never trusted: on load it is recomputed and compared, so that a swapped one
 * is noticed. Nothing is overwritten unless told to, and then the old file stays as `.bak`.
 */

import { equals } from "@std/bytes/equals";
import { join } from "@std/path";
import type { RandomSource } from "../crypto/random.ts";
import {
  decodePrivatePem,
  decodePublicPem,
  encodePrivatePem,
  encodePublicPem,
  isEncryptedPem,
  SingleKey,
} from "../crypto/identity_pem.ts";
import type { IdentitySecrets } from "../crypto/identity.ts";
import { ChatError, Malformed, unlessRefused } from "../errors.ts";
import { command } from "../program.ts";
import { shellWord } from "../shell_word.ts";
import { FileTrouble, trouble } from "./file_trouble.ts";
import { exists, makePrivateDir, readPrivate, writeAtomically } from "./private_file.ts";

/** Whose keys. */
export type KeyOwner = "client" | "server";

/** The two paths of a pair. */
export function keyPaths(dir: string, owner: KeyOwner): { private: string; public: string } {
  return {
    private: join(dir, `${owner}_private_key.pem`),
    public: join(dir, `${owner}_public_key.pem`),
  };
}

/** A key file that is there already. */
export class KeyExists extends ChatError {
  /** @param path of the file that stays as it is */
  constructor(path: string) {
    super(
      `"${path}" exists and is not overwritten`,
      "give --force to replace it; the old one is kept as .bak",
    );
  }
}

/** Whether a private key file is there. */
export function hasKeys(dir: string, owner: KeyOwner): boolean {
  return exists(keyPaths(dir, owner).private);
}

/**
 * Writes a pair.
 *
 * @param passphrase null for none
 * @param force replace what is there, keeping it as `.bak`
 * @throws KeyExists, FileTrouble
 */
export async function writeKeys(
  dir: string,
  owner: KeyOwner,
  secrets: IdentitySecrets,
  passphrase: string | null,
  random: RandomSource,
  force: boolean,
): Promise<void> {
  makePrivateDir(dir);
  const paths = keyPaths(dir, owner);
  const text = await encodePrivatePem(secrets, passphrase, random);
  for (const path of [paths.private, paths.public]) refuseExisting(path, force);
  // Both new files are written before the old ones are renamed: a full disk must not lose the keys.
  const fresh: [string, string, number][] = [
    [paths.private, text, 0o600],
    [paths.public, encodePublicPem(secrets), 0o644],
  ];
  try {
    for (const [path, content, mode] of fresh) {
      writeAtomically(`${path}.new`, new TextEncoder().encode(content), mode);
    }
  } catch (error) {
    for (const [path] of fresh) removeQuietly(`${path}.new`);
    throw error;
  }
  for (const [path] of fresh) {
    setAside(path, force);
    Deno.renameSync(`${path}.new`, path);
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Not there.
  }
}

/** Leaves what is there alone. @throws KeyExists unless `force`; FileTrouble for what is no file */
export function refuseExisting(path: string, force: boolean): void {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch {
    return;
  }
  if (!info.isFile) throw new FileTrouble(`"${path}" is not a file`, "give the path of a file");
  if (!force) throw new KeyExists(path);
}

/** Moves a file to `.bak`, or `.bak.1` and so on: no key is ever lost. @throws KeyExists unless `force` */
export function setAside(path: string, force: boolean): void {
  refuseExisting(path, force);
  if (!exists(path)) return;
  let backup = `${path}.bak`;
  for (let i = 1; exists(backup); i++) backup = `${path}.bak.${i}`;
  try {
    Deno.renameSync(path, backup);
  } catch (error) {
    throw trouble("replace", path, error);
  }
}

/** A private key file as text, and whether it needs a passphrase. @throws FileExposed, FileTrouble, Malformed */
export function readPrivateKey(dir: string, owner: KeyOwner): { text: string; encrypted: boolean } {
  const { private: path } = keyPaths(dir, owner);
  const bytes = readPrivate(path);
  if (bytes === null) {
    const words = owner === "server" ? "keygen --server" : "keygen";
    throw new FileTrouble(`There is no key file "${path}"`, `make one with "${command(words)}"`);
  }
  const text = new TextDecoder().decode(bytes);
  return { text, encrypted: inFile(path, () => isEncryptedPem(text)) };
}

/**
 * Opens a pair that {@link readPrivateKey} read, and holds the public file against it.
 *
 * @throws BadPassphrase, PassphraseNeeded, KeyRefused, Malformed, FileTrouble
 */
export function openKeys(
  dir: string,
  owner: KeyOwner,
  text: string,
  passphrase: string | null,
): IdentitySecrets {
  const paths = keyPaths(dir, owner);
  const secrets = inFile(paths.private, () => decodePrivatePem(text, passphrase));
  const expected = encodePublicPem(secrets);
  let published: string | null = null;
  try {
    published = Deno.readTextFileSync(paths.public);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw trouble("read", paths.public, error);
  }
  if (published === null) writeAtomically(paths.public, new TextEncoder().encode(expected), 0o644);
  else if (!isSamePublic(published, expected)) {
    throw new FileTrouble(
      `"${paths.public}" does not belong to "${paths.private}"`,
      "remove the public file: it is made anew from the private one",
    );
  }
  return secrets;
}

/** By their keys: another program may have given the text other line ends. */
function isSamePublic(published: string, expected: string): boolean {
  if (published === expected) return true;
  const [theirs, ours] = [published, expected].map((text) => unlessRefused(() => decodePublicPem(text)));
  return theirs !== null && equals(theirs.rsaSpki, ours!.rsaSpki) && equals(theirs.edPublic, ours!.edPublic);
}

/** Names the file in the errors of a parser that does not know it. */
export function inFile<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Malformed) {
      throw new FileTrouble(
        `Cannot read "${path}": ${error.message}`,
        error instanceof SingleKey
          ? `to add the second: ${command(`keygen --from ${shellWord(path)}`)}`
          : "restore it from a copy, or make a new one",
      );
    }
    throw error;
  }
}

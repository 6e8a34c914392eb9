/** `chat keygen`: writes keys, or shows what a key file holds. */

import { join } from "@std/path";
import {
  decodeForeignRsa,
  decodePrivatePem,
  decodePublicPem,
  encodePrivatePem,
  isEncryptedForeignPem,
  isEncryptedPem,
  OpenSshKey,
} from "../crypto/identity_pem.ts";
import { fingerprint, generateIdentity, identityId, type IdentitySecrets } from "../crypto/identity.ts";
import { signingKey } from "../crypto/ed25519.ts";
import { digits } from "../crypto/digits.ts";
import { sha256 } from "../crypto/hash.ts";
import { decodePem, MalformedPem } from "../crypto/pem.ts";
import { decodeRoomKey, encodeRoomKey } from "../crypto/room_key.ts";
import { exitCodes } from "../errors.ts";
import { profilesDir, serverDir } from "../storage/home.ts";
import {
  inFile,
  type KeyOwner,
  keyPaths,
  openKeys,
  readPrivateKey,
  refuseExisting,
  setAside,
  writeKeys,
} from "../storage/key_files.ts";
import { FileTrouble, trouble } from "../storage/file_trouble.ts";
import { writeAtomically } from "../storage/private_file.ts";
import { readSecretBytes, refuseExposed } from "../storage/secret_file.ts";
import { shellWord } from "../shell_word.ts";
import { readConfig } from "./config_file.ts";
import { type Parsed, UsageError } from "./options.ts";
import type { Process } from "./process.ts";
import { newPassphrase, openWithPassphrase } from "./secrets.ts";
import { userName } from "./user_name.ts";

/** Runs it. @returns the exit code @throws ChatError */
export async function keygen({ values, switches }: Parsed, process: Process): Promise<number> {
  const misplaced = ["user", "out", "server"].find((flag) =>
    values[flag] !== undefined || switches.has(flag)
  );
  if (misplaced !== undefined && (values.room !== undefined || values.show !== undefined)) {
    throw new UsageError(
      `--${misplaced} has no meaning with --room and --show`,
      "leave it out; they take the path of a file",
    );
  }
  if (switches.has("server") && values.user !== undefined) {
    throw new UsageError("--server and --user contradict each other", "give one of them");
  }
  const modes = [values.room, values.show, switches.has("passphrase") ? "" : undefined].filter((m) =>
    m !== undefined
  );
  if (modes.length > 1 || (modes.length === 1 && values.from !== undefined)) {
    throw new UsageError(
      "--room, --show, --passphrase and --from do not go together",
      "run them one after the other",
    );
  }
  if (values.show !== undefined) await show(values.show, values["passphrase-file"], process);
  else if (values.room !== undefined) writeRoomKey(values.room, switches.has("force"), process);
  else if (switches.has("passphrase")) await changePassphrase(values, switches, process);
  else await writePair(values, switches, process);
  return exitCodes.done;
}

const oldFlag = "--old-passphrase-file";

type Values = Parsed["values"];
type Switches = Parsed["switches"];

/** Where a pair goes, and whose it is. */
function place(
  values: Values,
  switches: Switches,
  process: Process,
): { dir: string; owner: KeyOwner; what: string } {
  if (switches.has("server")) {
    const dir = values.out ?? serverDir(values.home, process.env);
    return { dir, owner: "server", what: "the server" };
  }
  const name = values.out !== undefined && values.user === undefined
    ? ""
    : userName(values.user ?? readConfig(values.home, process.env).user, process.env);
  const dir = values.out ?? join(profilesDir(values.home, process.env), name);
  return { dir, owner: "client", what: name === "" ? `"${dir}"` : name };
}

async function writePair(values: Values, switches: Switches, process: Process): Promise<void> {
  const { dir, owner } = place(values, switches, process);
  const force = switches.has("force");
  const paths = keyPaths(dir, owner);
  // Checked first: a refusal must come before any question or slow search.
  for (const path of [paths.private, paths.public]) refuseExisting(path, force);
  const foreign = values.from === undefined ? null : await takeOver(values, process);
  const none = switches.has("no-passphrase");
  const passphrase = await newPassphrase(
    process,
    values["passphrase-file"],
    none,
    foreign?.encrypted === true,
  );
  const secrets: IdentitySecrets = foreign
    ? { rsaPkcs8: foreign.rsaPkcs8, rsaSpki: foreign.rsaSpki, seed: process.random(32) }
    : await withProgress(process, () => generateIdentity(process.random));
  await writeKeys(dir, owner, secrets, passphrase, process.random, force);
  process.out(`${paths.private}\n${paths.public}\n`);
  process.err(`Fingerprint: ${fingerprint(idOf(secrets))}\n`);
}

async function takeOver(values: Values, process: Process) {
  const path = values.from!;
  const text = readText(path);
  try {
    const encrypted = isEncryptedForeignPem(text);
    const open = (passphrase: string | null) => decodeForeignRsa(text, passphrase);
    const opened = encrypted
      ? await openWithPassphrase(process, values["old-passphrase-file"], `"${path}"`, open, oldFlag)
      : await open(null);
    return { ...opened, encrypted };
  } catch (error) {
    if (error instanceof OpenSshKey) {
      throw new FileTrouble(
        `Cannot take over "${path}": ${error.message}`,
        `on a copy of it, run "ssh-keygen -p -m PEM -f COPY" first`,
      );
    }
    if (!(error instanceof MalformedPem)) throw error;
    throw new FileTrouble(`Cannot take over "${path}": ${error.message}`, "give a private RSA key as PEM");
  }
}

async function withProgress<T>(process: Process, work: () => Promise<T>): Promise<T> {
  process.err("Searching for a key ");
  let cancel = () => {};
  const dot = () => {
    process.err(".");
    cancel = process.clock.after(200, dot);
  };
  dot();
  try {
    return await work();
  } finally {
    cancel();
    process.err("\n");
  }
}

async function changePassphrase(values: Values, switches: Switches, process: Process): Promise<void> {
  const { dir, owner, what } = place(values, switches, process);
  const { text, encrypted } = readPrivateKey(dir, owner);
  const open = (old: string | null) => openKeys(dir, owner, text, old);
  const secrets = encrypted
    ? await openWithPassphrase(process, values["old-passphrase-file"], what, open, oldFlag)
    : open(null);
  const none = switches.has("no-passphrase");
  const passphrase = await newPassphrase(process, values["passphrase-file"], none, encrypted);
  // Replaced in one step, and no copy stays that opens with the old passphrase, or with none.
  const text2 = await encodePrivatePem(secrets, passphrase, process.random);
  writeAtomically(keyPaths(dir, owner).private, new TextEncoder().encode(text2));
  process.err(passphrase === null ? "The key has no passphrase now.\n" : "The passphrase was changed.\n");
}

function writeRoomKey(path: string, force: boolean, process: Process): void {
  setAside(path, force);
  const key = process.random(32);
  writeAtomically(path, new TextEncoder().encode(encodeRoomKey(key)));
  process.out(`${path}\n`);
  process.err("Give it only to people who shall read the room: whoever has it reads everything.\n");
}

async function show(path: string, passphraseFile: string | undefined, process: Process): Promise<void> {
  const bytes = readAny(path);
  const text = new TextDecoder().decode(bytes);
  if (!text.includes("-----BEGIN")) {
    const key = inFile(path, () => decodeRoomKey(bytes));
    // The digits of a hash: those of the key itself would be part of the secret.
    return printKey(process, "room key file", "256", digits(sha256(key)));
  }
  const [first] = inFile(path, () => decodePem(text));
  if (first.label === "PUBLIC KEY") {
    const { rsaSpki, edPublic } = inFile(path, () => decodePublicPem(text));
    return printIdentity(process, "public keys: RSA and Ed25519", identityId(rsaSpki, edPublic));
  }
  refuseExposed(path);
  const encrypted = inFile(path, () => isEncryptedPem(text));
  const open = (passphrase: string | null) => inFile(path, () => decodePrivatePem(text, passphrase));
  const secrets = encrypted
    ? await openWithPassphrase(process, passphraseFile, `"${path}"`, open)
    : open(null);
  printIdentity(
    process,
    `private keys: RSA and Ed25519${encrypted ? ", with passphrase" : ""}`,
    idOf(secrets),
  );
}

function printIdentity(process: Process, kind: string, id: Uint8Array): void {
  printKey(process, kind, "3072 and 256", fingerprint(id));
}

function printKey(process: Process, kind: string, bits: string, fingerprint: string): void {
  process.out(`kind         ${kind}\nbits         ${bits}\nfingerprint  ${fingerprint}\n`);
}

function idOf(secrets: IdentitySecrets): Uint8Array {
  return identityId(secrets.rsaSpki, signingKey(secrets.seed).publicKey);
}

function readAny(path: string): Uint8Array {
  try {
    const { isDirectory, size } = Deno.statSync(path);
    if (isDirectory || size > 65_536) {
      throw new FileTrouble(`"${path}" is not a key file`, "give the path of a PEM or room key file");
    }
    return Deno.readFileSync(path);
  } catch (error) {
    throw trouble("read", path, error);
  }
}

function readText(path: string): string {
  const bytes = readSecretBytes(path);
  if (bytes[0] === 0x30) {
    throw new FileTrouble(
      `"${path}" is DER, not PEM`,
      `run "openssl pkey -inform DER -in ${shellWord(path)} -out key.pem" first`,
    );
  }
  return new TextDecoder().decode(bytes);
}

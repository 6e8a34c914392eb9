/**
 * Passwords on the server: Argon2id hashes (RFC 9106), made and checked on worker threads, two at a time.
 *
 * Parameters are stored with each hash, so that they can be raised later: a login with the right password then
 * brings its hash up to date.
 */

import { type Bytes, equalSecret } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { WorkQueue } from "../work_queue.ts";

const saltBytes = 16;
const hashBits = 256;
const atOnce = 2;

/** What a hash costs (RFC 9106 §3.1). */
export interface PasswordCost {
  /** m, in KiB. */
  readonly memoryKiB: number;
  /** t. */
  readonly passes: number;
  /** p. */
  readonly lanes: number;
}

/** Protocol §8.4: 19 MiB, 2 passes, 1 lane; 60–75 ms. */
export const defaultCost: PasswordCost = { memoryKiB: 19 * 1024, passes: 2, lanes: 1 };

/** What is kept of a password. */
export interface Credential extends PasswordCost {
  /** 16 bytes, its own for each hash. */
  readonly salt: Bytes;
  /** 32 bytes. */
  readonly hash: Bytes;
}

/** Makes and checks hashes. */
export class Passwords {
  #queue = new WorkQueue(atOnce, Infinity);
  #nobody: Credential;

  /** Makes one. @param cost of new hashes */
  constructor(private readonly random: RandomSource, private readonly cost: PasswordCost = defaultCost) {
    this.#nobody = { salt: random(saltBytes), hash: random(hashBits / 8) as Bytes, ...cost };
  }

  /** Hashes a new password. @param password UTF-8 in NFC */
  async hash(password: Bytes): Promise<Credential> {
    const salt = this.random(saltBytes);
    return { salt, hash: await this.#derive(password, salt, this.cost), ...this.cost };
  }

  /**
   * Checks a password.
   *
   * @param credential null for a name that does not exist: the same work, and false
   * @param isWanted asked before the work begins: a client that has gone costs nothing
   */
  async verify(
    password: Bytes,
    credential: Credential | null,
    isWanted: () => boolean = () => true,
  ): Promise<boolean> {
    const { salt, hash, memoryKiB, passes, lanes } = credential ?? this.#nobody;
    const derived = await this.#derive(password, salt, { memoryKiB, passes, lanes }, isWanted);
    return derived !== null && equalSecret(derived, hash) && credential !== null;
  }

  /** Whether a hash costs what new ones do. */
  isCurrent({ memoryKiB, passes, lanes }: PasswordCost): boolean {
    const { cost } = this;
    return memoryKiB === cost.memoryKiB && passes === cost.passes && lanes === cost.lanes;
  }

  #derive(password: Bytes, salt: Bytes, cost: PasswordCost): Promise<Bytes>;
  #derive(password: Bytes, salt: Bytes, cost: PasswordCost, isWanted: () => boolean): Promise<Bytes | null>;
  #derive(password: Bytes, salt: Bytes, cost: PasswordCost, isWanted?: () => boolean): Promise<Bytes | null> {
    return this.#queue.run(() =>
      isWanted?.() === false ? Promise.resolve(null) : argon2id(password, salt, cost)
    );
  }
}

/** Argon2id, version 0x13 (RFC 9106). @param salt at least 8 bytes @returns 32 bytes */
export async function argon2id(password: Bytes, salt: Bytes, cost: PasswordCost): Promise<Bytes> {
  // The library's types do not know the algorithm yet.
  const subtle = crypto.subtle as unknown as {
    importKey(...args: unknown[]): Promise<CryptoKey>;
    deriveBits(...args: unknown[]): Promise<ArrayBuffer>;
  };
  const key = await subtle.importKey("raw-secret", password, "Argon2id", false, ["deriveBits"]);
  const { memoryKiB: memory, passes, lanes: parallelism } = cost;
  return new Uint8Array(
    await subtle.deriveBits({ name: "Argon2id", nonce: salt, memory, passes, parallelism }, key, hashBits),
  );
}

/** RandomSource: where every random byte of the protocol comes from; tests pass a fixed one. */

import type { Bytes } from "./bytes.ts";

/** Returns `length` fresh random bytes. */
export type RandomSource = (length: number) => Bytes;

/** The operating system's generator. */
export const systemRandom: RandomSource = (length): Bytes => crypto.getRandomValues(new Uint8Array(length));

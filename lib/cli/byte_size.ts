/** ByteSize: sizes as a command line gives them: a number of bytes, or one with K, M or G after it. */

const units: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** @returns bytes; NaN for what is no size */
export function bytesOf(text: string): number {
  const match = /^(\d{1,16})([KMG]?)$/.exec(text);
  return match ? Number(match[1]) * units[match[2]] : NaN;
}

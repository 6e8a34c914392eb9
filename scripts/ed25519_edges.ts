/**
 * Signatures on which implementations of Ed25519 differ (RFC 8032 leaves the choice), made by plain arithmetic on the
 * curve: for the vectors only, slow and not constant-time.
 */

import { createHash } from "node:crypto";
import { encodeHex } from "@std/encoding/hex";
import { concat } from "../lib/crypto/bytes.ts";
import type { Bytes } from "../lib/crypto/bytes.ts";

const p = 2n ** 255n - 19n;
/** Order of the base point. */
const order = 2n ** 252n + 27742317777372353535851937790883648493n;

const mod = (a: bigint, m = p) => ((a % m) + m) % m;
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b)) {
    if (e & 1n) result = mod(result * b);
  }
  return result;
}
const inverse = (a: bigint) => power(a, p - 2n);
const d = mod(-121665n * inverse(121666n));

interface Point {
  readonly x: bigint;
  readonly y: bigint;
}
function add(a: Point, b: Point): Point {
  const k = mod(d * a.x * b.x * a.y * b.y);
  return {
    x: mod((a.x * b.y + b.x * a.y) * inverse(1n + k)),
    y: mod((a.y * b.y + a.x * b.x) * inverse(1n - k)),
  };
}
function times(n: bigint, point: Point): Point {
  let result: Point = { x: 0n, y: 1n };
  for (let q = point, e = n; e > 0n; e >>= 1n, q = add(q, q)) if (e & 1n) result = add(result, q);
  return result;
}
/** The point with this y and an even x. */
function pointOf(y: bigint): Point {
  const xx = mod((y * y - 1n) * inverse(d * y * y + 1n));
  let x = power(xx, (p + 3n) / 8n);
  if (mod(x * x - xx) !== 0n) x = mod(x * power(2n, (p - 1n) / 4n));
  if (mod(x * x - xx) !== 0n) throw new Error("no point of the curve");
  return { x: x & 1n ? p - x : x, y };
}
const base = pointOf(mod(4n * inverse(5n)));

function little(value: bigint): Bytes {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}
const numberOf = (bytes: Uint8Array) => bytes.reduceRight((n, byte) => (n << 8n) | BigInt(byte), 0n);
const encode = ({ x, y }: Point) => little(y | ((x & 1n) << 255n));
const sha512 = (...parts: Uint8Array[]) =>
  new Uint8Array(createHash("sha512").update(concat(...parts)).digest());

/** A point of order 8: what is left of some point when its part in the main group is taken out. */
function torsion(): Point {
  for (let y = 2n;; y++) {
    try {
      const point = times(order, pointOf(y));
      if (times(4n, point).y !== 1n) return point;
    } catch {
      // No point has this y.
    }
  }
}

/** The label of all cases, as the protocol signs: `label ‖ 0x00 ‖ m`. */
const prefix = new TextEncoder().encode("edge\0");

/** One case: whether the protocol's rule takes the signature. */
export interface EdgeCase {
  /** What is particular. */
  readonly what: string;
  /** 32 bytes in hex. */
  readonly publicKey: string;
  /** In hex. */
  readonly message: string;
  /** 64 bytes in hex. */
  readonly signature: string;
  /** The rule: cofactorless, R compared as bytes, S and A canonical. */
  readonly isValid: boolean;
}

/** All cases. @param random for secrets */
export function edgeCases(random: (length: number) => Bytes): EdgeCase[] {
  const t = torsion();
  const a = mod(numberOf(random(32)), order), r = mod(numberOf(random(32)), order);
  const cases: EdgeCase[] = [];
  const put = (what: string, key: Bytes, message: Bytes, R: Bytes, s: bigint, isValid: boolean) =>
    cases.push({
      what,
      publicKey: encodeHex(key),
      message: encodeHex(message),
      signature: encodeHex(concat(R, little(s))),
      isValid,
    });
  const challenge = (R: Bytes, key: Bytes, message: Bytes) => mod(numberOf(sha512(R, key, message)), order);
  /** A message for which the challenge, reduced by the order, has such a remainder by 8: a torsion part times that. */
  const messageWith = (R: Bytes, key: Bytes, fits: (remainder: bigint) => boolean): [Bytes, bigint] => {
    for (;;) {
      const message = concat(prefix, random(16));
      const k = challenge(R, key, message);
      if (fits(k % 8n)) return [message, k];
    }
  };
  const R = encode(times(r, base));
  const key = encode(times(a, base));
  {
    const [message, k] = messageWith(R, key, () => true);
    const s = mod(r + k * a, order);
    put("an ordinary signature", key, message, R, s, true);
    put("S above the order", key, message, R, s + order, false);
    const mixedR = encode(add(times(r, base), t));
    const k2 = challenge(mixedR, key, message);
    put(
      "R with a part of small order: only a cofactored check takes it",
      key,
      message,
      mixedR,
      mod(r + k2 * a, order),
      false,
    );
  }
  const mixed = encode(add(times(a, base), t));
  {
    const [message, k] = messageWith(R, mixed, (remainder) => remainder !== 0n);
    put(
      "a key with a part of small order: only a cofactored check takes it",
      mixed,
      message,
      R,
      mod(r + k * a, order),
      false,
    );
    const [other, k2] = messageWith(R, mixed, (remainder) => remainder === 0n);
    put("the same, where that part falls away", mixed, other, R, mod(r + k2 * a, order), true);
  }
  return cases;
}

/** Network: a range of addresses (RFC 4632, RFC 4291 §2.3), as bans name one. */

/** Addresses that agree in their first bits. */
export interface Network {
  /** 32 or 128. */
  readonly bits: number;
  /** How many bits they agree in. */
  readonly prefix: number;
  /** Those bits, and zeros. */
  readonly base: bigint;
}

/** IPv6 is counted by /64 everywhere: one person holds it whole. */
const maxPrefix6 = 64;

/** Reads `ADDRESS/BITS` in its one spelling; null for anything else, and for less than a person's /64. */
export function networkOf(address: string, prefix: number): Network | null {
  const parsed = bitsOf(address);
  if (!parsed || prefix > (parsed.bits === 32 ? 32 : maxPrefix6)) return null;
  const rest = BigInt(parsed.bits - prefix);
  return { ...parsed, prefix, base: parsed.base >> rest << rest };
}

/** One text for one range: `BITS:BASE/PREFIX`, the base in hex. */
export function networkText({ bits, prefix, base }: Network): string {
  return `${bits}:${base.toString(16)}/${prefix}`;
}

/** The reverse. */
export function networkFrom(text: string): Network {
  const [, bits, base, prefix] = /^(\d+):([0-9a-f]+)\/(\d+)$/.exec(text)!;
  return { bits: Number(bits), base: BigInt(`0x${base}`), prefix: Number(prefix) };
}

/** Whether an address, as limits count it, is one of them. */
export function isIn({ bits, prefix, base }: Network, addressKey: string): boolean {
  const address = bitsOf(addressKey.replace(/\/64$/, ""));
  if (!address || address.bits !== bits) return false;
  const rest = BigInt(bits - prefix);
  return address.base >> rest === base >> rest;
}

/** An address in its one spelling, as the URL parser writes it. */
function bitsOf(address: string): { bits: number; base: bigint } | null {
  if (!address.includes(":")) {
    const parts = address.split(".").map(Number);
    if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part < 256))) return null;
    return { bits: 32, base: parts.reduce((sum, part) => sum << 8n | BigInt(part), 0n) };
  }
  const [head, tail] = address.split("::");
  const groups = (text: string | undefined) => text ? text.split(":") : [];
  const [left, right] = [groups(head), groups(tail)];
  const all = [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill("0"), ...right];
  if (all.length !== 8 || all.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return null;
  return { bits: 128, base: all.reduce((sum, group) => sum << 16n | BigInt(`0x${group}`), 0n) };
}

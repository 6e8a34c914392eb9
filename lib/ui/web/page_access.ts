/**
 * PageAccess: who may see the page's content: whoever has a link that is good once and for two minutes, and later the
 * page that it was given to. Nothing else is asked of a page, and nothing is told to it before.
 */

import { encodeBase64Url } from "@std/encoding/base64url";
import type { Clock } from "../../clock.ts";
import { equalSecret } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";

const linkMs = 120_000;
const maxWrong = 3;
/** Pages that may come back; the oldest is forgotten. */
const maxPages = 16;

/** Links and pages of one run. */
export class PageAccess {
  #link: { readonly token: string; readonly untilMs: number } | null = null;
  #wrong = 0;
  /** Secrets of pages that were let in, the newest last. */
  #pages: string[] = [];

  /** @param clock for how long a link is good */
  constructor(private readonly clock: Pick<Clock, "now">, private readonly random: RandomSource) {}

  /** Makes a link's token: 32 random bytes. The one before is not good any more. */
  newLink(): string {
    const token = this.#secret();
    this.#link = { token, untilMs: this.clock.now() + linkMs };
    this.#wrong = 0;
    return token;
  }

  /** Uses a link. @returns the page's secret; null when it is not good */
  use(token: string): string | null {
    const link = this.#link;
    if (!link) return null;
    const now = this.clock.now();
    const isOld = now >= link.untilMs || now < link.untilMs - linkMs;
    if (!isSameSecret(token, link.token)) {
      if (++this.#wrong >= maxWrong) this.#link = null; // somebody guesses
      return null;
    }
    this.#link = null;
    if (isOld) return null;
    const secret = this.#secret();
    this.#pages = [...this.#pages, secret].slice(-maxPages);
    return secret;
  }

  /** Whether it is the secret of a page that was let in. */
  knows(secret: string): boolean {
    // All are looked at: which one it is shall not show in the time.
    return this.#pages.filter((each) => isSameSecret(secret, each)).length > 0;
  }

  #secret(): string {
    return encodeBase64Url(this.random(32));
  }
}

/** Whether two secrets are the same, in time that tells nothing. */
export function isSameSecret(one: string, other: string): boolean {
  const encoder = new TextEncoder();
  return equalSecret(encoder.encode(one), encoder.encode(other));
}

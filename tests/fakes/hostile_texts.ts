/** The corpus of texts that want a terminal to do something. */

import { vectors } from "./vectors.ts";

interface Hostile {
  readonly what: string;
  readonly text: string;
  readonly repeat?: { readonly text: string; readonly times: number };
}

export const hostileTexts: readonly { readonly what: string; readonly text: string }[] =
  (vectors("hostile_texts") as Hostile[]).map(({ what, text, repeat }) => ({
    what,
    text: text + (repeat ? repeat.text.repeat(repeat.times) : ""),
  }));

/** Anything that a terminal acts on, line feeds excepted. */
export const active = /[\p{Zl}\p{Zp}]|(?![\n\u200c\u200d])[\p{Cc}\p{Cf}]|\p{M}{9}/u;

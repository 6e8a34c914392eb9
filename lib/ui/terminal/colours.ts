/**
 * Colours: names in four of the sixteen that every terminal has, chosen by its owner's theme to be readable on its
 * background. They only help to tell people apart: whatever a colour says, words say too.
 */

const palette = [31, 32, 35, 36];

const sgr = (code: number, text: string, end: number) => `\x1b[${code}m${text}\x1b[${end}m`;

/** A name in the colour of its key. @param id in hex */
export function nameColour(name: string, id: string): string {
  return sgr(palette[Number.parseInt(id.slice(0, 6), 16) % palette.length] ?? 39, name, 39);
}

/** Text in bold. */
export function bold(text: string): string {
  return sgr(1, text, 22);
}

/** Text dimmed. */
export function dim(text: string): string {
  return sgr(2, text, 22);
}

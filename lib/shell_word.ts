/** ShellWord: a path as it can be pasted into a shell. */

/** As it is where that is safe, else in quotes. */
export function shellWord(text: string): string {
  return /^[\w./+@%:=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** ShellWord: a path as it can be pasted into a shell. */

/** As it is where that is safe, else in quotes. */
export function shellWord(text: string): string {
  return /^[\w./+@%:=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The words of a line, as a shell has them: quotes keep blanks, a backslash keeps what follows it. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word = "", isIn = false, quote = "";
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (quote !== "") {
      if (c === quote) quote = "";
      else if (c === "\\" && quote === '"' && i + 1 < line.length) word += line[++i];
      else word += c;
    } else if (c === "'" || c === '"') {
      quote = c;
      isIn = true;
    } else if (c === "\\" && i + 1 < line.length) {
      word += line[++i];
      isIn = true;
    } else if (/\s/.test(c)) {
      if (isIn) words.push(word);
      word = "";
      isIn = false;
    } else {
      word += c;
      isIn = true;
    }
  }
  return isIn ? [...words, word] : words;
}

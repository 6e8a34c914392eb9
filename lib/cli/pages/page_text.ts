/** PageText: a page as plain text, for a terminal or a pipe. */

import { type Block, plainOf } from "./markdown.ts";

/** Lines of at most `width` columns; code is left as it stands. */
export function pageText(blocks: readonly Block[], width: number): string {
  const parts = blocks.map((block) => {
    switch (block.kind) {
      case "heading":
        return plainOf(block.text).toUpperCase();
      case "paragraph":
        return filled(plainOf(block.text), width, "");
      case "item":
        return filled(`- ${plainOf(block.text)}`, width, "  ");
      case "code":
        return block.lines.map((line) => codeLine(`  ${line}`.trimEnd(), width)).join("\n");
      case "table":
        return block.rows.slice(1).map(([term, ...rest]) =>
          `${plainOf(term)}\n${
            filled(`    ${plainOf(rest.filter((cell) => cell !== "").join("; "))}`, width, "    ")
          }`
        ).join("\n");
    }
  });
  return `${parts.join("\n\n")}\n`;
}

/** A line of code as it stands; in a table its last column is broken where the terminal is narrow. */
function codeLine(line: string, width: number): string {
  const [, term, text] = /^(.*\S\s{2,})(\S.*)$/.exec(line) ?? [];
  const isTable = term !== undefined && term.length < 0.6 * width;
  return line.length <= width || !isTable
    ? line
    : term + filled(text, width - term.length, "").replaceAll("\n", `\n${" ".repeat(term.length)}`);
}

/** Breaks a text at blanks. @param indent before each line but the first */
function filled(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = /^\s*/.exec(text)![0];
  for (const word of text.trim().split(/\s+/)) {
    const isEmpty = line.trim() === "";
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line += isEmpty ? word : ` ${word}`;
  }
  return [...lines, line].join("\n");
}

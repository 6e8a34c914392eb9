/** PageRoff: a page in the macros of man(7). */

import { type Block, plainOf } from "./markdown.ts";

/** Lines of roff; headings of the second level become sections, deeper ones subsections. */
export function pageRoff(blocks: readonly Block[]): string[] {
  return blocks.flatMap((block) => {
    switch (block.kind) {
      case "heading":
        return block.level <= 2
          ? [`.SH ${roffText(plainOf(block.text).toUpperCase())}`]
          : [`.SS ${roffText(plainOf(block.text))}`];
      case "paragraph":
        return [".PP", roffText(plainOf(block.text))];
      case "item":
        return [".IP \\(bu 2", roffText(plainOf(block.text))];
      case "code":
        return [".PP", ".EX", ...block.lines.map((line) => roffText(line)), ".EE"];
      case "table":
        return block.rows.slice(1).flatMap(([term, ...rest]) => [
          ".TP",
          `.B ${roffText(plainOf(term))}`,
          roffText(plainOf(rest.filter((cell) => cell !== "").join("; "))),
        ]);
    }
  });
}

/** Text that roff shows as it stands; it reads ASCII, and other characters by their code points. */
export function roffText(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("~", "\\(ti");
  return escaped.replace(/^[.']/, "\\&$&").replaceAll(/\P{ASCII}/gu, (char) => `\\[u${codePoint(char)}]`);
}

function codePoint(char: string): string {
  return char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
}

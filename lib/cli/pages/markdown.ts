/** Markdown: as much of it as the pages use, cut into blocks: for "chat help TOPIC" and the manual page. */

/** One block of a page; texts are in Markdown's inline form. */
export type Block =
  | { readonly kind: "heading"; readonly level: number; readonly text: string }
  | { readonly kind: "paragraph"; readonly text: string }
  | { readonly kind: "item"; readonly text: string }
  | { readonly kind: "code"; readonly lines: readonly string[] }
  | { readonly kind: "table"; readonly rows: readonly (readonly string[])[] };

/** Cuts a page into blocks; comments are left out. */
export function blocksOf(page: string): Block[] {
  const lines = page.replaceAll(/<!--.*?-->\n?/gs, "").split("\n");
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length;) {
    const line = lines[i];
    const heading = /^(#+) (.*)$/.exec(line);
    if (line.trim() === "") i++;
    else if (heading) {
      blocks.push({ kind: "heading", level: heading[1].length, text: heading[2] });
      i++;
    } else if (line.startsWith("```")) {
      const end = lines.indexOf("```", i + 1);
      blocks.push({ kind: "code", lines: lines.slice(i + 1, end) });
      i = end + 1;
    } else if (line.startsWith("|")) {
      const rows: string[][] = [];
      for (; lines[i]?.startsWith("|"); i++) {
        if (!/^\|[\s:|-]+$/.test(lines[i])) rows.push(cellsOf(lines[i]));
      }
      blocks.push({ kind: "table", rows });
    } else {
      const isItem = line.startsWith("- ");
      const from = i++;
      while (i < lines.length && !/^(\s*$|#+ |\||```|- )/.test(lines[i])) i++;
      const text = lines.slice(from, i).map((each) => each.trim()).join(" ");
      blocks.push(isItem ? { kind: "item", text: text.slice(2) } : { kind: "paragraph", text });
    }
  }
  return blocks;
}

function cellsOf(row: string): string[] {
  return row.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** A heading and what is below it, up to the next of its level. @throws Error when there is none */
export function section(blocks: readonly Block[], heading: string): Block[] {
  const at = blocks.findIndex((block) => block.kind === "heading" && block.text === heading);
  const first = blocks[at];
  if (first?.kind !== "heading") throw new Error(`there is no heading "${heading}"`);
  const rest = blocks.slice(at + 1);
  const end = rest.findIndex((block) => block.kind === "heading" && block.level <= first.level);
  return [first, ...end < 0 ? rest : rest.slice(0, end)];
}

/** Inline text without its marks; a link to somewhere else keeps its address. */
export function plainOf(text: string): string {
  return text
    .replaceAll(/\[([^\]]*)\]\((https?:[^)]*)\)/g, "$1 ($2)")
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/`([^`]*)`/g, "$1")
    .replaceAll(/<code>(.*?)<\/code>/g, (_, code) => withoutEntities(code))
    .replaceAll(/\*\*([^*]*)\*\*/g, "$1");
}

const entities: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&#124;": "|", "&amp;": "&" };

/** Code in a table that Markdown's own marks would break. */
function withoutEntities(code: string): string {
  return code.replaceAll(/&[a-z#0-9]+;/g, (entity) => entities[entity] ?? entity);
}

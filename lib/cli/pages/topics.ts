/** Topics: what "chat help TOPIC" tells: parts of the pages of this repository, which the executable carries along. */

import talking from "../../client/README.md" with { type: "text" };
import hosting from "../../server/README.md" with { type: "text" };
import cluster from "../../server/cluster/README.md" with { type: "text" };
import programs from "../../ui/json/README.md" with { type: "text" };
import { type Block, blocksOf, section } from "./markdown.ts";

/** One topic. */
export interface Topic {
  /** As typed. */
  readonly name: string;
  /** One line. */
  readonly about: string;
  /** The page it is from. */
  readonly page: string;
  /** Its headings there. */
  readonly headings: readonly string[];
}

/** All topics. */
export const topics: readonly Topic[] = [
  {
    name: "talking",
    about: "Joining, commands, keys of the editor, exit codes",
    page: talking,
    headings: [
      "Joining",
      "In a room",
      "The line you type",
      "What was said",
      "Files",
      "Several programs at once",
      "In the browser",
      "What you want every time",
      "Key files",
      "Keys of your own",
      "Exit codes",
      "Shells and the manual page",
    ],
  },
  {
    name: "errors",
    about: "What went wrong, and what to do",
    page: talking,
    headings: ["When something is in the way"],
  },
  {
    name: "trust",
    about: "Whose key it is, and what to do when one changes",
    page: talking,
    headings: ["Trust"],
  },
  {
    name: "programs",
    about: "Pipes, bots and --json",
    page: programs,
    headings: ["Pipes", "JSON", "Files", "Python in a key-file room"],
  },
  {
    name: "hosting",
    about: "Running a server: console, logs, metrics, systemd",
    page: hosting,
    headings: [
      "Serving",
      "The console",
      "Files",
      "Behind TLS, or a proxy",
      "Watching it",
      "Several servers",
      "On a server of your own",
    ],
  },
  { name: "limits", about: "What a server takes from anyone", page: hosting, headings: ["Limits"] },
  {
    name: "cluster",
    about: "Several servers that share their rooms",
    page: cluster,
    headings: [
      "Three machines",
      "When something is away",
      "Backup, and putting back",
      "Updates",
      "What to watch",
      "Which limits hold for all",
      "What grows with what",
    ],
  },
  { name: "accounts", about: "Names, passwords and databases", page: hosting, headings: ["Accounts"] },
];

/** What a topic tells. */
export function blocksOfTopic({ page, headings }: Topic): Block[] {
  const blocks = blocksOf(page);
  return headings.flatMap((heading) => section(blocks, heading));
}

/** The pages, without what they say of the code. */
export function pagesOfManual(): Block[] {
  return [...new Set(topics.map(({ page }) => page))].flatMap((page) => {
    const blocks = blocksOf(page);
    return blocks.slice(blocks.findIndex((block) => block.kind === "heading" && block.level === 2));
  });
}

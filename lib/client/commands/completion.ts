/** Completion: what the word before the cursor may become, by where it stands. */

/** What a word can be. */
export interface Words {
  /** Commands, with what follows them. */
  readonly commands: readonly { readonly name: string; readonly args: string; readonly takes?: Takes }[];
  /** People in the room, the most recent speaker first. */
  readonly people: readonly string[];
  /** Labels of rooms, those with unread lines first. */
  readonly rooms: readonly string[];
  /** Names of files that can be fetched, the newest first. */
  readonly files?: readonly string[];
  /** What the path that was begun may become. */
  paths?(begun: string): readonly string[];
}

/** What the first word after a command is. */
export type Takes = "person" | "room" | "command" | "path" | "file";

/** A word and its ways to end. */
export interface Completion {
  /** Where the word begins, in UTF-16 units. */
  readonly from: number;
  /** What may stand there, the likeliest first. */
  readonly words: readonly string[];
}

/** The command that was typed, and what follows it; nothing of either while there is none. */
export function commandBefore<T extends { readonly name: string }>(before: string, commands: readonly T[]) {
  const [, name, rest = ""] = /^\/(\S+)\s+(.*)$/s.exec(before) ?? [];
  return { name, rest, command: commands.find((each) => each.name === name?.toLowerCase()) };
}

/** Completes what was typed up to the cursor. */
export function completion(
  before: string,
  { commands, people, rooms, files = [], paths }: Words,
): Completion {
  const from = before.search(/\S*$/);
  const begun = before.slice(from);
  const fitting = (words: readonly string[]) =>
    words.filter((word) => word.toLowerCase().startsWith(begun.toLowerCase()));
  if (before.startsWith("//")) return { from, words: [] };
  if (from === 0 && begun.startsWith("/")) {
    return { from, words: fitting(commands.map(({ name, args }) => `/${name}${args === "" ? "" : " "}`)) };
  }
  const { name, rest, command } = commandBefore(before, commands);
  // A name may have blanks: all that follows the command is meant.
  if (command?.takes === "path" || command?.takes === "file") {
    const start = before.length - rest.length;
    const all = command.takes === "path"
      ? paths?.(rest) ?? []
      : files.filter((each) => each.toLowerCase().startsWith(rest.toLowerCase()));
    return { from: start, words: all };
  }
  if (name !== undefined && !/\s/.test(rest)) {
    switch (command?.takes) {
      case "person":
        return { from, words: fitting(people.map((each) => `${each} `)) };
      case "room":
        return { from, words: fitting(rooms) };
      case "command":
        return { from, words: fitting(commands.map((each) => each.name)) };
    }
  }
  if (name !== undefined && !/TEXT|ACTION|WORDS/.test(command?.args ?? "")) return { from, words: [] };
  const at = begun.startsWith("@") ? "@" : "";
  const after = from === 0 ? ": " : " ";
  return { from, words: fitting(people.map((each) => `${at}${each}${after}`)) };
}

/**
 * Program: how the person starts this program, so that what it prints as a command is one that can be typed. Like the
 * version it is the same for all of a process: main.ts says it once, at the start.
 */

import { shellWord } from "./shell_word.ts";

/** How it was started. */
export interface StartedAs {
  /** A file's path as it was typed or found, or `scripts/deno task`. */
  readonly path: string;
  /** By a task runner, which has its own words for the subcommands. */
  readonly isTask: boolean;
}

let started: StartedAs = { path: "chat", isTask: false };

/** Told once. @param searched folders in which a shell looks for programs (PATH) */
export function startedAs(how: StartedAs, searched: readonly string[] = []): void {
  const slash = how.path.lastIndexOf("/");
  const isFound = !how.isTask && slash > 0 && searched.includes(how.path.slice(0, slash));
  started = { ...how, path: isFound ? how.path.slice(slash + 1) : how.path };
}

const tasks = ["serve", "join"];

/** A command line of this program, as this person can type it. @param words as `join -u NAME` */
export function command(words: string): string {
  const { path, isTask } = started;
  if (!isTask) return `${shellWord(path)} ${words}`;
  return `${path} ${tasks.includes(words.split(" ", 1)[0]) ? "" : "chat "}${words}`;
}

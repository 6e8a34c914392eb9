/** PathCompletion: what a path that was begun may become: files, and folders with a slash. */

const maxPaths = 200;

/** @param begun as it was typed @param pathOf makes a path whole @returns none where nothing can be read */
export function pathsFrom(begun: string, pathOf: (path: string) => string): string[] {
  const at = begun.lastIndexOf("/") + 1;
  const [folder, start] = [begun.slice(0, at), begun.slice(at)];
  try {
    return [...Deno.readDirSync(pathOf(folder === "" ? "." : folder))]
      .filter(({ name }) => name.startsWith(start) && (start !== "" || !name.startsWith(".")))
      .map(({ name, isDirectory }) => `${folder}${name}${isDirectory ? "/" : ""}`)
      .toSorted().slice(0, maxPaths);
  } catch {
    return []; // there is no such folder, or it may not be read
  }
}

/**
 * CopyView: a copy of a view as it stands, while it goes on: on a thread of its own, so that a copy of gigabytes holds
 * nobody up. SQLite gives whoever reads one state, whatever is written meanwhile (https://sqlite.org/isolation.html).
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { createPrivateFile } from "../../storage/private_file.ts";
import { StoreFailed } from "../store/store.ts";

/** Runs by itself: a worker has no other file, so that it works from the executable as well. */
const script = `
import { backup, DatabaseSync } from "node:sqlite";
self.onmessage = async ({ data: { from, to, note } }) => {
  try {
    const source = new DatabaseSync(from);
    await backup(source, to, { rate: 2 ** 30 });
    source.close();
    const copy = new DatabaseSync(to);
    const row = copy.prepare("SELECT value FROM about WHERE key = ?").get(note);
    copy.close();
    self.postMessage({ value: row ? row.value : null });
  } catch (error) {
    self.postMessage({ error: String(error && error.message || error) });
  }
};
`;

/**
 * Copies it.
 *
 * @param from the file of a view
 * @param to a file that is not there yet
 * @param note the key of what is read from the copy
 * @returns that note, as the copy has it
 * @throws StoreFailed
 */
export async function copyView(from: string, to: string, note: string): Promise<Bytes | null> {
  createPrivateFile(to);
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<Bytes | null>();
    worker.onmessage = ({ data }) =>
      data.error === undefined ? resolve(data.value) : reject(new StoreFailed(to, data.error));
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new StoreFailed(to, event.message));
    };
    worker.postMessage({ from, to, note: `note ${note}` });
    return await promise;
  } finally {
    worker.terminate();
    URL.revokeObjectURL(url);
  }
}

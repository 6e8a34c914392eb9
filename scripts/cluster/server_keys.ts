/** ServerKeys: servers that share their rooms have one key. */

/** Gives others the key that the first one has. @param first its data directory @param others theirs, not there yet */
export async function shareKey(first: string, others: readonly string[]): Promise<void> {
  for (const other of others) {
    await Deno.mkdir(other, { mode: 0o700 });
    // The copy is for its owner only, as what it is made of.
    await Deno.copyFile(`${first}/server_private_key.pem`, `${other}/server_private_key.pem`);
  }
}

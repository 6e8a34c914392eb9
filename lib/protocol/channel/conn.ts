/** ByteConn: the little of a connection that the protocol needs; a Deno.Conn fits as it is. */

/** A stream of bytes in both directions. */
export interface ByteConn {
  /** Reads some bytes into `into`; null at the end of the stream. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes`, at least one; how many is returned. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends both directions at once; a second call does nothing. */
  close(): void;
}

/** Closes, whatever state it is in: a runtime throws when a connection is closed twice. */
export function closeQuietly(conn: ByteConn): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}

/** Writes all of `bytes`: one write may take only a part. */
export async function writeAll(conn: ByteConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(at === 0 ? bytes : bytes.subarray(at));
}

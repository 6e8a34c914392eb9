/** Counts decryptions while `act` runs: what must be refused before anything is decrypted (property 9). */

import { CfbDecryptor } from "../../lib/crypto/cfb.ts";

export async function countedDecrypts(act: (calls: () => number) => void | Promise<void>): Promise<void> {
  const { decrypt } = CfbDecryptor.prototype;
  let calls = 0;
  CfbDecryptor.prototype.decrypt = function (iv, ciphertext) {
    calls++;
    return decrypt.call(this, iv, ciphertext);
  };
  try {
    await act(() => calls);
  } finally {
    CfbDecryptor.prototype.decrypt = decrypt;
  }
}

/** Sealing: what records and the tags of transit frames cost, by size; one thread, nothing else. */

import { systemRandom } from "../../lib/crypto/random.ts";
import { RecordOpener, RecordSealer } from "../../lib/protocol/channel/records.ts";
import { TransitSealer } from "../../lib/protocol/channel/transit.ts";

/** Prints `seal bytes seal_us open_us transit_us transit_tag_us`: the last is all that one more receiver costs. */
export function runSealing(print: (row: string) => void): void {
  for (const bytes of [64, 512, 4096, 65_536]) {
    const secret = systemRandom(32), plaintext = systemRandom(bytes);
    const count = Math.max(200, Math.floor(20_000_000 / (bytes + 2000)));
    const sealer = new RecordSealer(secret), opener = new RecordOpener(secret);
    const wires: Uint8Array[] = [];
    const sealUs = usEach(count, () => wires.push(sealer.seal(plaintext)));
    const openUs = usEach(count, (i) => opener.open(wires[i]));
    const key = new TransitSealer(systemRandom(32), 1, systemRandom(32));
    const transitUs = usEach(count, () => key.seal(plaintext));
    const frame = key.seal(plaintext);
    const into = new Uint8Array(frame.shared.length + 32);
    const tagUs = usEach(count, () => sealer.putTransit(frame, into));
    print(`seal ${bytes} ${sealUs} ${openUs} ${transitUs} ${tagUs}`);
  }
}

function usEach(count: number, act: (i: number) => unknown): string {
  const began = performance.now();
  for (let i = 0; i < count; i++) act(i);
  return ((performance.now() - began) * 1000 / count).toFixed(2);
}

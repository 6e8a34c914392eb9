import { test } from "../fakes/test.ts";
import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { Malformed } from "../../lib/errors.ts";
import { FrameReader, trafficRecord } from "../../lib/protocol/channel/frames.ts";
import { memoryConnPair } from "../fakes/memory_conn.ts";

function recordOf(length: number): Uint8Array {
  const wire = new Uint8Array(4 + length + 32).map((_, i) => i & 0xff);
  new DataView(wire.buffer).setUint32(0, length);
  return wire;
}

test("frames are cut alike however TCP has cut the bytes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 9000 }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 5000 }),
      async (sizes, piece) => {
        const [a, b] = memoryConnPair();
        const frames = sizes.map(recordOf);
        const all = Uint8Array.from(frames.flatMap((f) => [...f]));
        for (let i = 0; i < all.length; i += piece) a.inject(all.slice(i, i + piece));
        a.close();
        const reader = new FrameReader(b);
        for (const frame of frames) assertEquals(await reader.next(trafficRecord), new Uint8Array(frame));
        assertEquals(await reader.next(trafficRecord), null);
      },
    ),
    { numRuns: 60 },
  );
});

for (const length of [0, 65_537, 0xffff_ffff]) {
  test(`a record that says ${length} bytes is refused before its body is waited for`, async () => {
    const [a, b] = memoryConnPair();
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, length);
    a.inject(head); // and never a body
    await assertRejects(() => new FrameReader(b).next(trafficRecord), Malformed, "length");
  });
}
test("a clear message out of bounds is refused before its body is waited for", async () => {
  for (const head of [[0, 9], [0xff, 0xff]]) {
    const [a, b] = memoryConnPair();
    a.inject(Uint8Array.from(head));
    await assertRejects(
      () => new FrameReader(b).next({ kind: "clear", min: 10, max: 100 }),
      Malformed,
      "length",
    );
  }
});
test("a stream that ends inside a frame is told from one that ends between frames", async () => {
  for (const cut of [2, 10]) {
    const [a, b] = memoryConnPair();
    a.inject(recordOf(50).slice(0, cut));
    a.close();
    await assertRejects(() => new FrameReader(b).next(trafficRecord), Malformed, "inside");
  }
});

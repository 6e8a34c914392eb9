/** Files at several servers: brought to one, had from another, gone on with after a cut, and taken away everywhere. */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { encodeHex } from "../../../lib/hex.ts";
import { clusterTest } from "../../fakes/cluster.ts";
import { until } from "../../fakes/until.ts";

clusterTest(
  "a file that was brought to one server is had from another, byte for byte; begun at one it is finished at another; dropped it is gone",
  async ({ servers, worlds: [one, two] }) => {
    const folder = await Deno.makeTempDir();
    try {
      const ira = await one.enter("ira", { others: [{ host: "127.0.0.1", port: two.port }] });
      const dana = await two.enter("dana", { downloadDir: folder });
      await ira.view.until((event) => event.type === "added" && event.who === "dana");
      const path = join(folder, "sent.bin");
      const content = crypto.getRandomValues(new Uint8Array(65_536));
      const file = await Deno.open(path, { write: true, create: true });
      for (let i = 0; i < 160; i++) await file.write(content);
      file.close();
      ira.view.type(`/send ${path}`);
      const blobs = () => [...two.server.rooms.blobs.index.all()];
      await until("some of it is there", () => (blobs()[0]?.next ?? 0) >= 16);
      await one.server.stop(); // in the middle of it: she goes on at the other
      await dana.view.until((event) => event.type === "message" && event.file !== undefined);
      dana.view.type("/get");
      await dana.view.until((event) => event.type === "saved");
      const [saved] = [...Deno.readDirSync(folder)].filter(({ name }) => name !== "sent.bin");
      assertEquals(await Deno.readFile(join(folder, saved.name)), await Deno.readFile(path));
      const [{ id }] = blobs();
      await two.server.rooms.propose({ kind: "blob drop", id });
      await until(
        "its chunks are gone",
        async () => !(await servers[1].cluster.blobs.names()).includes(encodeHex(id)),
      );
      assertEquals(dana.view.warnings, []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

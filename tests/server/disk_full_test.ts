/** A disk that is full: nothing confirmed is lost, nothing unconfirmed is shown, and the server goes on. */

import { assertEquals } from "@std/assert";
import { systemRandom } from "../../lib/crypto/random.ts";
import { SqliteStore } from "../../lib/server/store/sqlite.ts";
import { until } from "../fakes/until.ts";
import { worldTest } from "../fakes/world.ts";

/** Refuses to flush as a full disk does: SQLite itself fails and rolls the batch back. */
class FullDisk extends SqliteStore {
  full = false;
  override flush(): void {
    if (!this.full) return super.flush();
    const [room] = this.rooms();
    this.createRoom(room, null); // there already: fails, and undoes what was written since the last flush
  }
}

const dir = Deno.makeTempDirSync();
const store = new FullDisk(`${dir}/rooms.db`, systemRandom);

worldTest(
  "a full disk: authors are told to try again, nothing is lost or doubled, and newcomers come in afterwards",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    ira.view.type("one");
    await sam.view.hears("ira: one");
    store.full = true;
    ira.view.type("two", "three");
    sam.view.type("four");
    await until("said", () => world.log.some((line) => line.startsWith("[!]")));
    assertEquals(sam.view.said, ["ira: one"]);
    const refused = await world.join("dana", { message: "x", joinTimeoutMs: 300 }, false);
    assertEquals((await refused.done) instanceof Error, true);
    store.full = false;
    for (const view of [ira.view, sam.view]) {
      for (const line of ["ira: three", "sahnawaz: four"]) await view.hears(line);
    }
    assertEquals(ira.view.said, sam.view.said);
    assertEquals(ira.view.said.length, 4);
    const dana = await world.enter("dana");
    dana.view.type("five");
    await ira.view.hears("dana: five");
    const positions = store.entries(ira.chat.conversation.room!.state.id, 1, 100).map((e) => e.pos);
    assertEquals(positions, positions.map((_, i) => i + 1));
    assertEquals([...ira.view.warnings, ...sam.view.warnings], []);
    Deno.removeSync(dir, { recursive: true });
  },
  { store },
);

/** A class behind one address: thirty people with new keys, while one member is there to let them in. */

import { assertEquals } from "@std/assert";
import { run } from "../fakes/tools.ts";
import { e2e, freePort } from "./chat_process.ts";

const pupils = Array.from({ length: 30 }, (_, i) => `pupil-${i + 1}`);

e2e(
  "a class of 30 behind one address is let in, and each is heard, within the server's own limits",
  async (home) => {
    const port = String(freePort());
    await home.start("serve", "-p", port).shows("Invite");
    // Making thirty RSA keys takes half a minute: they share one, and each has an own signing key.
    const rsa = `${home.dir}/rsa.pem`;
    await run("openssl", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", rsa]);
    Deno.chmodSync(rsa, 0o600);
    for (const name of pupils) assertEquals((await home.run(["keygen", "-u", name, "--from", rsa])).code, 0);
    const teacher = home.start("join", "-u", "teacher", "-p", port);
    await teacher.shows("In the room", "err");
    const said = await Promise.all(
      pupils.map((name) => home.run(["join", "-u", name, "-p", port, "-m", `here is ${name}`])),
    );
    assertEquals(said.filter(({ code }) => code !== 0).map(({ err }) => err), []);
    for (const name of pupils) await teacher.shows(`here is ${name}`);
  },
);

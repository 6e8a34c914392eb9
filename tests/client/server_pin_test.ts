import { test } from "../fakes/test.ts";
import { assertEquals, assertThrows } from "@std/assert";
import {
  InviteMismatch,
  KnownKeys,
  ServerKeyChanged,
  ServerUnknown,
} from "../../lib/client/trust/known_keys.ts";
import { checkServerPin, keepServerPin, type ServerTrust } from "../../lib/client/connection/server_gate.ts";

const [a, b] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
const away: ServerTrust = {
  host: "chat.example.org",
  port: 9443,
  others: [],
  expectServer: null,
  acceptNew: false,
  trust: null,
};
const target = "chat.example.org:9443";

function withPins(pinned: Uint8Array | null, act: (known: KnownKeys) => void): void {
  const dir = Deno.makeTempDirSync();
  try {
    const known = new KnownKeys(dir);
    if (pinned) known.pinServer(target, pinned, 2);
    act(known);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}
const check = (known: KnownKeys, said: Partial<ServerTrust>, id: Uint8Array<ArrayBuffer>) =>
  checkServerPin(known, { ...away, ...said }, id);

test("an unknown server is taken on loopback, with an invite that names it, or with --accept-new; never otherwise", () => {
  withPins(null, (known) => {
    assertThrows(() => check(known, {}, a), ServerUnknown);
    check(known, { acceptNew: true }, a);
    check(known, { expectServer: a }, a);
    for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) check(known, { host }, a);
    for (const host of ["127.0.0.1.example.org", "10.0.0.1", "localhost.example.org"]) {
      assertThrows(() => check(known, { host }, a), ServerUnknown);
    }
  });
});
test("an invite for another key is refused before anything else is asked", () => {
  withPins(
    null,
    (known) => void assertThrows(() => check(known, { expectServer: b, acceptNew: true }, a), InviteMismatch),
  );
});
test("the first contact pins one key for all addresses of a list: another one is refused at each, until it is accepted for all", () => {
  const others = [{ host: "b.example.org", port: 1 }, { host: "c.example.org", port: 2 }];
  const at = (i: number) => ({ ...others[i], others: [{ host: away.host, port: away.port }, others[1 - i]] });
  withPins(a, (known) => {
    for (const place of [at(0), at(1)]) {
      check(known, place, a);
      assertThrows(() => check(known, place, b), ServerKeyChanged);
      assertThrows(() => check(known, { ...place, acceptNew: true }, b), ServerKeyChanged);
    }
    assertEquals(keepServerPin(known, { ...away, ...at(0) }, a, 2), "known");
    assertEquals(known.server("b.example.org:1"), a);
    const accepted = { ...away, ...at(0), trust: "b.example.org:1" };
    checkServerPin(known, accepted, b);
    assertEquals(keepServerPin(known, accepted, b, 2), "changed");
    assertEquals([known.server(target), known.server("b.example.org:1"), known.server("c.example.org:2")], [
      b,
      b,
      null,
    ]);
    check(known, at(1), b);
    assertThrows(() => check(known, at(1), a), ServerKeyChanged);
  });
});
test("a changed key is a hard error that only --trust of just that server mends; not an invite, not --accept-new", () => {
  withPins(a, (known) => {
    check(known, {}, a);
    for (
      const said of [{}, { acceptNew: true }, { expectServer: b }, { trust: "ira" }, {
        trust: "chat.example.org:1",
      }]
    ) {
      const error = assertThrows(() => check(known, said, b), ServerKeyChanged);
      assertEquals(
        error.hint.includes(`run the same command with "--trust ${target}" added`),
        true,
      );
    }
    check(known, { trust: target }, b);
    assertEquals(known.server(target), a); // nothing is kept before the handshake is through
    assertEquals(keepServerPin(known, { ...away, trust: target }, b, 2), "changed");
    assertEquals([known.server(target), keepServerPin(known, away, b, 2)], [b, "known"]);
  });
  withPins(null, (known) => assertEquals(keepServerPin(known, away, a, 2), "new"));
});
test("the highest version of a server is remembered, and begins anew with another key", () => {
  withPins(a, (known) => {
    assertEquals(known.serverVersion(target), 2);
    keepServerPin(known, away, a, 4);
    keepServerPin(known, away, a, 3);
    assertEquals([known.serverVersion(target), known.serverVersion("other:1")], [4, 2]);
    keepServerPin(known, away, b, 2);
    assertEquals(known.serverVersion(target), 2);
  });
});

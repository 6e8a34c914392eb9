/** Limits by which all servers apply a shared log: the same bytes for the same, and what versions make of each other's. */

import { assertEquals, assertThrows } from "@std/assert";
import { Malformed } from "../../lib/errors.ts";
import { defaultLimits } from "../../lib/server/limits.ts";
import { defaultRetention } from "../../lib/server/rooms/retention.ts";
import {
  decodeSettings,
  encodeSettings,
  settingsChanged,
  settingsOf,
  UnknownSetting,
} from "../../lib/server/settings.ts";
import { test } from "../fakes/test.ts";

const own = settingsOf({ ...defaultLimits, members: 9 }, { ...defaultRetention, seconds: 60 });
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

test("settings are read as they were written, and what differs is told in words", () => {
  assertEquals(decodeSettings(encodeSettings(own)), own);
  assertEquals(settingsChanged(own, { ...own, limits: { ...own.limits, members: 200 } }), [
    "members 9 -> 200",
  ]);
  assertEquals(settingsChanged(own, own), []);
});
test("what an older server did not say is the default; what a newer one says besides ends this one, with words", () => {
  const usual = settingsOf(defaultLimits, defaultRetention);
  assertEquals(decodeSettings(json({ members: 9 })).limits, { ...usual.limits, members: 9 });
  assertThrows(() => decodeSettings(json({ members: 9, unheardOf: 1 })), UnknownSetting);
});
test("settings that are no numbers are malformed", () => {
  for (const value of [-1, 1.5, "9", null]) {
    assertThrows(() => decodeSettings(json({ members: value })), Malformed);
  }
  assertThrows(() => decodeSettings(new TextEncoder().encode("{")), Malformed);
});

/** The generator's own process: `generator.ts fan-out JSON` runs one measurement against a server that is there. */

import { runCatchUp, runMembersCatchUp } from "./catch_up.ts";
import { runMemberFloods } from "./member_floods.ts";
import { runFanOut } from "./fan_out.ts";
import { runFlood } from "./floods.ts";
import { runHandshakes } from "./handshakes.ts";
import { runFiles } from "./files.ts";
import { runLogins } from "./logins.ts";
import { runRoomStorm } from "./room_storm.ts";
import { runIdle } from "./idle.ts";
import { runPaste } from "./paste.ts";
import { runOwnEntry } from "./own_entry.ts";
import { runSealing } from "./sealing.ts";
import { runSmallRooms } from "./small_rooms.ts";

const [what, json] = Deno.args;
const kinds: Record<string, (run: never, print: (row: string) => void) => Promise<void> | void> = {
  "fan-out": runFanOut,
  handshakes: runHandshakes,
  idle: runIdle,
  files: runFiles,
  login: runLogins,
  "room-storm": runRoomStorm,
  "catch-up": runCatchUp,
  "members-catch-up": runMembersCatchUp,
  entry: runOwnEntry,
  paste: runPaste,
  "small-rooms": runSmallRooms,
  flood: runFlood,
  "member-floods": runMemberFloods,
  sealing: (_: never, print) => runSealing(print),
};
await kinds[what](JSON.parse(json) as never, console.log);
Deno.exit(0);

/** First contact, pins, verification and invites (protocol §4.3), over real sockets. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { safetyDigits } from "../../lib/crypto/digits.ts";
import { fingerprint } from "../../lib/crypto/identity.ts";
import { ChatError, exitCodes } from "../../lib/errors.ts";
import { makeCard } from "../../lib/protocol/identity/card.ts";
import { parseInvite } from "../../lib/protocol/identity/invite.ts";
import { makePrivateDir, writeAtomically } from "../../lib/storage/private_file.ts";
import { person } from "../fakes/people.ts";
import { dialTcp } from "../../lib/client/connection/dial.ts";
import { headIn, type World, worldTest } from "../fakes/world.ts";
import { until } from "../fakes/until.ts";

/** Another identity under a name of ours: mallory's keys with a card that says so. */
async function impostor(world: World, name: string): Promise<void> {
  const { identity, privatePem } = await person("mallory");
  const dir = `${world.dir}/profiles/${name}`;
  makePrivateDir(dir);
  for (const old of ["state", "known.jsonl", "client_public_key.pem"]) {
    await Deno.remove(`${dir}/${old}`, { recursive: true }).catch(() => {});
  }
  writeAtomically(`${dir}/client_private_key.pem`, new TextEncoder().encode(privatePem));
  writeAtomically(`${dir}/card`, makeCard(identity, 1, name, 1_700_000_000));
}

const elsewhere = { host: "chat.example.org" };
const leadHere = (world: World) => void (world.dial = (_host, port) => dialTcp("127.0.0.1", port));

for (
  const [answer, goesOn] of [["yes", true], ["no", false], ["maybe", false], ["", false], [
    "/quit",
    false,
  ]] as const
) {
  const outcome = goesOn ? "goes on" : "ends it";
  worldTest(
    `a server that is not known is asked about on a terminal; "${answer}" ${outcome}`,
    async (world) => {
      leadHere(world);
      const ira = await world.join("ira", elsewhere);
      await until("asked", () => ira.view.promptText.includes("(yes or no)"));
      const { card } = await person("server");
      assertStringIncludes(ira.view.notices.join("\n"), fingerprint(card.id));
      assertEquals(world.log, [], "nothing about the client was sent before the answer");
      ira.view.type(answer);
      if (answer === "" || answer === "maybe") {
        await until("asked again", () => ira.view.warnings.some((text) => text.includes('"yes" or "no"')));
        assertEquals(ira.chat.conversation.questions.cancel(), true); // Ctrl+C
      }
      if (!goesOn) {
        const error = await ira.done as ChatError;
        return assertEquals([error.name, error.exitCode], ["ServerNotAccepted", exitCodes.trust]);
      }
      await ira.view.until((e) => e.type === "entered");
      ira.view.type("EXIT");
      assertEquals(await ira.done, 0);
      await world.enter("ira", elsewhere); // the second time nothing is asked
    },
  );
}
worldTest(
  "a program is refused by a server that is not known, and goes in with --accept-new",
  async (world) => {
    leadHere(world);
    const bot = await world.join("ira", { ...elsewhere, message: "hi" }, false);
    assertEquals((await bot.done as ChatError).name, "ServerUnknown");
    const again = await world.join("ira", { ...elsewhere, message: "hi", acceptNew: true }, false);
    assertEquals(await again.done, 0);
  },
);

worldTest(
  "/verify shows both the same digits, and marks the pin only after yes; /whois tells",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    const digits = safetyDigits(ira.profile.card.id, sam.profile.card.id);
    for (const [client, other] of [[ira, "sahnawaz"], [sam, "IRA"]] as const) {
      client.view.type(`/verify ${other}`);
      await until("asked", () => client.view.promptText.includes("Are they the same?"));
      assertStringIncludes(client.view.answers.join("\n"), digits);
    }
    sam.view.type("what?", "nO");
    await until("told", () => sam.view.notices.includes("ira is not marked as verified."));
    assertEquals(sam.chat.conversation.isVerified("ira"), false);
    ira.view.type("yes");
    await until("told", () => ira.view.notices.includes("sahnawaz is verified."));
    assertEquals(ira.chat.conversation.isVerified("5ahnawaz"), false);
    ira.view.type("/who", "/whois sahnawaz");
    await until("answered", () => ira.view.answers.join("\n").includes("verified     yes, on"));
    assertMatch(ira.view.answers.join("\n"), /sahnawaz +here, verified/);
    assertStringIncludes(ira.view.answers.join("\n"), fingerprint(sam.profile.card.id));
    const dana = await world.enter("dana");
    dana.view.type("/verify");
    await until("answered", () => dana.view.answers.length >= 3);
    dana.view.type("/verify");
    ira.view.answers.length = 0;
    ira.view.type("/verify");
    await until("answered", () => ira.view.answers.length >= 3);
    const roomDigits = (lines: string[]) => lines.find((line) => line.startsWith("This room"));
    assertEquals(
      roomDigits(ira.view.answers),
      roomDigits(dana.view.answers),
      "the room's digits are the same for all",
    );
  },
);

worldTest("verified names are said to be so when they are added", async (world) => {
  const ira = await world.enter("ira");
  const sam = await world.enter("sahnawaz");
  ira.view.type("/verify sahnawaz", "yes");
  await until("verified", () => ira.chat.conversation.isVerified("sahnawaz"));
  sam.view.type("/leave");
  await sam.done;
  await ira.view.until((e) => e.type === "removed");
  await world.enter("sahnawaz");
  const added = ira.view.events.filter((e) => e.type === "added");
  assertEquals(added.map((e) => e.verified), [false, true]);
});

worldTest(
  "a name with another key is not let in until /trust; both fingerprints are shown",
  async (world) => {
    const ira = await world.enter("ira");
    const sam = await world.enter("sahnawaz");
    sam.view.type("/leave");
    await sam.done;
    await ira.view.until((e) => e.type === "removed");
    const old = sam.profile.card.id;
    await world.server.stop();
    // The operator's store forgets the name: now somebody else can take it.
    await Deno.remove(world.storePath).catch(() => {});
    await Deno.remove(`${world.storePath}-wal`).catch(() => {});
    await impostor(world, "sahnawaz");
    ira.view.type("EXIT");
    await ira.done;
    await Deno.remove(`${world.dir}/profiles/ira/state`, { recursive: true });
    await world.startServer();
    const again = await world.enter("ira", { trust: "lobby" });
    const fake = await world.join("sahnawaz");
    await until(
      "warned",
      () => again.view.warnings.some((text) => text.includes("wants to join as sahnawaz")),
    );
    const warning = again.view.warnings.find((text) => text.includes("wants to join"))!;
    assertStringIncludes(warning, fingerprint(old));
    assertStringIncludes(warning, fingerprint(fake.profile.card.id));
    assertEquals(again.view.promptText, "lobby (key changed: sahnawaz)> ");
    assertEquals(headIn(again)!.roster.length, 1);
    again.view.type("/verify sahnawaz");
    await until(
      "compared",
      () => again.view.answers.join("\n").includes(safetyDigits(again.profile.card.id, fake.profile.card.id)),
    );
    assertStringIncludes(again.view.answers.join("\n"), safetyDigits(again.profile.card.id, old));
    again.view.type("/trust sahnawaz");
    fake.view.type("EXIT");
    await fake.done;
    await world.enter("sahnawaz");
    assertEquals(
      headIn(again)!.roster.map((m) => m.name),
      ["ira", "sahnawaz"],
    );
  },
);

worldTest(
  "/invite prints a link that pins server, room and inviter; the room is confirmed once she is seen",
  async (world) => {
    const ira = await world.enter("ira");
    const dana = await world.enter("dana");
    ira.view.type("/invite");
    await until("printed", () => ira.view.answers.length > 0);
    assertMatch(ira.view.answers[1], /place of HOST; on this machine it is 127\.0\.0\.1/);
    const invite = parseInvite(ira.view.answers[0].replace("HOST", "127.0.0.1"));
    assertEquals(invite.pins!.inviterId, ira.profile.card.id);
    ira.view.type("EXIT");
    await ira.done;
    const options = { expectServer: invite.serverId, pins: invite.pins };
    const sam = await world.enter("sahnawaz", options);
    assertEquals(sam.view.promptText, "lobby (unconfirmed)> ");
    assertStringIncludes(sam.view.notices.join("\n"), "until then the room is unconfirmed");
    dana.view.type("I am not ira");
    await sam.view.hears("dana: I am not ira");
    assertEquals(sam.view.promptText, "lobby (unconfirmed)> ");
    const again = await world.enter("ira");
    again.view.type("I am");
    await sam.view.hears("ira: I am");
    assertEquals(sam.view.promptText, "lobby> ");
    assertStringIncludes(sam.view.notices.join("\n"), "The room is confirmed: ira");
  },
);

worldTest("/invite names the place where the operator says that others reach the server", async (world) => {
  const ira = await world.enter("ira");
  ira.view.type("/invite");
  await until("printed", () => ira.view.answers.length > 0);
  assertEquals(ira.view.answers.length, 1);
  const { host, port, tls } = parseInvite(ira.view.answers[0]);
  assertEquals({ host, port, tls }, { host: "chat.example.org", port: 443, tls: true });
}, { place: "chats://chat.example.org:443" });

worldTest("a place that is none is not repeated to anybody", async (world) => {
  const ira = await world.enter("ira");
  ira.view.type("/invite");
  await until("printed", () => ira.view.answers.length > 0);
  assertStringIncludes(ira.view.answers[0], "chat://HOST:");
}, { place: "chat://x';reboot;':9443" });

worldTest("admitted by the inviter herself, the room is confirmed at once", async (world) => {
  const ira = await world.enter("ira");
  const pins = { roomId: headIn(ira)!.room, inviterId: ira.profile.card.id, pass: null };
  const sam = await world.enter("sahnawaz", { pins });
  assertEquals(sam.view.promptText, "lobby> ");
});

worldTest(
  "an invite to another room than the server has by that name ends with exit code 4",
  async (world) => {
    const ira = await world.enter("ira");
    const pins = { roomId: new Uint8Array(32).fill(3), inviterId: ira.profile.card.id, pass: null };
    const sam = await world.join("sahnawaz", { pins });
    const error = await sam.done as ChatError;
    assertEquals(error.exitCode, exitCodes.trust);
    assertStringIncludes(error.message, "not the one you knew");
    assertEquals(headIn(ira)!.roster.length, 1, "nobody was asked to let in");
    // A second, honest invite does not replace the pin in silence either.
    const honest = { roomId: headIn(ira)!.room, inviterId: ira.profile.card.id, pass: null };
    const again = await (await world.join("sahnawaz", { pins: honest })).done as ChatError;
    assertEquals([again.name, again.exitCode], ["RoomInviteMismatch", exitCodes.trust]);
    await world.enter("sahnawaz", { pins: honest, trust: "lobby" });
  },
);

worldTest("an invite to a room that the server does not have makes no other one", async (world) => {
  const { card } = await person("ira");
  const pins = { roomId: new Uint8Array(32).fill(3), inviterId: card.id, pass: null };
  const error = await (await world.join("sahnawaz", { pins })).done as ChatError;
  assertEquals(error.exitCode, exitCodes.trust);
  assertStringIncludes(error.message, "does not know the room");
  assertEquals(world.server.rooms.all(), []);
});

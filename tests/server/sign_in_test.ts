/** What stands between WELCOME and the rooms where there are accounts (protocol §8.4), over real sockets. */

import type { Link } from "../../lib/protocol/channel/link.ts";
import { SignIn } from "../../lib/server/gate/sign_in.ts";
import { systemClock } from "../../lib/clock.ts";
import type { Peer } from "../../lib/server/rooms/peer.ts";
import { test } from "../fakes/test.ts";
import { assertEquals } from "@std/assert";
import type { Connection, Credentials } from "../../lib/client/connection/connection.ts";
import { LinkLost, Refused } from "../../lib/client/connection/connection_errors.ts";
import {
  closeReasons,
  type LinkMessage,
  type MessageOf,
  welcomeFlags,
} from "../../lib/protocol/channel/link_messages.ts";
import { encodePassword } from "../../lib/protocol/identity/password.ts";
import type { RegistrationMode } from "../../lib/server/accounts/accounts.ts";
import { dialled } from "../fakes/dialled.ts";
import { JumpingClock } from "../fakes/jumping_clock.ts";
import { person } from "../fakes/people.ts";
import { registers, testAccounts } from "../fakes/test_accounts.ts";
import { until } from "../fakes/until.ts";
import { type World, worldTest } from "../fakes/world.ts";

const password = "correct horse battery";
const register = { password: encodePassword(password), token: new Uint8Array(0) };

interface LoginAttempt {
  readonly connection: Connection;
  readonly welcome: MessageOf<"WELCOME">;
  readonly heard: LinkMessage[];
  /** What came of it. */
  readonly entered: Promise<unknown>;
}

/** Shakes hands and hears WELCOME; then `credentials` decides what is said. */
async function guest(
  world: World,
  name: string,
  credentials: (connection: Connection) => Promise<Credentials>,
): Promise<LoginAttempt> {
  const { identity, card } = await person(name);
  const welcomed = Promise.withResolvers<MessageOf<"WELCOME">>();
  const heard: LinkMessage[] = [];
  const connection: Connection = await dialled(
    world.port,
    { name, identity, card: card.bytes },
    (welcome) => {
      welcomed.resolve(welcome);
      return credentials(connection);
    },
  );
  const entered = connection.enter({ runId: new Uint8Array(16), rooms: [] }, {
    welcome: (message) => void heard.push(message),
    receive: (message) => void heard.push(message),
  }).catch((error) => error);
  return { connection, welcome: await welcomed.promise, heard, entered };
}

function signInTest(
  name: string,
  act: (world: World, clock: JumpingClock) => Promise<void>,
  registration: RegistrationMode = "open",
): void {
  worldTest(name, async (world) => {
    const clock = new JumpingClock();
    await world.server.stop();
    await world.startServer({ accounts: testAccounts({ registration, clock }), clock });
    await act(world, clock);
  });
}

for (
  const [mode, flags] of [
    ["open", welcomeFlags.accounts | welcomeFlags.registrationOpen],
    ["token", welcomeFlags.accounts | welcomeFlags.registrationToken],
    ["closed", welcomeFlags.accounts],
  ] as const
) {
  signInTest(`WELCOME tells of accounts, and that registration is ${mode}`, async (world) => {
    const { welcome, connection } = await guest(world, "ira", () => Promise.reject(new LinkLost()));
    assertEquals(welcome.flags, flags);
    connection.close(closeReasons.bye);
  }, mode);
}
signInTest("whoever says nothing for 60 s after WELCOME is let go", async (world, clock) => {
  const late = Promise.withResolvers<Credentials>();
  const inTime = await guest(world, "ira", () => late.promise);
  clock.jump(59_000);
  late.resolve(register);
  await inTime.entered;
  assertEquals(inTime.connection.isOver, false, "59 s are not too long");
  const { connection } = await guest(world, "sahnawaz", () => new Promise(() => {}));
  clock.jump(60_100);
  await until("closed", () => connection.isOver);
  assertEquals(world.server.linked, 1);
  inTime.connection.close(closeReasons.bye);
});
const outOfPlace: [string, (ref: number) => LinkMessage][] = [
  ["ROOM_FIND", (ref) => ({ type: "ROOM_FIND", ref, name: new TextEncoder().encode("lobby") })],
  ["NAME_GET", (ref) => ({ type: "NAME_GET", ref, name: new TextEncoder().encode("ira") })],
  ["SEND", (ref) => ({ type: "SEND", ref, message: new Uint8Array(200) })],
  ["PASSWORD", (ref) => ({ type: "PASSWORD", ref, old: register.password, next: register.password })],
  ["RELEASE", (ref) => ({ type: "RELEASE", ref, password: register.password })],
  ["ACK", () => ({ type: "ACK", room: new Uint8Array(32), pos: 1 })],
];
for (const [what, build] of outOfPlace) {
  signInTest(`before the login, ${what} ends the link without an answer`, async (world) => {
    const { connection, heard, entered } = await guest(world, "ira", (own) => {
      own.send(build(7));
      return new Promise(() => {});
    });
    await until("closed", () => connection.isOver);
    assertEquals(heard, []);
    assertEquals(world.server.linked, 0);
    void entered;
  });
}
signInTest("nothing may follow a LOGIN before it is answered: no second try on one link", async (world) => {
  const { connection, entered } = await guest(world, "ira", (own) => {
    const login = { ref: 9, name: new TextEncoder().encode("ira"), password: register.password };
    own.send({ type: "LOGIN", ...login });
    own.send({ type: "LOGIN", ...login, ref: 10 });
    return Promise.resolve(register);
  });
  assertEquals(await entered instanceof Error, true);
  assertEquals(connection.isOver, true);
});
signInTest("before the login nobody is told, and HELLO's rooms are not looked at", async (world) => {
  const ira = await world.enter("ira", registers(password));
  const stop = Promise.withResolvers<Credentials>();
  const sam = await guest(world, "sahnawaz", () => stop.promise);
  ira.view.type("/msg sahnawaz are you there");
  await until("told", () => ira.view.warnings.length > 0);
  assertEquals(world.server.rooms.peers.size, 1);
  assertEquals(world.server.rooms.store.idByName("sahnawaz"), null, "no name is taken by a handshake alone");
  stop.resolve(register);
  await sam.entered;
  assertEquals(sam.heard[0]?.type, "WELCOME");
  await until("in", () => world.server.rooms.peers.size === 2);
  sam.connection.close(closeReasons.bye);
});
signInTest("a failed login is one CLOSE, at once", async (world) => {
  const { entered } = await guest(world, "ira", () => Promise.resolve({ ...register, token: null }));
  const error = await entered;
  assertEquals(error instanceof Refused && error.reason, closeReasons.loginRefused);
});
signInTest(
  "a person who types for longer than the server waits is connected again by herself",
  async (world, clock) => {
    const ira = await world.join("ira", {
      login: { register: true, password: null, registrationToken: null },
    });
    const slow = Promise.withResolvers<string>();
    ira.view.secrets.push(slow.promise as unknown as string, password);
    await until("asked", () => ira.view.asked.length === 1);
    clock.jump(61_000);
    await until("let go", () => ira.chat.conversation.connection?.isOver === true);
    slow.resolve(password);
    await ira.view.until((event) => event.type === "entered");
    assertEquals(ira.view.asked.length, 2, "she is not asked again");
    assertEquals(ira.view.warnings, []);
  },
);

for (const outcome of ["accepted", "refused"] as const) {
  test(`the password of a login that is ${outcome} is overwritten on the server`, async () => {
    const { card } = await person("ira");
    const signIn = new SignIn(testAccounts(), systemClock, { tell: () => {} });
    const ended = Promise.withResolvers<void>();
    const link = { isOver: false, send: () => {}, close: () => ended.resolve(), drop: () => ended.resolve() };
    const session = signIn.receive({
      link: link as unknown as Link,
      card,
      address: "192.0.2.1",
      isFree: () => true,
      isElsewhere: () => Promise.resolve(false),
      bind: () => Promise.resolve(true),
      enter: () => ended.resolve(),
    });
    const said = { ...register, password: register.password.slice() };
    const name = new TextEncoder().encode("ira");
    session.receive(
      outcome === "accepted"
        ? { type: "REGISTER", ref: 1, name, ...said }
        : { type: "LOGIN", ref: 1, name, password: said.password },
    );
    assertEquals(said.password.some((byte) => byte !== 0), true, "not before it is checked");
    await ended.promise;
    session.left();
    assertEquals(said.password, new Uint8Array(said.password.length));
  });
}

const typed = () => encodePassword(password);
for (
  const message of [
    { type: "PASSWORD", ref: 1, old: typed(), next: typed() },
    { type: "RELEASE", ref: 1, password: typed() },
  ] as const
) {
  test(`what ${message.type} says is overwritten on the server, once it is answered`, async () => {
    const { card } = await person("ira");
    const signIn = new SignIn(testAccounts(), systemClock, { tell: () => {} });
    const answers: string[] = [];
    const peer = {
      card,
      send: () => answers.push("done"),
      refuse: () => answers.push("refused"),
      link: { drop: () => answers.push("dropped") },
    };
    assertEquals(signIn.request(peer as unknown as Peer, "192.0.2.1", message), true);
    const secrets = message.type === "PASSWORD" ? [message.old, message.next] : [message.password];
    await until("answered", () => answers.length > 0);
    await until("overwritten", () => secrets.every((secret) => secret.every((byte) => byte === 0)));
    assertEquals(answers, ["refused"], "there is no account of hers");
  });
}

/** Session: one connection, from dialling to its end (protocol §5, §8.4, §12). */

import { type Clock, seconds } from "../../clock.ts";
import type { Bytes } from "../../crypto/bytes.ts";
import type { RandomSource } from "../../crypto/random.ts";
import { type Address, hostPort } from "../../host_port.ts";
import type { FrameWatcher, LinkEnd } from "../../protocol/channel/link.ts";
import { closeReasons, type MessageOf, welcomeFlags } from "../../protocol/channel/link_messages.ts";
import type { Audience } from "../audience.ts";
import type { Profile } from "../profile/profile.ts";
import { clockWarning } from "./clock_difference.ts";
import { Connection, type Receiver } from "./connection.ts";
import type { Dial } from "./dial.ts";
import { isTransient, LinkLost, refusedBy } from "./connection_errors.ts";
import type { Login } from "./login.ts";
import type { PrekeyPublishing } from "./prekey_publishing.ts";
import type { ServerGate } from "./server_gate.ts";

const renewalMs = 24 * 3600 * 1000;

/** What a session needs of its chat. */
export interface SessionParts {
  /** Where. */
  readonly at: Address;
  /** Whether there are other addresses: then nobody waits long at one. */
  readonly isList: boolean;
  /** Access token, maybe empty. */
  readonly token: Bytes;
  /** Keys and pins. */
  readonly profile: Profile;
  /** Time. */
  readonly clock: Clock;
  /** Randomness. */
  readonly random: RandomSource;
  /** Connections. */
  readonly dial: Dial;
  /** Told of what passes over the link. */
  readonly onFrame?: FrameWatcher;
  /** Told of a fault of this program that has ended the link. */
  readonly onBug?: (error: Error) => void;
  /** Shows. */
  readonly view: Audience;
  /** Whether the server's key is accepted. */
  readonly gate: ServerGate;
  /** What we log in with. */
  readonly login: Login;
  /** Our prekey at the server. */
  readonly publishing: PrekeyPublishing;
  /** Aborted when the person goes. */
  readonly signal: AbortSignal;
  /** Takes what comes. */
  readonly receiver: Receiver;
  /** Whether the main room was entered before: steps are news on the way in only. */
  isEntered(): boolean;
  /** The server has proved its key. @returns what HELLO says */
  begins(connection: Connection): Omit<MessageOf<"HELLO">, "type">;
  /** WELCOME has come: enters the rooms. @throws ChatError, LinkLost */
  settleIn(connection: Connection): Promise<void>;
  /** It is over. */
  ends(): void;
}

/**
 * Runs one connection.
 *
 * @returns false when the server broke the protocol
 * @throws Unreachable, Refused, ServerUnknown and what else keeps us out for good
 */
export async function runSession(parts: SessionParts): Promise<boolean> {
  const { clock, signal, profile, at, view } = parts;
  const connection = await Connection.open({
    ...at,
    isHurried: parts.isList,
    dial: parts.dial,
    clock,
    random: parts.random,
    onFrame: parts.onFrame,
    onBug: parts.onBug,
    token: parts.token,
    minVersion: profile.known.serverVersion(hostPort(at.host, at.port)),
    name: profile.name,
    identity: profile.identity,
    card: profile.card.bytes,
    checkServer: (card) => parts.gate.check(card.id, at),
    credentials: (welcome) => {
      warnOfClock(parts, welcome);
      return parts.login.credentials(welcome);
    },
    onStep: (step) => {
      if (!parts.isEntered()) showStep(view, step);
    },
  });
  const goodbye = () => connection.close(closeReasons.bye);
  signal.addEventListener("abort", goodbye); // also while the login is not answered
  try {
    const hello = parts.begins(connection);
    if (signal.aborted) goodbye();
    const { ended } = await connection.enter(hello, parts.receiver);
    const cancelRenewal = clock.after(renewalMs, () => connection.close(closeReasons.renewal));
    const stopPrekeys = parts.publishing.keepFresh(connection);
    try {
      await parts.settleIn(connection);
    } catch (error) {
      if (!(error instanceof LinkLost)) {
        goodbye();
        throw error;
      }
    }
    const end = await ended;
    cancelRenewal();
    stopPrekeys();
    if (!signal.aborted) showEnd(parts, end);
    return end.how !== "fault";
  } finally {
    signal.removeEventListener("abort", goodbye);
    parts.ends();
  }
}

/** What WELCOME says of accounts and of the time. @returns whether the server has accounts */
export function welcomed(
  { view, login, profile, ...parts }: Pick<SessionParts, "view" | "login" | "profile" | "clock">,
  message: MessageOf<"WELCOME">,
): boolean {
  const hasAccounts = (message.flags & welcomeFlags.accounts) !== 0;
  if (hasAccounts) {
    if (login.isRegistering) view.notice(`You are registered as ${profile.name}.`);
    login.accepted();
    return true;
  }
  warnOfClock({ view, ...parts }, message);
  if (login.isRegistering) {
    view.notice("This server has no accounts; nothing was registered.");
    login.accepted();
  }
  return false;
}

function warnOfClock(
  { view, clock }: Pick<SessionParts, "view" | "clock">,
  { time }: MessageOf<"WELCOME">,
): void {
  const text = clockWarning(seconds(clock) - time);
  if (text !== null) view.warning(text);
}

function showStep(view: Audience, step: string): void {
  if (step === "connected") {
    view.progress("Connected successfully.");
    view.progress("Exchanging keys.");
  } else if (step === "awaiting M2") view.progress("Getting public key from the server");
  else if (step === "awaiting R4") view.progress("Sending public key to server");
  else if (step === "done") view.progress("Exchange completed!");
}

/** @throws Refused when the server does not want us back */
function showEnd({ view, profile, token }: SessionParts, end: LinkEnd): void {
  if (end.how === "peer closed") {
    const refusal = refusedBy(end.reason, { name: profile.name, hadToken: token.length > 0 });
    if (!isTransient(refusal)) throw refusal;
    view.warning(`${refusal.message}.`);
  } else if (end.how === "silent") view.warning("The server has gone silent.");
  else if (end.how === "closed") view.notice("Renewing the connection.");
  else if (end.how === "fault") view.warning("The server broke the protocol; the connection is ended.");
  else view.warning("The connection was cut.");
}

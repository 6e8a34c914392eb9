/** What can go wrong between a client and its server, each as a sentence and a hint. */

import { command } from "../../program.ts";
import { ChatError, exitCodes } from "../../errors.ts";
import { closeReasons, errorCodes } from "../../protocol/channel/link_messages.ts";

/** The server cannot be reached, or the connection is over. */
export class Unreachable extends ChatError {
  /** Exit code 3. */
  constructor(message: string, hint: string) {
    super(message, hint, exitCodes.unreachable);
  }
}

/** A connection came about, and the handshake failed: a hostile server gets few of those. */
export class HandshakeBroken extends Unreachable {}

/** The other end closed before its card came: no chat server, or one that is too busy to hear anybody. */
export class TurnedAwayUnheard extends HandshakeBroken {
  /** @param target `host:port` */
  constructor(target: string) {
    super(
      `What answers at "${target}" is not a chat server, or turned us away unheard`,
      "check the port, and whether it needs --tls; if it is the right one, wait a minute: it may have too many " +
        "connections from here",
    );
  }
}

/** The server said in CLOSE why it does not let us in or go on. */
export class Refused extends ChatError {
  /** @param reason as in CLOSE */
  constructor(readonly reason: number, message: string, hint: string, exitCode: number) {
    super(message, hint, exitCode);
  }
}

/** An error of dialling, by what the system said. @param target `host:port` */
export function dialError(target: string, host: string, error: unknown): Unreachable {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof Deno.errors.ConnectionRefused) {
    return new Unreachable(
      `Nothing answers at "${target}": the connection was refused`,
      `check host and port, and that "${command("serve")}" runs there`,
    );
  }
  if (/lookup|resolve|No such host|Name or service|nodename/i.test(text)) {
    return new Unreachable(`There is no host "${host}"`, "check the spelling, or give its address");
  }
  if (error instanceof Deno.errors.TimedOut) return timedOut(target);
  if (/unreachable/i.test(text)) {
    return new Unreachable(`"${target}" cannot be reached from here`, "check the network and the address");
  }
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return new Unreachable(`The system does not allow a connection to "${target}"`, "check the firewall");
  }
  return new Unreachable(
    `Cannot connect to "${target}": ${text.replace(/ \(os error \d+\)/, "")}`,
    "check host and port",
  );
}

/** Nobody answered in time. */
export function timedOut(target: string): Unreachable {
  return new Unreachable(
    `"${target}" does not answer: timed out`,
    "check host and port, and that no firewall is between",
  );
}

/** What answers does not speak our protocol, or failed it silently, as both sides must. */
export function notChat(target: string, beforeCard: boolean): HandshakeBroken {
  return beforeCard
    ? new HandshakeBroken(
      `What answers at "${target}" is not a chat server`,
      "check the port, and whether it needs --tls",
    )
    : new HandshakeBroken(
      `The handshake with "${target}" failed`,
      "try again in a minute; if it goes on, something between you and the server changes what you send",
    );
}

/** Who was refused, as far as the words depend on it. */
export interface Refusee {
  /** The name on the card. */
  readonly name: string;
  /** Whether an access token was given. */
  readonly hadToken: boolean;
  /** Whether an account was to be made. */
  readonly isRegistering?: boolean;
}

/** CLOSE in place of WELCOME, or later. */
export function refusedBy(reason: number, { name, hadToken, isRegistering }: Refusee): Refused {
  const login = exitCodes.login;
  const make = (message: string, hint: string, code: number = exitCodes.unreachable) =>
    new Refused(reason, message, hint, code);
  switch (reason) {
    case closeReasons.nameTaken:
      return make(
        `The name "${name}" belongs to somebody else on this server, or your key is known by another name`,
        "choose another name with -u NAME",
        login,
      );
    case closeReasons.accessToken:
      return hadToken
        ? make("The server refused the access token", "ask the operator for the one in use", login)
        : make("This server wants an access token", "give it with --token-file FILE", login);
    case closeReasons.putOut:
      return make("The operator has put you out", "ask the operator of the server", login);
    case closeReasons.loginRefused:
      return isRegistering
        ? make(
          `The server did not register "${name}"`,
          "the name may be taken, the token wrong or used up; with an account, join without --register",
          login,
        )
        : make(
          `The server refused the login of "${name}"`,
          "check name and password (ten failures close the door for ten minutes); without an account, join with " +
            "--register; with a new key, ask the operator to RELEASE the old one",
          login,
        );
    case closeReasons.inUse:
      return make(`"${name}" is logged in elsewhere`, "leave there first", login);
    case closeReasons.tryLater:
      return make("The server cannot keep anything, or check logins, at the moment", "try again in a minute");
    case closeReasons.replaced:
      return make(
        `"${name}" has connected from elsewhere, and this connection was ended`,
        "use one terminal at a time for one name, or choose another name here",
        exitCodes.failed,
      );
    case closeReasons.shutdown:
      return make("The server is shutting down", "wait for it to come back");
    case closeReasons.tooSlow:
      return make("The server ended the connection: it could not send fast enough", "check your network");
    case closeReasons.limit:
      return make(
        "The server has as many people as it takes now, or many that are new to it from where you are",
        "try again in a minute, and in an hour if you have not been there before; its operator can raise --max-links, " +
          "--max-links-per-address and --identities-per-hour",
      );
    default:
      return make("The server ended the connection", "join again");
  }
}

/** The server answered a request with an error code. */
export class RequestRefused extends ChatError {
  /** @param code one of {@link errorCodes} */
  constructor(readonly code: number) {
    const name = Object.entries(errorCodes).find(([, value]) => value === code)?.[0] ?? String(code);
    super(`The server refused a request: ${name}`, "try again");
  }
}

/** The link went away while a request waited. */
export class LinkLost extends Unreachable {
  /** The caller starts over after reconnecting. */
  constructor() {
    super("The connection was cut", "it is tried again");
  }
}

/** The server timed out while the person was typing a password; the next connection uses what was typed. */
export class AskedTooLong extends LinkLost {}

const transientReasons: readonly number[] = [
  closeReasons.shutdown,
  closeReasons.tooSlow,
  closeReasons.limit,
  closeReasons.renewal,
  closeReasons.tryLater,
];

/** None of several addresses has let us in. @param text of all @param last what the last one said */
export function nowhere(text: string, last: ChatError): ChatError {
  return new Unreachable(`Nobody can be joined at any of ${text}; the last said: ${last.message}`, last.hint);
}

/** Whether dialling again can help. */
export function isTransient(error: ChatError): boolean {
  return error instanceof Refused ? transientReasons.includes(error.reason) : error instanceof Unreachable;
}

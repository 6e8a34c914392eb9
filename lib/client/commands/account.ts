/** Account commands: /password and /release, for logged-in users (protocol §8.4). */

import { ChatError, exitCodes } from "../../errors.ts";
import { errorCodes, type LinkMessage } from "../../protocol/channel/link_messages.ts";
import type { ChatApi } from "./chat_api.ts";
import type { Connection } from "../connection/connection.ts";
import { LinkLost, RequestRefused } from "../connection/connection_errors.ts";

/** Another password: the old one is asked for, then the new one twice. */
export async function changePassword(chat: ChatApi): Promise<void> {
  const connection = loggedIn(chat);
  const { login } = chat;
  const unchanged = "the password is as it was";
  const old = await login.ask("Password until now: ").catch(cancelled);
  if (!old) return chat.view.notice(`Nothing was done; ${unchanged}.`);
  const next = await login.askNew("New password").catch(cancelled);
  if (!next) return chat.view.notice(`Nothing was done; ${unchanged}.`);
  await request(connection, (ref) => ({ type: "PASSWORD", ref, old, next }), unchanged);
  login.changed(next);
  chat.view.notice("The password is changed.");
}

/** Frees the account for another key, and goes: with this key it would be bound again at once. */
export async function releaseKey(chat: ChatApi): Promise<void> {
  const connection = loggedIn(chat);
  const question = "Your next login, from whatever key, will own this account. Go on?";
  if (!await chat.questions.ask(question)) return chat.view.notice("Nothing was done.");
  const password = await chat.login.ask("Password: ").catch(cancelled);
  if (!password) return chat.view.notice("Nothing was done.");
  await request(connection, (ref) => ({ type: "RELEASE", ref, password }), "the account is yours as before");
  chat.view.notice(
    "The account waits for its next login, from any key. In rooms you are still known by this one.",
  );
  chat.quit();
}

function loggedIn(chat: ChatApi): Connection {
  const { connection } = chat;
  if (!connection) throw new LinkLost();
  if (!chat.hasAccount) throw new ChatError("This server has no accounts", "there is nothing to change");
  if (!chat.view.interactive) {
    throw new ChatError("A password is asked for on a terminal only", "run it there");
  }
  return connection;
}

function cancelled(error: unknown): null {
  if (error instanceof ChatError && error.exitCode === exitCodes.interrupted) return null;
  throw error;
}

async function request(
  connection: Connection,
  build: (ref: number) => LinkMessage,
  unchanged: string,
): Promise<void> {
  try {
    await connection.request(build, "DONE");
  } catch (error) {
    if (error instanceof LinkLost) {
      throw new ChatError(
        "The connection was cut before the server answered: it may have been done, or not",
        "at the next login try the new password first, then the old one",
      );
    }
    if (!(error instanceof RequestRefused)) throw error;
    if (error.code !== errorCodes.DENIED) {
      throw new ChatError(
        "The server cannot do that at the moment; it may still be done when its database answers again",
        "try again in a minute, and if your password is refused then, with the other one",
      );
    }
    throw new ChatError(
      `The server refused: the password is wrong; ${unchanged}`,
      "ten failures close the door for ten minutes",
    );
  }
}

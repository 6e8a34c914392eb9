/**
 * Login: what a person is asked for where the server has accounts, and what is kept of it for the run (protocol
 * §8.4): after a cut nobody wants to type it again.
 */

import type { Bytes } from "../../crypto/bytes.ts";
import { ChatError, exitCodes, inWords } from "../../errors.ts";
import { type MessageOf, welcomeFlags } from "../../protocol/channel/link_messages.ts";
import { BadPassword, encodePassword, minPasswordCharacters } from "../../protocol/identity/password.ts";
import type { Credentials } from "./connection.ts";

const askedAgain = 2;

/** What the command line says of it. */
export interface LoginOptions {
  /** Make an account. */
  readonly register: boolean;
  /** From a file; null: ask. */
  readonly password: string | null;
  /** The registration token, from a file; null: ask where one is needed. */
  readonly registrationToken: string | null;
}

/** The person, if there is one. */
export interface Asked {
  /** Whether somebody is there. */
  readonly interactive: boolean;
  /** Asks without showing the answer. */
  secret(question: string): Promise<string | null>;
  /** Says what was wrong. */
  warning(text: string): void;
}

/** The login of one run. */
export class Login {
  #password: Bytes | null = null;
  #token: Bytes | null = null;
  #isRegistered = false;
  #refusals = 0;

  /** @param name on our card */
  constructor(
    private readonly name: string,
    private readonly options: LoginOptions,
    private readonly person: Asked,
  ) {}

  /** Whether the next login makes an account. */
  get isRegistering(): boolean {
    return this.options.register && !this.#isRegistered;
  }

  /** What to log in with. @throws ChatError when the server takes no accounts, or nobody is there to say */
  async credentials({ flags }: Pick<MessageOf<"WELCOME">, "flags">): Promise<Credentials> {
    const isOpen = (flags & welcomeFlags.registrationOpen) !== 0;
    const needsToken = (flags & welcomeFlags.registrationToken) !== 0;
    if (!this.isRegistering) return { password: await this.#known(false), token: null };
    if (!isOpen && !needsToken) {
      throw new ChatError(
        "This server takes no new accounts",
        "ask its operator; with an account, join without --register",
        exitCodes.login,
      );
    }
    if (needsToken) this.#token ??= await this.#askToken();
    return { password: await this.#known(true), token: this.#token ?? new Uint8Array(0) };
  }

  async #known(isNew: boolean): Promise<Bytes> {
    const { password } = this.options;
    if (!this.#password && password !== null) this.#password = encodePassword(password);
    return this.#password ??= isNew
      ? await this.askNew(`New password for ${this.name}`)
      : await this.ask(`Password of ${this.name}: `);
  }

  async #askToken(): Promise<Bytes> {
    const { registrationToken } = this.options;
    const typed = registrationToken ??
      await this.#secret("Registration token: ", "--registration-token-file");
    const token = new TextEncoder().encode(typed.trim());
    if (token.length <= 255) return token;
    throw new ChatError("The registration token is too long", "it has at most 255 bytes", exitCodes.login);
  }

  /** Asks for an existing password until it can be one. @throws ChatError when nobody says it */
  ask(question: string): Promise<Bytes> {
    const ask = () => this.#secret(question, "--password-file");
    return this.#untilGood(ask, "That is not it: every password has at least 10 characters.");
  }

  /** Asks for a new password, twice. @throws ChatError when nobody says it */
  askNew(question: string): Promise<Bytes> {
    const flag = "--password-file";
    return this.#untilGood(async () => {
      const first = await this.#secret(`${question} (at least ${minPasswordCharacters} characters): `, flag);
      encodePassword(first); // before it is typed again for nothing
      if (await this.#secret("The same again: ", flag) !== first) throw new BadPassword("The two differ");
      return first;
    });
  }

  async #untilGood(ask: () => Promise<string>, why?: string): Promise<Bytes> {
    for (;;) {
      try {
        return encodePassword(await ask());
      } catch (error) {
        if (!(error instanceof BadPassword)) throw error;
        this.person.warning(why ?? inWords(error));
      }
    }
  }

  async #secret(question: string, flag: string): Promise<string> {
    const typed = this.person.interactive ? await this.person.secret(question) : null;
    if (typed !== null) return typed;
    if (this.person.interactive) {
      throw new ChatError(
        "The question was not answered, and nothing was sent",
        "join again when you have it at hand",
        exitCodes.interrupted,
      );
    }
    const what = flag === "--password-file" ? "a password" : "a registration token";
    throw new ChatError(`This server wants ${what}`, `give it with ${flag} FILE`, exitCodes.login);
  }

  /** The server has let us in. */
  accepted(): void {
    this.#isRegistered = true;
    this.#refusals = 0;
  }

  /** The server has refused what was typed. @returns whether to ask the person again */
  refused(): boolean {
    const wasTyped = this.options.password === null && this.person.interactive;
    if (!wasTyped || this.isRegistering || ++this.#refusals > askedAgain) return false;
    this.#password = null;
    return true;
  }

  /** The password is another one from now on. */
  changed(password: Bytes): void {
    this.#password = password;
  }
}

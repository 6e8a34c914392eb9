/**
 * SignIn: what stands between WELCOME and the rooms on a server with accounts (protocol §8.4).
 *
 * The first message must be LOGIN or REGISTER, within 60 s. Passwords are overwritten as soon as they are checked.
 * An account has one link: a second one is refused if the first answers within 3 s, and replaces it otherwise.
 */

import type { Clock } from "../../clock.ts";
import { Malformed } from "../../errors.ts";
import { encodeHex } from "../../hex.ts";
import type { Card } from "../../protocol/identity/card.ts";
import type { Link } from "../../protocol/channel/link.ts";
import { closeReasons, type LinkMessage, type MessageOf } from "../../protocol/channel/link_messages.ts";
import { skeleton } from "../../protocol/identity/name.ts";
import type { Accounts, Verdict } from "../accounts/accounts.ts";
import { type Account, AccountsUnavailable } from "../accounts/store.ts";
import type { ServerEvents } from "../events.ts";
import { alone, type Others } from "../others.ts";
import type { Peer } from "../rooms/peer.ts";

const signInMs = 60_000;
const aliveMs = 3_000;

/** One link that wants in. */
export interface LoginAttempt {
  /** Its link. */
  readonly link: Link;
  /** Whom the handshake has proved. */
  readonly card: Card;
  /** From where, as limits count it. */
  readonly address: string;
  /** Whether the name is nobody else's here. */
  isFree(): boolean;
  /** Whether this identity is linked to another server that shares the rooms, and alive there. */
  isElsewhere(): Promise<boolean>;
  /** Keeps whose the name is. @returns false when that is not possible: the link is closed */
  bind(): Promise<boolean>;
  /** It is in, and has been told. @param isNew it has just registered */
  enter(isNew: boolean): void;
}

/** What a login says, until it is in. */
export interface LoginSession {
  /** Takes one message. @throws Malformed: the link must end */
  receive(message: LinkMessage): void;
  /** The link is over. */
  left(): void;
}

/** Shared by all links of a server. */
export class SignIn {
  /** Which link each account has, by skeleton; before ACCEPTED it cannot be told anything. */
  #links = new Map<string, { readonly link: Link; isIn: boolean }>();
  #isDown = false;

  /** @param accounts of the server */
  constructor(
    readonly accounts: Accounts,
    private readonly clock: Clock,
    private readonly events: ServerEvents,
    private readonly others: Others = alone,
  ) {}

  /** Waits for LOGIN or REGISTER. */
  receive(attempt: LoginAttempt): LoginSession {
    const { link } = attempt;
    const cancel = this.clock.after(signInMs, () => link.close(closeReasons.bye));
    let isAsked = false;
    return {
      receive: (message) => {
        if (isAsked || (message.type !== "LOGIN" && message.type !== "REGISTER")) {
          throw new Malformed("this is not the time for anything but one LOGIN or REGISTER");
        }
        isAsked = true;
        cancel();
        this.#judge(attempt, message).catch((error) => {
          this.events.tell({ type: "bug", error });
          link.drop();
        });
      },
      left: () => {
        cancel();
        const account = skeleton(attempt.card.name);
        if (this.#links.get(account)?.link === link) this.#links.delete(account);
      },
    };
  }

  async #judge(attempt: LoginAttempt, message: MessageOf<"LOGIN"> | MessageOf<"REGISTER">): Promise<void> {
    const { link, card } = attempt;
    const verdict = await this.#available(attempt, message);
    message.password.fill(0);
    if (link.isOver || verdict === null) return;
    if (typeof verdict !== "object") {
      const why = verdict === "in use" ? "in use elsewhere" : "login refused";
      this.events.tell({ type: "refused", name: card.name, id: card.id, why, remote: attempt.address });
      return link.close(verdict === "in use" ? closeReasons.inUse : closeReasons.loginRefused);
    }
    if (!await attempt.bind() || link.isOver) return;
    link.send({ type: "ACCEPTED", ref: message.ref });
    const held = this.#links.get(skeleton(card.name));
    if (held?.link === link) held.isIn = true;
    attempt.enter(verdict.isNew);
  }

  async #available(
    attempt: LoginAttempt,
    message: MessageOf<"LOGIN"> | MessageOf<"REGISTER">,
  ): Promise<Verdict | null> {
    const { link, card, address } = attempt;
    return await this.#whileAvailable(
      () =>
        this.accounts.enter({
          cardName: card.name,
          name: new TextDecoder().decode(message.name),
          password: message.password,
          token: message.type === "REGISTER" ? message.token : null,
          identity: card.id,
          address,
          isWanted: () => !link.isOver,
          isFree: () => attempt.isFree(),
          claim: (account) => this.#claim(account, attempt),
        }),
      () => link.close(closeReasons.tryLater),
      () => link.drop(),
    );
  }

  /** Runs what needs the store; the operator hears once that it is gone, and once that it is back. */
  async #whileAvailable<T>(
    act: () => Promise<T>,
    unavailable: () => void,
    bug: () => void,
  ): Promise<T | null> {
    try {
      const result = await act();
      if (this.#isDown) this.events.tell({ type: "accounts back" });
      this.#isDown = false;
      return result;
    } catch (error) {
      if (error instanceof AccountsUnavailable) {
        if (!this.#isDown) this.events.tell({ type: "accounts failed", error });
        this.#isDown = true;
        unavailable();
      } else {
        this.events.tell({ type: "bug", error: error as Error });
        bug();
      }
      return null;
    }
  }

  async #claim(account: string, { link, address, isElsewhere }: LoginAttempt): Promise<boolean> {
    if (await isElsewhere()) return false;
    const first = this.#links.get(account);
    if (first && first.link !== link && await first.link.answers(aliveMs)) {
      if (first.isIn) {
        first.link.send({
          type: "NOTICE",
          text: `Somebody with your key and your password tried to log in from ${address} and was refused, ` +
            "because you are in.",
        });
      }
      return false;
    }
    if (link.isOver) return false;
    if (first && first.link !== link) first.link.close(closeReasons.replaced);
    this.#links.set(account, { link, isIn: false });
    return true;
  }

  /** PASSWORD and RELEASE of somebody who is in. @returns whether it was one of them */
  request(peer: Peer, address: string, message: LinkMessage): boolean {
    if (message.type !== "PASSWORD" && message.type !== "RELEASE") return false;
    const { name } = peer.card;
    const { ref } = message;
    void this.#whileAvailable(
      async () => {
        const isDone = message.type === "PASSWORD"
          ? await this.accounts.changePassword(name, message.old, message.next, address)
          : await this.accounts.releaseOwn(name, message.password, address);
        if (isDone) peer.send({ type: "DONE", ref, info: 0 });
        else peer.refuse(ref, "DENIED");
      },
      () => peer.refuse(ref, "LIMIT"),
      () => peer.link.drop(),
    ).finally(() => {
      const secrets = message.type === "PASSWORD" ? [message.old, message.next] : [message.password];
      for (const secret of secrets) secret.fill(0);
    });
    return true;
  }

  /** The same, also at servers that share the rooms. @returns whether there was one at any */
  putOutEverywhere({ skeleton, binding: { identity } }: Pick<Account, "skeleton" | "binding">): boolean {
    const isElsewhere = identity !== null && this.others.linkOf(encodeHex(identity)) !== undefined;
    this.others.putOut("account", skeleton);
    return this.putOut(skeleton) || isElsewhere;
  }

  /** Ends an account's link: it is not welcome any more. @returns whether there was one */
  putOut(account: string): boolean {
    const held = this.#links.get(account);
    held?.link.close(closeReasons.putOut);
    return held !== undefined;
  }
}

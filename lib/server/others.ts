/**
 * Others: the servers that share this one's rooms, as far as they are there now: who is linked to them, and what is
 * asked of them. Nothing that must last goes this way, only presence and commands; a server alone has none.
 */

import type { Bytes } from "../crypto/bytes.ts";

/** A link that this server has, as the others may know of it. */
export interface OwnLink {
  /** Whose: 32 bytes. */
  readonly id: Bytes;
  /** From where, `host:port`. */
  readonly address: string;
  /** Key-file rooms that it has joined, by id in hex. */
  readonly rooms: readonly string[];
  /** 16 bytes that tell it apart from others of the same identity. */
  readonly claim: Bytes;
}

/** A link of another server. */
export interface OtherLink extends OwnLink {
  /** Which server, as people know it. */
  readonly server: string;
}

/** Another server. */
export interface OtherServer {
  /** As people know it. */
  readonly name: string;
  /** People linked there. */
  readonly linked: number;
  /** Messages that it has stored and shown since it was started. */
  readonly messages: number;
  /** Entries of the log that it has applied. */
  readonly applied: number;
}

/** What the others ask of this one, and tell it. */
export interface OthersHost {
  /** All links that it has. */
  ownLinks(): Iterable<OwnLink>;
  /** One of them, by id in hex. */
  ownLink(key: string): OwnLink | undefined;
  /** How many are linked. */
  readonly linked: number;
  /** Messages that it has stored and shown. */
  readonly messages: number;
  /** Somebody is linked elsewhere, or has joined or left key-file rooms there. @param before undefined: was not there */
  changedElsewhere(id: Bytes, before: OtherLink | undefined, now: OtherLink | undefined): void;
  /** The operator has put somebody out. @param by what: an identity in hex, or an account's skeleton */
  putOut(by: "identity" | "account", what: string): void;
  /** The operator's words, for everybody. */
  notice(text: string): void;
  /** Whether somebody's link gives a sign of life in time. */
  answers(key: string): Promise<boolean>;
}

/** See above. */
export interface Others {
  /** Whether there can be any. */
  readonly isAlone: boolean;
  /** Begins to hear of them, and to tell them. */
  begin(host: OthersHost): void;
  /** Something about somebody's link here has changed. @param key id in hex */
  changed(key: string): void;
  /** Where somebody is linked beside here; undefined: nowhere. @param key id in hex */
  linkOf(key: string): OtherLink | undefined;
  /** Whether that very link of hers is at another server. */
  hasLink(key: string, claim: Bytes): boolean;
  /** All links of the others. */
  links(): Iterable<OtherLink>;
  /** The others. */
  servers(): readonly OtherServer[];
  /** Puts somebody out there. */
  putOut(by: "identity" | "account", what: string): void;
  /** Shows everybody there the operator's words. */
  notice(text: string): void;
  /** Whether somebody's link at another server gives a sign of life in time. */
  answers(key: string): Promise<boolean>;
}

/** Of a server that shares its rooms with nobody. */
export const alone: Others = {
  isAlone: true,
  begin() {},
  changed() {},
  linkOf: () => undefined,
  hasLink: () => false,
  links: () => [],
  servers: () => [],
  putOut() {},
  notice() {},
  answers: () => Promise.resolve(false),
};

/**
 * Request costs: what each message makes the server do, in microseconds of its work (protocol §12), whether it is
 * granted or refused: an invalid signature costs as much as a valid one. What an entry costs by being shown to many is
 * paid where it is shown.
 */

import type { LinkMessage } from "../../protocol/channel/link_messages.ts";
import { maxViewLag } from "../../protocol/group/history.ts";

// Measured, and rounded up: a slower machine or a cold cache must not make them too low.

/** Opening and taking apart a record. */
const recordUs = 20;
const perKibibyteUs = 4;
const pingUs = 3;
/** Anything that is asked: its place in the order, and its answer. */
const requestUs = 15;
/** A row that is read. */
const lookupUs = 5;
/** A card, prekey or box that is sent, of about a kibibyte. */
const answeredUs = 10;
/** A signature that is checked. */
const signatureUs = 80;
/** Rows that are written, and their share of a flush. */
const writeUs = 200;
/** A member in a roster that is checked, with its box. */
const memberUs = 20;
/** The fewest bytes of a member in a commit. */
const memberBytes = 70;

/** An entry, or news, that is handed to one more stream. */
export const fanOutUs = 10;

/** What it costs to read entries from the log once more for the same link. @param bytes of them */
export function costOfRereading(entries: number, bytes: number): number {
  return 20 * entries + 10 * bytes / 1024;
}

/** What it costs to look for a message among those that its sender had not seen. @param positions of them */
export function costOfSearch(positions: number): number {
  return 2 * Math.min(positions, maxViewLag);
}

/** What is refused because too much is owed. */
export const refusedUs = requestUs;

/** Whether a message is refused when too much is owed: SEND, COMMIT and chunks have rates of their own. */
export function isPutOff(message: LinkMessage): boolean {
  return "ref" in message && message.type !== "SEND" && message.type !== "COMMIT" &&
    message.type !== "BLOB_PUT";
}

/** What a handshake has cost that led to WELCOME: an RSA decryption, and the card. */
export const handshakeUs = 6_000;

/**
 * What a record costs, whatever it holds.
 *
 * @param bytes on the wire
 * @param pings that it holds: the link answers them by itself
 */
export function costOfRecord(bytes: number, pings: number): number {
  return recordUs + perKibibyteUs * bytes / 1024 + pingUs * pings;
}

/** What a message costs beside its record. */
export function costOf(message: LinkMessage): number {
  switch (message.type) {
    case "HELLO":
      return (2 * lookupUs + answeredUs) * message.rooms.length;
    case "ACK":
      return lookupUs;
    case "CARD_GET":
    case "PREKEY_GET":
      return requestUs + (lookupUs + answeredUs) * message.ids.length;
    case "NAME_GET":
    case "BOX_GET":
      return requestUs + lookupUs + answeredUs;
    case "BOX_PUT":
      return requestUs + 2 * lookupUs;
    case "ROOM_FIND":
      return requestUs + 4 * lookupUs;
    case "PREKEY_PUT":
    case "LEAVE":
      return requestUs + signatureUs + writeUs;
    case "JOIN":
      return requestUs + 4 * lookupUs + writeUs;
    case "CHAIN_GET":
      return requestUs + 4 * lookupUs + answeredUs + 2 * signatureUs;
    case "COMMIT":
      return requestUs + signatureUs + writeUs + memberUs * message.commit.length / memberBytes;
    case "BLOB_NEW":
    case "BLOB_DROP":
      return requestUs + writeUs;
    case "SEND":
      return requestUs + writeUs / 4 + 6 * message.message.length / 1024;
    default:
      return requestUs;
  }
}

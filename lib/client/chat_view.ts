/**
 * ChatView: what a chat shows and what a person or program says. The chat knows nothing of terminals, pipes or JSON;
 * lib/ui implements this.
 */

import type { Bytes } from "../crypto/bytes.ts";
import type { ChatError } from "../errors.ts";
import type { KeptMessage, RoomEvent } from "./room_events.ts";
import type { Status } from "./status.ts";

/** Something to be said as it stands, whatever it looks like: what was pasted, or what a program says. */
export interface Said {
  /** One message each. */
  readonly texts: readonly string[];
  /** "/me" */
  readonly action?: boolean;
  /** Each text is a Fernet token, for a key-file room. */
  readonly isToken?: boolean;
  /** A file goes with it, by its whole path: the text is what is said of it, maybe nothing. */
  readonly file?: string;
  /** As it is called, if not as its path ends. */
  readonly fileName?: string;
  /** It is a copy, which goes with it. */
  readonly isSpooled?: boolean;
  /** It is not sent: the copy goes. */
  discardCopy?(): void;
  /** 16 bytes for each text, under which it is said. */
  readonly msgIds?: readonly Bytes[];
  /** All of it was taken: said or refused. */
  taken?(): void;
  /** A room's label; without it, the room on the screen. */
  readonly room?: string;
  /** To this person alone. */
  readonly to?: string;
  /** It waits to be stored, under this message id in hex. */
  pending?(msgId: string): void;
  /** It cannot be said. */
  refused?(error: ChatError): void;
}

/** A line as it was typed elsewhere, and what is to be known of it there. */
export interface Typed {
  /** The line. */
  readonly line: string;
  /** 16 bytes under which it is said, if it is said. */
  readonly msgId: Bytes;
  /** The room that was on the screen when it was typed; null before there was one. */
  readonly room: string | null;
  /** It was taken: said, or done, or refused in words. @param msgIds in hex, of what was said */
  taken(msgIds: readonly string[]): void;
}

/** A file that is to be fetched, or is not to move on. */
export interface FileWish {
  /** What is to become of it. */
  readonly wish: "get" | "cancel";
  /** Of the message that tells of it, in hex. */
  readonly id: string;
  /** Where it is to be saved; without it, where files go. */
  readonly dir?: string;
  /** It cannot be done. */
  refused?(error: ChatError): void;
}

/**
 * A line as it was typed, something to be said as it stands, a wish about a file, or what could not be understood, and
 * has been told.
 */
export type Entered = string | Said | Typed | FileWish | ChatError;

/** One way of showing chats. */
export interface ChatView {
  /** Whether a person is there who can be asked. */
  readonly interactive: boolean;
  /** Whether what is said in other rooms than the one on the screen waits until that room is. */
  readonly holds: boolean;
  /** It shows nothing of what is said: all of it waits for somebody who reads. */
  readonly isBlind?: boolean;
  /** What is entered; ends with the input. */
  lines(): AsyncIterable<Entered>;
  /** Something happened in a room. */
  event(event: RoomEvent): void;
  /** A step on the way in; shown to a person who watches only. */
  progress(text: string): void;
  /** News that are no room's. */
  notice(text: string): void;
  /** Something that the person must know. */
  warning(text: string): void;
  /** An answer to what the person asked for. */
  answer(lines: readonly string[]): void;
  /** Lines that were said before and are kept here, oldest first; never to be taken for new ones. */
  recalled(title: string, lines: readonly KeptMessage[]): void;
  /** Where we are, what waits elsewhere, and what is not as it should be. */
  status(status: Status): void;
  /** A question that the next line answers; null when it is answered. */
  question(text: string | null): void;
  /** Asks for a secret, which is not shown while it is typed. @returns null when nobody is there, or Ctrl+C */
  secret(question: string): Promise<string | null>;
  /** Clears what is on the screen. */
  clear(): void;
  /** Clears the input history. */
  forgetTyped(): void;
  /** Gives the terminal back. */
  close(): void;
}

/** What a chat shows itself on: it neither reads the input nor closes the view, which may have more than one chat. */
export type ChatOutput = Omit<ChatView, "lines" | "close">;

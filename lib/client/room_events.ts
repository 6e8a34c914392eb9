/** What happens in a room, as data for views, not text for the screen. */

/** Who could read a message. */
export interface Readers {
  /** The epoch whose keys it was sealed with. */
  readonly epoch: number;
  /** Names of its members. */
  readonly names: readonly string[];
  /** Those of them who have not shown yet to have the room's key file, without which nothing can be read. */
  readonly unproven?: readonly string[];
}

/** A file that a message tells of. */
export interface SharedFile {
  /** Made harmless: what is shown, and written. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** In hex, of the file itself. */
  readonly sha256: string;
  /** Until when the server keeps it, as it has told its sender, milliseconds since 1970. */
  readonly untilMs: number;
}

/** Somebody said something, or we did and the server has stored it. */
export interface MessageEvent {
  /** What it is. */
  readonly type: "message";
  /** The room's label. */
  readonly room: string;
  /** Name of the sender. */
  readonly from: string;
  /** Id of the sender in hex: what a name's colour, and ignoring, go by. */
  readonly fromId: string;
  /** Whether we said it. */
  readonly own: boolean;
  /** In hex; ties an own line to its pending one. */
  readonly msgId: string;
  /** The sender's clock. */
  readonly timeMs: number;
  /** As it was said: anything may be in it. */
  readonly text: string;
  /** "/me" */
  readonly action: boolean;
  /** It is a file; `text` is what is said of it, maybe nothing. */
  readonly file?: SharedFile;
  /** The server's claim of the sender's address; empty unless the operator shows them. */
  readonly address: string;
  /** The server answers us alone (protocol §8.5): `from` is the server. */
  readonly answer?: boolean;
  /** The Fernet token that it came in, in a key-file room. */
  readonly token?: string;
  /** Its position in the room's log; 0 for an answer. */
  readonly pos: number;
  /** Null where nobody can say: all holders of the key file. */
  readonly readers: Readers | null;
  /** It was held before it is shown. */
  readonly late?: boolean;
}

/** A line as it is kept on this machine. */
export type KeptMessage = Pick<
  MessageEvent,
  "room" | "from" | "fromId" | "msgId" | "timeMs" | "text" | "action" | "pos" | "file"
>;

/** One thing that happened; `room` is the room's name. */
export type RoomEvent =
  | MessageEvent
  /** Somebody said something in a room that is not on the screen; it is shown when that room is. */
  | { readonly type: "held"; readonly room: string; readonly message: MessageEvent }
  /** An own line waits to be stored. */
  | {
    readonly type: "pending";
    readonly room: string;
    readonly from: string;
    readonly msgId: string;
    readonly timeMs: number;
    readonly text: string;
    readonly action: boolean;
  }
  /** An own line was refused for good, or an own file cannot be sent. @param file its name */
  | {
    readonly type: "failed";
    readonly room: string;
    readonly msgId: string;
    readonly why: string;
    readonly file?: string;
  }
  /** A file is on its way. */
  | {
    readonly type: "progress";
    readonly room: string;
    /** In hex, of the message that tells of it. */
    readonly id: string;
    readonly way: "up" | "down";
    readonly name: string;
    /** Bytes: so many of so many. */
    readonly done: number;
    readonly size: number;
    /** Bytes a second; 0 while it is not known. */
    readonly rate: number;
    /** Null while it is not known. */
    readonly leftMs: number | null;
    /** The server does not take it now. */
    readonly isWaiting: boolean;
  }
  /** A file is at its place. */
  | {
    readonly type: "saved";
    readonly room: string;
    readonly id: string;
    readonly name: string;
    readonly path: string;
    readonly size: number;
  }
  /** A file could not be fetched. */
  | {
    readonly type: "download failed";
    readonly room: string;
    readonly id: string;
    readonly name: string;
    readonly why: string;
  }
  /** A file is on its way no more: the person has ended it. */
  | { readonly type: "cancelled"; readonly room: string; readonly id: string }
  /** An own line that waited waits no more, and was not said: not there, or not yet. */
  | { readonly type: "withdrawn"; readonly room: string; readonly msgId: string }
  /** We are in the room and have seen all that was said. */
  | {
    readonly type: "entered";
    readonly room: string;
    readonly members: readonly string[];
    /** A key-file room: those who have spoken, since nobody can say who else holds the key. */
    readonly speakers?: boolean;
  }
  /** What follows was said while we were away. */
  | {
    readonly type: "unread";
    readonly room: string;
    /** It was held: who does not wait for a room to be on the screen has seen it. */
    readonly late?: boolean;
  }
  /** A commit has added somebody; `by` is `who` when it was her own. */
  | {
    readonly type: "added";
    readonly room: string;
    readonly who: string;
    readonly by: string;
    readonly verified: boolean;
  }
  /** A commit has carried out somebody's wish to go, or removed somebody. */
  | {
    readonly type: "removed";
    readonly room: string;
    readonly who: string;
    readonly by: string;
    readonly left: boolean;
  }
  /** The server's claim of who is linked. */
  | {
    readonly type: "presence";
    readonly room: string;
    readonly who: string;
    readonly here: boolean;
    /** A room without a roster: nothing but the server's word stands behind it. */
    readonly isClaim?: boolean;
  }
  /** News in words. */
  | { readonly type: "notice"; readonly room: string; readonly text: string }
  /** Something that the person must know for safety. */
  | { readonly type: "warning"; readonly room: string; readonly text: string };

/** Status: where a person is, in short: what a prompt tells. */

/** One of the rooms. */
export interface RoomStatus {
  /** Its name, or `@NAME`. */
  readonly label: string;
  /** Lines of others that were not shown yet. */
  readonly unread: number;
}

/** All of it. */
export interface Status {
  /** The room on the screen; empty before one is entered. */
  readonly room: string;
  /** What is not as it should be there, in words; empty when all is well. */
  readonly worry: string;
  /** All rooms, as Alt+1 to Alt+9 count them. */
  readonly rooms: readonly RoomStatus[];
  /** No connection: when the next attempt begins, in milliseconds since 1970, or null for now. */
  readonly offline: { readonly retryMs: number | null } | null;
}

/** Before anything is known. */
export const noStatus: Status = { room: "", worry: "", rooms: [], offline: null };

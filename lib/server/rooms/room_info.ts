/** RoomInfo: the body of ROOM_INFO, which begins each stretch of a stream (protocol §11). */

import type { MessageOf } from "../../protocol/channel/link_messages.ts";

/** See above. */
export type RoomInfo = Omit<MessageOf<"ROOM_INFO">, "type" | "ref">;

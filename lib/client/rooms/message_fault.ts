/** MessageFault: in words, why a message changes nothing, whatever the kind of room. */

import type { MessageFault } from "../../protocol/group/effects.ts";
import type { KeyFileFault } from "../../protocol/group/process_key_file.ts";

/** What is told of it. @param name of its sender; empty where that is not known */
export function faultInWords(why: MessageFault | KeyFileFault, name: string): string {
  switch (why) {
    case "no message":
      return "The server sent an entry that is no message.";
    case "no message of this room":
      return "The server sent an entry that is no message of this room.";
    case "another room":
      return "The server put a message of another room here.";
    case "another epoch":
      return "The server kept a message of another epoch.";
    case "another commit":
      return "The server kept a message that belongs to another commit than the one it has shown.";
    case "no member":
      return "The server kept a message of somebody who is not in this room.";
    case "of the server":
      return "The server put words of its own into the room.";
    case "our name":
      return `Somebody with another key speaks as ${name}, which is you; it is not shown.`;
    case "out of order":
      return `A message of ${name} was repeated or out of order, and is not shown.`;
    case "not signed":
      return `A message said to be of ${name} is not signed by ${name}.`;
    case "impossible view":
      return `A message of ${name} claims an impossible view.`;
    case "view of what follows":
      return `A message of ${name} claims to follow what you were not shown.`;
    case "does not open":
      return `A message of ${name} does not open.`;
    case "does not open with the file":
      return `A message of ${name} does not open with your key file.`;
  }
}

/** What is told when the server returns something of ours that this machine does not know. */
export function notOurs(what: "message" | "commit"): string {
  return `The server returned a ${what} of yours that this machine does not know: its state was restored from a ` +
    "backup, or somebody else holds your keys.";
}

/** The audit trail: what each row of the account store means in words, and a row as a line. */

import type { Bytes } from "../../crypto/bytes.ts";
import { fingerprint } from "../../crypto/identity.ts";
import { sanitizeLine } from "../../sanitize.ts";
import { timestamp } from "../../timestamp.ts";
import type { Act, AuditRow, LoginEvent, Registration } from "./store.ts";

/** Who brings stored hashes up to date. */
export const theServer = "(server)";

/** A row of each table, in words. */
export const auditOf = {
  /** A new account. */
  registered(r: Pick<Registration, "name" | "atMs" | "address"> & { tokenHash: unknown }): AuditRow {
    const what = r.tokenHash ? "registered with a token" : "registered";
    return { atMs: r.atMs, by: r.name, what, name: r.name, detail: `from ${r.address}` };
  },
  /** A try to come in. */
  login(
    { atMs, name, outcome, address }: Pick<LoginEvent, "atMs" | "name" | "outcome" | "address">,
  ): AuditRow {
    const what = {
      "logged in": "logged in",
      "refused": "login refused",
      "in use": "login refused: in use",
      "door closed": "login refused: too many failures",
    }[outcome] ?? "login";
    return { atMs, by: name, what, name, detail: `from ${address}` };
  },
  /** Another password. */
  credential(name: string, { by, atMs }: Act): AuditRow {
    const what = by === theServer ? "password hashed anew" : "password changed";
    return { atMs, by, what, name, detail: "" };
  },
  /** Another key, or none. */
  binding(name: string, identity: Bytes | null, { by, atMs }: Act): AuditRow {
    const detail = identity ? `key ${shortKey(identity)}` : "";
    return { atMs, by, what: identity ? "bound to a key" : "released", name, detail };
  },
  /** Disabled or enabled. */
  ban(name: string, disabled: boolean, { by, atMs }: Act): AuditRow {
    return { atMs, by, what: disabled ? "disabled" : "enabled", name, detail: "" };
  },
  /** A registration token. */
  token({ by, atMs }: Act): AuditRow {
    return { atMs, by, what: "token made", name: "", detail: "" };
  },
};

/** The first groups of a key's digits: enough to tell keys apart in a list. */
export function shortKey(identity: Bytes): string {
  return fingerprint(identity).split(" ").slice(0, 3).join(" ");
}

/** One line for the operator; nothing in it can move a cursor. */
export function auditLine({ atMs, by, what, name, detail }: AuditRow): string {
  const who = by === name || by === "" ? "" : `by ${by}`;
  const line = [timestamp(atMs), what, name, who, detail].filter((part) => part !== "").join("  ");
  return sanitizeLine(line);
}

// LogLine: one line of a log as elements. What others say is text, and nothing but text; only http(s) addresses are links,
// shown whole.

import { button, element } from "./elements.js";

/** @typedef {import("../page_messages.ts").LogItem} LogItem */
/** @typedef {Extract<LogItem, { kind: "message" }>} MessageItem */

const colours = 8;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const addresses = /https?:\/\/[^\s<>"'`]+/giu;

/** @param {number} timeMs */
export function dayOf(timeMs) {
  return day.format(timeMs);
}

/** @param {string} text */
export function dayLine(text) {
  return element("li", { class: "day", "aria-live": "off" }, element("span", {}, text));
}

/**
 * A line.
 *
 * @param {LogItem} item
 * @param {((id: string) => void) | null} save fetches a file; null: it is here
 */
export function lineOf(item, save) {
  if (item.kind === "unread") {
    return element(
      "li",
      { class: "unread", "aria-live": "off" },
      element("span", {}, "New since you were away"),
    );
  }
  if (item.kind !== "message") {
    return element("li", { class: item.kind }, element("span", { class: "text", dir: "auto" }, item.text));
  }
  const line = element("li", { class: classOf(item), "aria-description": whole.format(item.timeMs) });
  // What was said by us, or before, is no news to somebody who listens.
  if (item.own || item.isKept) line.setAttribute("aria-live", "off");
  line.append(
    element("time", { datetime: dateTime(item.timeMs), "aria-hidden": "true" }, clock.format(item.timeMs)),
    body(item, save),
  );
  return line;
}

/** @param {MessageItem} item */
function classOf({ own, isKept, action, answer }) {
  const classes = [
    "message",
    own ? "own" : "",
    isKept ? "kept" : "",
    action ? "action" : "",
    answer ? "answer" : "",
  ];
  return classes.filter((each) => each !== "").join(" ");
}

/** @param {number} timeMs */
function dateTime(timeMs) {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/** @param {string} id of a key, in hex */
export function colourOf(id) {
  return `c${(Number.parseInt(id.slice(0, 6), 16) || 0) % colours}`;
}

/**
 * @param {MessageItem} item
 * @param {((id: string) => void) | null} save
 */
function body(item, save) {
  const { from, fromId, text, action, file, address, answer } = item;
  const name = element("bdi", { class: `from ${colourOf(fromId)}` }, answer ? `(${from})` : from);
  const said = element("div", { class: "said" });
  if (address !== "") said.append(element("span", { class: "address" }, `(${address}) `));
  if (action) said.append("* ", name, " ");
  else said.append(name, element("span", { class: "colon" }, file ? " " : ": "));
  if (file) {
    const until = new Date(file.untilMs);
    said.append(
      "sent ",
      element("bdi", { class: "file" }, file.name),
      `, ${file.size}, there until ${until.toLocaleDateString()} `,
    );
    const label = { "aria-label": `Save ${file.name}`, "data-file": item.id };
    if (!save) said.append("(saved)");
    else if (!item.own) said.append(button("Save", () => save(item.id), label));
    if (text.trim() === "") return said;
    said.append(element("br"));
  }
  said.append(textOf(text));
  return said;
}

/** Text with its addresses as links. @param {string} text */
export function textOf(text) {
  const shown = element("span", { class: "text", dir: "auto" });
  let from = 0;
  for (const match of text.matchAll(addresses)) {
    const found = match[0].replace(/[.,;:!?)\]}]+$/u, "");
    const url = URL.parse(found);
    if (!url || !["http:", "https:"].includes(url.protocol) || url.username + url.password !== "") continue;
    shown.append(text.slice(from, match.index));
    // As it will be asked for: a name in other letters shows as what it is.
    shown.append(
      element("a", { href: url.href, rel: "noopener noreferrer", target: "_blank", dir: "ltr" }, url.href),
    );
    from = match.index + found.length;
  }
  shown.append(text.slice(from));
  return shown;
}

// Page: what the program tells, shown; what the person does, told to the program. It keeps no keys and decides nothing.

import { Composer } from "./composer.js";
import { Dialogs } from "./dialogs.js";
import { byId, element } from "./elements.js";
import { Files } from "./files.js";
import { Link } from "./link.js";
import { Log } from "./log.js";
import { Sides } from "./sides.js";

/** @typedef {import("../page_messages.ts").ToPage} ToPage */
/** @typedef {import("../page_messages.ts").WaitingLine} WaitingLine */
/** @typedef {import("../../../client/status.ts").Status} Status */

const quietMs = 5_000;
/** Less than the program takes in one message. */
const mostCharacters = 100_000;

const app = byId("app", HTMLElement);
const away = byId("away", HTMLElement);
const said = byId("said", HTMLElement);
const alarm = byId("alarm", HTMLElement);

/** @type {Status} */
let status = { room: "", worry: "", rooms: [], offline: null };
let isIn = false;
/** Something has happened since the page was loaded. */
let isBegun = false;
let unreadHere = 0;
let toldUnreadMs = 0;

// ---- parts

const link = new Link(heard, linkChanged);
const log = new Log((id) => void link.say({ type: "get", id }), (n) => void link.say({ type: "older", n }));
const composer = new Composer({ enter, complete, page: (way) => log.page(way), told: tell });
const dialogs = new Dialogs({
  answer: (n, yes) => void link.say({ type: "answer", n, yes }),
  line: (line) => void link.say({ type: "line", line }),
  save: (id) => void link.say({ type: "get", id }),
  closed: () => dialogs.isOpen || composer.focus(),
});
const sides = new Sides(
  (room) => void link.say({ type: "switch", room }),
  (person) => dialogs.person(person),
  (name) => void link.say({ type: "line", line: `/join ${name}` }),
);
const files = new Files({
  secret: () => link.secret,
  room: () => status.room,
  isIn: () => isIn && !app.hidden && !dialogs.isOpen,
  cancel: (id) => void link.say({ type: "cancel", id }),
  told: tell,
  failed: (text) => log.add(status.room, { kind: "warning", text }),
});

/** @param {string} text */
function enter(text) {
  if (text.length > mostCharacters) {
    log.add(status.room, {
      kind: "warning",
      text: "That is too long to be said in one piece; it was not sent.",
    });
    return false;
  }
  const isLine = !text.trim().includes("\n");
  return link.say(isLine ? { type: "line", line: text.trim() } : { type: "say", text, room: status.room });
}

/**
 * @param {number} n
 * @param {string} before
 */
function complete(n, before) {
  link.say({ type: "complete", n, before });
}

/** Says something to who listens. @param {string} text */
function tell(text) {
  said.textContent = text;
}

// ---- what is told

/** @param {ToPage} message */
function heard(message) {
  switch (message.type) {
    case "in":
      return begin(message.all);
    case "item":
      return happened(message.room, message.item);
    case "status":
      return showStatus(message.status);
    case "people":
      return showPeople(message.people);
    case "waiting":
      return showWaiting(message.waiting);
    case "moving":
      return files.moving(message.moving);
    case "saved":
      return log.savedIs(message.id);
    case "question":
      return dialogs.question(message.n, message.text, message.about);
    case "secret":
      return showSecret(message.text);
    case "answer":
      return dialogs.answer(message.lines);
    case "found":
      return dialogs.found(message);
    case "older":
      return log.older(message.room, message.items, message.isAll);
    case "completed":
      return composer.completed(message.n, message.from, message.words);
    case "clear":
      return log.clear(message.room);
    case "forgotten":
      return forget();
  }
}

/** Nothing of what was said or typed stays in the page. */
function forget() {
  log.forget();
  composer.forget();
  dialogs.forget();
}

/** @param {import("../page_messages.ts").Snapshot} all */
function begin(all) {
  isBegun = true;
  byId("own-name", HTMLElement).textContent = all.name;
  log.load(all.logs, all.saved);
  showStatus(all.status);
  showPeople(all.people);
  showWaiting(all.waiting);
  files.moving(all.moving);
  dialogs.question(all.questionN, all.question, all.about);
  showSecret(all.secret);
  if (!dialogs.isOpen) composer.focus();
}

/**
 * @param {string} room
 * @param {import("../page_messages.ts").LogItem} item
 */
function happened(room, item) {
  log.add(room, item);
  if (item.kind === "alarm") {
    alarm.append(element("span", {}, `${item.text} `));
    if (alarm.children.length > 3) alarm.firstElementChild?.remove();
  }
  if (item.kind !== "message" || item.own || item.isKept || !document.hidden) return;
  unreadHere++;
  showTitle();
  notify();
}

/** @param {Status} now */
function showStatus(now) {
  const before = status;
  status = now;
  if (document.hidden && unreadOf(now) > unreadOf(before)) notify();
  byId("room-name", HTMLElement).textContent = now.room === "" ? "chat" : now.room;
  const worries = [now.offline ? "not connected; it is tried again" : "", now.worry].filter((text) =>
    text !== ""
  );
  byId("worry", HTMLElement).hidden = worries.length === 0;
  byId("worry-text", HTMLElement).textContent = worries.join(", ");
  if (Boolean(before.offline) !== Boolean(now.offline)) tell(now.offline ? "Not connected" : "Connected");
  sides.rooms(now);
  log.show(now.room);
  composer.show(now.room);
  showTitle();
  tellUnread();
}

/** @param {Status} of */
function unreadOf({ rooms }) {
  return rooms.reduce((sum, { unread }) => sum + unread, 0);
}

/** What waits elsewhere is said at most every few seconds. */
function tellUnread() {
  const waiting = status.rooms.filter(({ label, unread }) => unread > 0 && label !== status.room);
  const now = Date.now();
  if (waiting.length === 0 || now - toldUnreadMs < quietMs) return;
  toldUnreadMs = now;
  tell(waiting.map(({ label, unread }) => `${unread} unread in ${label}`).join(", "));
}

/** @param {import("../../../client/commands/people_here.ts").RoomPeople} people */
function showPeople(people) {
  sides.people(people);
  dialogs.changed(people.changed);
  byId("worry-more", HTMLElement).hidden = people.changed === null;
}

/** @param {readonly WaitingLine[]} waiting */
function showWaiting(waiting) {
  byId("waiting", HTMLElement).hidden = waiting.length === 0;
  byId("waiting-list", HTMLElement).replaceChildren(
    ...waiting.slice(-4).map(({ room, text, failed }) => {
      const where = room === status.room ? "" : `[${room}] `;
      const what = failed ? "refused; /retry sends it again" : "not stored yet";
      return element(
        "li",
        { class: failed ? "failed" : "" },
        element("span", { class: "text", dir: "auto" }, `${where}${text}`),
        element("span", { class: "quiet" }, what),
      );
    }),
  );
}

/** @param {string | null} text asked in the terminal */
function showSecret(text) {
  if (text === null) return isIn ? showAway(null) : undefined;
  showAway({
    title: "A secret is asked for",
    text: `Type it in the terminal, where nobody else reads along: ${text}`,
  });
}

function showTitle() {
  const elsewhere = status.rooms.reduce(
    (sum, { label, unread }) => sum + (label === status.room ? 0 : unread),
    0,
  );
  const unread = unreadHere + elsewhere;
  const room = status.room === "" ? "chat" : `${status.room} – chat`;
  document.title = unread > 0 ? `(${unread}) ${room}` : room;
}

// ---- the link

/**
 * @param {import("./link.js").LinkState} state
 * @param {string} why
 */
function linkChanged(state, why) {
  isIn = state === "in";
  if (isIn) return showAway(null);
  isBegun ||= state !== "connecting";
  if (state === "cut" || state === "connecting") {
    if (!isBegun) return; // "One moment." stands there
    return showAway({
      title: "Not connected",
      text: "The program does not answer. It is tried again; what you have typed stays.",
    });
  }
  // What is shown belongs to the page that is in use; this one is told all again when it is back.
  dialogs.closeAll();
  forget();
  showWaiting([]);
  sides.empty();
  files.moving([]);
  switch (state) {
    case "bad link":
      return showAway({
        title: "This link is not good any more",
        text:
          "A link is good once, and for two minutes. If you have not used it before, somebody else may have: look in " +
          "the terminal. Press Enter there for a new one.",
      });
    case "another page":
      return showAway({
        title: "Another page is in use",
        text: "One page at a time shows this chat.",
        act: { text: "Use this page instead", act: () => link.open(true) },
      });
    case "ended":
      return showAway({
        title: "chat has ended",
        text: why === "" ? "Start it again in the terminal, and open the link that it prints." : why,
      });
  }
}

/** @param {{ title: string, text: string, act?: { text: string, act: () => void } } | null} words */
function showAway(words) {
  app.hidden = words !== null;
  away.hidden = words === null;
  if (words === null) return dialogs.isOpen ? undefined : composer.focus();
  byId("away-title", HTMLElement).textContent = words.title;
  byId("away-text", HTMLElement).textContent = words.text;
  document.title = `${words.title} – chat`;
  const button = byId("away-act", HTMLButtonElement);
  button.hidden = words.act === undefined;
  if (!words.act) return isBegun ? tell(`${words.title}. ${words.text}`) : undefined;
  button.textContent = words.act.text;
  button.onclick = words.act.act;
  button.focus();
}

// ---- telling who looks elsewhere

const notifyButton = byId("notify", HTMLButtonElement);

function showNotify() {
  notifyButton.hidden = !("Notification" in globalThis) || Notification.permission !== "default";
}

/** Without a word of what was said: others may see the screen. */
function notify() {
  if (!("Notification" in globalThis) || Notification.permission !== "granted") return;
  new Notification("chat", { body: "Somebody has written", tag: "chat" });
}

notifyButton.addEventListener("click", async () => {
  await Notification.requestPermission();
  showNotify();
  composer.focus();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unreadHere = 0;
  showTitle();
});

// ---- keys

/** Round the parts of the page, the composer first. */
const regions = [
  () => byId("text", HTMLElement),
  () => byId("log", HTMLElement),
  () => document.querySelector("#room-list [aria-current]") ?? byId("show-rooms", HTMLElement),
  () => document.querySelector("#people-list button") ?? byId("show-people", HTMLElement),
];

/** @param {number} by */
function goRound(by) {
  const at = regions.findIndex((region, i) => {
    const where = ["composer", "log", "rooms", "people"][i];
    return byId(where, HTMLElement).contains(document.activeElement) || region() === document.activeElement;
  });
  for (let i = 1; i <= regions.length; i++) {
    const next = regions[(at + by * i + regions.length * 2) % regions.length]();
    if (!(next instanceof HTMLElement)) continue;
    const isSeen = next.checkVisibility();
    const shows = next.closest("#rooms") ? "show-rooms" : "show-people";
    (isSeen ? next : byId(shows, HTMLElement)).focus();
    return;
  }
}

/** @param {-1 | 1} by */
function nextRoom(by) {
  const { rooms, room } = status;
  const at = rooms.findIndex(({ label }) => label === room);
  const next = rooms[(at + by + rooms.length) % rooms.length];
  if (next && next.label !== room) link.say({ type: "switch", room: next.label });
}

document.addEventListener("keydown", (event) => {
  if (app.hidden || dialogs.isOpen || event.isComposing || event.keyCode === 229) return;
  const { key, altKey, ctrlKey, shiftKey } = event;
  if (altKey && (key === "ArrowUp" || key === "ArrowDown")) nextRoom(key === "ArrowUp" ? -1 : 1);
  else if (ctrlKey && shiftKey && key.toLowerCase() === "f") dialogs.openSearch();
  else if (key === "F6") goRound(shiftKey ? -1 : 1);
  else if (key === "Escape") {
    sides.fold();
    composer.focus();
  } else return;
  event.preventDefault();
});
byId("show-search", HTMLButtonElement).addEventListener("click", () => dialogs.openSearch());
byId("worry-more", HTMLButtonElement).addEventListener("click", () => dialogs.compare());

// ---- begin

showNotify();
link.open();

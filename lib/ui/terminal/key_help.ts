/** What the keys of the prompt do, for the manual page and the README. */

/** Keys, and what they do. */
export const keyHelp: readonly (readonly [keys: string, does: string])[] = [
  ["Enter, Alt+Enter", "say the line; begin another row in the same message"],
  ["Ctrl+A, Ctrl+E, Home, End", "to the beginning and the end"],
  ["Alt+B, Alt+F, Ctrl+Left, Ctrl+Right", "word by word"],
  ["Ctrl+W, Alt+Backspace, Alt+D", "cut back to a blank; a word before; a word after"],
  ["Ctrl+U, Ctrl+K, Ctrl+Y", "cut what is before, what is after; put it back"],
  ["Ctrl+T, Ctrl+_", "exchange two characters; undo"],
  ["Up, Down, Ctrl+P, Ctrl+N", "earlier lines"],
  ["Ctrl+R", "look for an earlier line: again for an older one, Esc to change it, Ctrl+G to give up"],
  ["Tab, Shift+Tab", "complete a command, name or room; the next, the one before"],
  ["Alt+1 to Alt+9", "show a room by its number"],
  ["PageUp, PageDown", "page through what is kept of the room; Esc returns"],
  ["Ctrl+L", "clear the screen"],
  ["Ctrl+C", "clear the line; twice within 5 seconds on an empty line: leave"],
  ["Ctrl+D", "leave, on an empty line; else delete to the right"],
  ["Ctrl+Z", "stop, until fg"],
];

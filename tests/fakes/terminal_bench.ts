/** A terminal view on an emulated terminal, with a person who presses keys. */

import type { KeptMessage, MessageEvent } from "../../lib/client/room_events.ts";
import { noStatus, type Status } from "../../lib/client/status.ts";
import type { Entered } from "../../lib/client/chat_view.ts";
import type { Bell } from "../../lib/ui/bell.ts";
import type { Reflow } from "../../lib/ui/terminal/screen.ts";
import type { TimeStyle } from "../../lib/ui/time_column.ts";
import { TerminalView } from "../../lib/ui/terminal/terminal_view.ts";
import { EmulatedTerminal } from "./emulated_terminal.ts";
import { FakeClock } from "./fake_clock.ts";

export class TerminalBench {
  readonly clock = new FakeClock(new Date(2026, 10, 21, 12, 0, 0).getTime());
  readonly tty: EmulatedTerminal;
  readonly view: TerminalView;
  readonly entered: Entered[] = [];
  readonly remembered: string[] = [];
  readonly switched: number[] = [];
  readonly interrupts: boolean[] = [];
  ended = false;
  completions: readonly string[] = [];
  kept: readonly KeptMessage[] = [];
  #status: Status = { ...noStatus, room: "lobby", rooms: [{ label: "lobby", unread: 0 }] };

  constructor(
    {
      columns = 60,
      rows = 14,
      bell = "mentions",
      colours = false,
      history = [],
      reflow = "all",
      time = "full",
    }: {
      columns?: number;
      rows?: number;
      bell?: Bell;
      colours?: boolean;
      history?: string[];
      reflow?: Reflow;
      time?: TimeStyle | null;
    } = {},
  ) {
    this.tty = new EmulatedTerminal(columns, rows, reflow);
    this.view = new TerminalView({
      tty: this.tty,
      room: "lobby",
      clock: this.clock,
      name: "sam",
      bell,
      colours,
      time,
      history,
      person: {
        interrupt: (again) => {
          this.interrupts.push(again);
          return again;
        },
        says: (line) => !line.startsWith("/"),
        complete: (before) => ({ from: before.search(/\S*$/), words: this.completions }),
        switchTo: (number) => void this.switched.push(number),
        kept: (n) => this.kept.length > 0 ? this.kept.slice(-n) : null,
        entered: (line) => void this.remembered.push(line),
      },
    });
    this.view.status(this.#status);
    void this.#read();
  }

  async #read(): Promise<void> {
    for await (const line of this.view.lines()) this.entered.push(line);
    this.ended = true;
  }

  status(change: Partial<Status>): void {
    this.#status = { ...this.#status, ...change };
    this.view.status(this.#status);
  }
  /** Somebody says something, a second after the last. */
  hears(text: string, over: Partial<MessageEvent> = {}): void {
    this.clock.advance(1000);
    this.view.event(said(text, { timeMs: this.clock.now(), ...over }));
  }
  /** The screen's last rows. */
  async last(n: number): Promise<string[]> {
    return (await this.tty.all()).slice(-n);
  }
}

let count = 0;
export function said(text: string, over: Partial<MessageEvent> = {}): MessageEvent {
  return {
    type: "message",
    room: "lobby",
    from: "ira",
    fromId: "ab".repeat(32),
    own: false,
    msgId: String(++count),
    timeMs: 0,
    text,
    action: false,
    address: "",
    pos: count,
    readers: null,
    ...over,
  };
}

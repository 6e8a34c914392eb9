/** Bars: what was measured as an SVG picture, a panel for each comparison; light and dark by what the reader prefers. */

/** One panel: pairs of bars, now and before, from zero. */
export interface BarPanel {
  /** What it shows, with its unit; less is better unless it says so. */
  readonly name: string;
  /** What each pair is of. */
  readonly pairs: readonly { readonly of: string; readonly now: number; readonly before?: number }[];
}

const width = 760, left = 210, right = 70, barHeight = 13, gap = 8, head = 30;

const style = `<style>
  svg { color-scheme: light dark; font: 12px sans-serif; }
  text { fill: #24292f; } .quiet { fill: #57606a; } .paper { fill: #ffffff; }
  .now { fill: #1f6feb; } .before { fill: #afb8c1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .quiet { fill: #8b949e; } .paper { fill: #0d1117; }
    .now { fill: #58a6ff; } .before { fill: #484f58; }
  }
</style>`;

/** The whole picture. @param title what was measured, and how @param other what the second bar of each pair is */
export function drawBars(title: string, panels: readonly BarPanel[], other = "before"): string {
  let y = 40;
  const drawn = panels.map((panel) => {
    const text = drawPanel(panel, y, other);
    y += heightOf(panel);
    return text;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" role="img" aria-label="${title}">
${style}
<rect class="paper" width="100%" height="100%" rx="6"/>
<text x="16" y="24" font-size="14">${title}</text>
${drawn.join("\n")}
</svg>
`;
}

function heightOf({ pairs }: BarPanel): number {
  return head + pairs.reduce((sum, { before }) => sum + (before === undefined ? 1 : 2) * barHeight + gap, 0);
}

function drawPanel({ name, pairs }: BarPanel, top: number, other: string): string {
  const most = Math.max(...pairs.flatMap(({ now, before = 0 }) => [now, before]));
  const parts = [`<text x="16" y="${top + 16}">${name}</text>`];
  let y = top + head - 4;
  for (const { of, now, before } of pairs) {
    parts.push(`<text class="quiet" x="${left - 8}" y="${y + barHeight - 2}" text-anchor="end">${of}</text>`);
    for (const [kind, value] of [["now", now], ["before", before]] as const) {
      if (value === undefined) continue;
      const length = Math.max(1, (width - left - right) * value / most);
      parts.push(
        `<rect class="${kind}" x="${left}" y="${y}" width="${length.toFixed(1)}" height="${barHeight - 2}"/>`,
        `<text class="quiet" x="${(left + length + 5).toFixed(1)}" y="${y + barHeight - 3}">${shown(value)}${
          kind === "before" ? ` ${other}` : ""
        }</text>`,
      );
      y += barHeight;
    }
    y += gap;
  }
  return parts.join("\n");
}

function shown(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(2)));
}

/** What the rows of a run have for the picture. @param rows medians: kind, label, n, … */
export function panelsOf(rows: readonly string[][]): BarPanel[] {
  const value = (kind: string, label: string, n: string, column: number) => {
    const row = rows.find(([first, second, third]) => first === kind && second === label && third === n);
    return row && Number(row[column]);
  };
  const panel = (name: string, pairs: readonly [string, string, string, number][]): BarPanel => ({
    name,
    pairs: pairs.flatMap(([of, kind, n, column]) => {
      const now = value(kind, "chat", n, column);
      return now === undefined ? [] : [{ of, now, before: value(kind, "before", n, column) }];
    }),
  });
  return [
    panel("100 rooms: CPU of the server for a message, µs", [
      ["five people, one at a time", "small1", "100", 6],
      ["five people, 64 on their way", "small64", "100", 6],
      ["two people, one at a time", "pair1", "100", 6],
      ["two people, 64 on their way", "pair64", "100", 6],
    ]),
    panel("Pasting: CPU of the client for a line, ms", [
      ["100 lines", "paste", "100", 4],
      ["400 lines", "paste", "400", 4],
      ["1,200 lines", "paste", "1200", 4],
    ]),
    panel("10,000 missed messages, verified and shown: a second (more is better)", [
      ["end-to-end room", "catchup-members", "10000", 3],
      ["key-file room", "catchup-key-file", "10000", 3],
    ]),
    panel("From the start of the server to the first WELCOME, ms", [
      ["1,000 stored messages", "logs", "1000", 5],
      ["10,000", "logs", "10000", 5],
      ["100,000", "logs", "100000", 5],
      ["1,000,000", "logs", "1000000", 5],
    ]),
  ].filter(({ pairs }) => pairs.length > 0);
}

/** The same of three servers beside one. @param rows medians: kind, label, rooms, … */
export function clusterPanels(rows: readonly string[][]): BarPanel[] {
  const value = (kind: string, label: string, n: string, column: number) => {
    const row = rows.find(([first, second, third]) => first === kind && second === label && third === n);
    return row && Number(row[column]);
  };
  const loads = [["one at a time", "small1"], ["64 on their way", "small64"], [
    "512 on their way",
    "small512",
  ]];
  const panel = (name: string, column: number): BarPanel => ({
    name,
    pairs: ["1", "1000"].flatMap((rooms) =>
      loads.flatMap(([of, kind]) => {
        const now = value(kind, "three", rooms, column);
        const where = rooms === "1" ? "one room" : "1,000 rooms";
        return now === undefined
          ? []
          : [{ of: `${where}, ${of}`, now, before: value(kind, "one", rooms, column) }];
      })
    ),
  });
  const again = rows.find(([kind]) => kind === "again");
  const leader = rows.find(([kind]) => kind === "leader");
  return [
    panel("Messages a second, people at three servers (more is better)", 3),
    panel("CPU for a message, of all servers and nodes, µs", 6),
    panel("Until all have it, half of them within, µs", 4),
    {
      name: "Seconds until people talk again",
      pairs: [
        ...again
          ? [{ of: "server killed, half within", now: Number(again[3]) / 1000 }, {
            of: "at most",
            now: Number(again[5]) / 1000,
          }]
          : [],
        ...leader
          ? [{ of: "leading node killed, half within", now: Number(leader[5]) / 1000 }, {
            of: "at most",
            now: Number(leader[6]) / 1000,
          }]
          : [],
      ],
    },
  ].filter(({ pairs }) => pairs.length > 0);
}

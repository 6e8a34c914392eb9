/**
 * SizeCurves: what a delivery costs each server as its room grows, as an SVG picture: a panel for each mode, both axes by
 * powers of ten; light and dark by what the reader prefers.
 */

const width = 760, panelWidth = 204, panelHeight = 210, left = 54, top = 56, gap = 42;
const modes = [["lat", "one message at a time"], ["thr", "64 on their way"], [
  "few",
  "the same, of 8 people",
]] as const;
const sizes = [10, 1000] as const, costs = [0.5, 100] as const;

const style = `<style>
  svg { color-scheme: light dark; font: 12px sans-serif; }
  text { fill: #24292f; } .quiet { fill: #57606a; } .paper { fill: #ffffff; } line { stroke: #d0d7de; }
  polyline { fill: none; stroke: #8c959f; stroke-width: 1.5; } .chat { stroke: #1f6feb; stroke-width: 3; }
  text.chat { fill: #1f6feb; stroke: none; font-weight: bold; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .quiet { fill: #8b949e; } .paper { fill: #0d1117; } line { stroke: #30363d; }
    polyline { stroke: #6e7681; } .chat { stroke: #58a6ff; } text.chat { fill: #58a6ff; }
  }
</style>`;

/** The picture. @param rows medians: mode, server, members, …, CPU in microseconds a delivery */
export function drawSizes(title: string, rows: readonly string[][]): string {
  const panels = modes.map(([mode, words], i) => panel(mode, words, rows, left + i * (panelWidth + gap)));
  const tall = top + panelHeight + 44;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${tall}" role="img" aria-label="${title}">
${style}
<rect class="paper" width="100%" height="100%" rx="6"/>
<text x="16" y="24" font-size="14">${title}</text>
${panels.join("\n")}
</svg>
`;
}

function panel(mode: string, words: string, rows: readonly string[][], at: number): string {
  const plot = panelWidth - 66; // names stand at the right
  const x = (n: number) => at + plot * Math.log(n / sizes[0]) / Math.log(sizes[1] / sizes[0]);
  const y = (us: number) => top + panelHeight * (1 - Math.log(us / costs[0]) / Math.log(costs[1] / costs[0]));
  const parts = [`<text x="${at}" y="${top - 10}">${words}</text>`];
  for (const us of [1, 10, 100]) {
    parts.push(
      `<line x1="${at}" x2="${at + plot}" y1="${y(us).toFixed(1)}" y2="${y(us).toFixed(1)}"/>`,
      `<text class="quiet" x="${at - 4}" y="${(y(us) + 4).toFixed(1)}" text-anchor="end">${us} µs</text>`,
    );
  }
  for (const n of [10, 100, 1000]) {
    parts.push(
      `<text class="quiet" x="${x(n).toFixed(1)}" y="${
        top + panelHeight + 16
      }" text-anchor="middle">${n}</text>`,
    );
  }
  parts.push(`<text class="quiet" x="${at}" y="${top + panelHeight + 34}">people in the room</text>`);
  const labels: [number, string][] = [];
  for (const peer of new Set(rows.filter(([kind]) => kind === mode).map(([, name]) => name))) {
    const points = rows.filter((row) => row[0] === mode && row[1] === peer)
      .map((row) => [Number(row[2]), Number(row[6])] as const).toSorted((a, b) => a[0] - b[0]);
    const kind = peer === "chat" ? ` class="chat"` : "";
    parts.push(
      `<polyline${kind} points="${
        points.map(([n, us]) => `${x(n).toFixed(1)},${y(us).toFixed(1)}`).join(" ")
      }"/>`,
    );
    labels.push([y(points.at(-1)![1]), peer]);
  }
  // Names that would stand on each other move apart.
  let free = -Infinity;
  for (const [place, peer] of labels.toSorted((a, b) => a[0] - b[0])) {
    const stands = Math.max(place + 4, free);
    free = stands + 12;
    const kind = peer === "chat" ? "chat" : "quiet";
    parts.push(
      `<text class="${kind}" x="${at + plot + 4}" y="${stands.toFixed(1)}" font-size="11">${peer}</text>`,
    );
  }
  return parts.join("\n");
}

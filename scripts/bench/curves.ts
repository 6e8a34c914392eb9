/** Curves: numbers over minutes as an SVG picture, one panel for each, every axis from zero. */

/** One panel. */
export interface Curve {
  /** What it shows, with its unit. */
  readonly name: string;
  /** Minutes and value, in order. */
  readonly points: readonly (readonly [number, number])[];
}

const width = 760, height = 170, left = 60, right = 20, top = 34, gap = 30;

/** The whole picture. @param title what was measured */
export function drawCurves(title: string, curves: readonly Curve[]): string {
  const panels = curves.map((curve, i) => panel(curve, top + i * (height + gap)));
  const tall = top + curves.length * (height + gap);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${tall}" font-family="sans-serif" ` +
    `font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n` +
    `<text x="${left}" y="20" font-size="14">${title}</text>\n${panels.join("\n")}\n</svg>\n`;
}

function panel({ name, points }: Curve, y: number): string {
  const most = rounded(Math.max(...points.map(([, value]) => value)));
  const minutes = Math.max(...points.map(([minute]) => minute));
  const plot = { width: width - left - right, height: height - 34 };
  const x = (minute: number) => left + minute / minutes * plot.width;
  const at = (value: number) => y + 20 + plot.height * (1 - value / most);
  const line = points.map(([minute, value]) => `${x(minute).toFixed(1)},${at(value).toFixed(1)}`).join(" ");
  const ticks = [0, most / 2, most].map((value) =>
    `<line x1="${left}" x2="${width - right}" y1="${at(value)}" y2="${at(value)}" stroke="#ddd"/>` +
    `<text x="${left - 6}" y="${at(value) + 4}" text-anchor="end">${Number(value.toPrecision(3))}</text>`
  );
  return [
    `<text x="${left}" y="${y + 12}">${name}</text>`,
    ...ticks,
    `<polyline points="${line}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>`,
    `<text x="${width - right}" y="${y + height}" text-anchor="end">${minutes.toFixed(0)} min</text>`,
  ].join("\n");
}

/** The next larger of 1, 2, 5, 10, 20 …: axes end at round numbers. */
function rounded(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value)!;
}

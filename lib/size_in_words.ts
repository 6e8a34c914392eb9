/** SizeInWords: a number of bytes, as people read it: decimal units, three digits at most. */

const units = ["bytes", "kB", "MB", "GB", "TB"] as const;

/** As `12.3 MB`; `1 byte`. */
export function sizeInWords(bytes: number): string {
  if (bytes === 1) return "1 byte";
  let value = bytes, unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Timestamps as both sides show them. */

/** The end of the year 9999, in milliseconds since 1970. */
const latestMs = 253_402_300_799_999;

/** A time that somebody else claims, as one that can be shown. @param timeMs milliseconds since 1970 */
export function shownTime(timeMs: number): number {
  return Math.min(Math.max(0, timeMs), latestMs);
}

/** Local time as `2026-11-21 09:35:24`. @param timeMs milliseconds since 1970 */
export function timestamp(timeMs: number): string {
  const d = new Date(timeMs);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ` +
    `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A local day as `2 Dec`. @param timeMs milliseconds since 1970 */
export function dayInWords(timeMs: number): string {
  const d = new Date(shownTime(timeMs));
  return `${d.getDate()} ${months[d.getMonth()]}`;
}

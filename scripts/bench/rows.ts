/** Rows: what measurements print, their medians over several runs, and tables that people can read. */

/** The columns of each kind of row; `peer` and `n` come first in those that are per server and size. */
export const columns: Record<string, string> = {
  join: "peer n cipher login/s login_cpu_ms join/s join_cpu_ms rss0_kB rss_kB kB/member",
  lat: "peer n deliv/s p50_us p99_us cpu_us/deliv srv_cpu% gen_cpu% msgs",
  thr: "peer n deliv/s p50_us p99_us cpu_us/deliv srv_cpu% gen_cpu% msgs",
  few: "peer n deliv/s p50_us p99_us cpu_us/deliv srv_cpu% gen_cpu% msgs",
  shake: "peer n handshakes/s p50_ms p99_ms srv_cpu_ms srv_cpu% gen_cpu% failed",
  storm: "peer n handshakes/s p50_ms p99_ms srv_cpu_ms srv_cpu% gen_cpu% failed",
  "file-up": "peer MB MB/s cli_cpu_ms/MB srv_cpu_ms/MB cli_MB_more",
  "file-down": "peer MB MB/s cli_cpu_ms/MB srv_cpu_ms/MB cli_MB_more",
  "file-talk": "peer MB quiet_p99_ms moving_p99_ms",
  "wormhole-up": "peer MB MB/s cpu_ms/MB",
  "wormhole-down": "peer MB MB/s cpu_ms/MB",
  login: "peer n logins/s p50_ms p99_ms srv_cpu_ms srv_cpu% rss_MB",
  "room-storm": "peer n ms p50_ms srv_cpu_ms maker_cpu_ms",
  catchup: "peer n msgs/s srv_cpu_us/msg gen_cpu%",
  "catchup-key-file": "peer n msgs/s cpu_us/msg",
  "catchup-members": "peer n msgs/s cpu_us/msg",
  small1: "peer rooms msgs/s p50_us p99_us cpu_us/msg srv_cpu% gen_cpu%",
  small64: "peer rooms msgs/s p50_us p99_us cpu_us/msg srv_cpu% gen_cpu%",
  small512: "peer rooms msgs/s p50_us p99_us cpu_us/msg srv_cpu% gen_cpu%",
  pair1: "peer rooms msgs/s p50_us p99_us cpu_us/msg srv_cpu% gen_cpu%",
  pair64: "peer rooms msgs/s p50_us p99_us cpu_us/msg srv_cpu% gen_cpu%",
  ratio: "of rooms cpu_here/against",
  paste: "peer lines ms/line cpu_ms/line kB/line",
  logs:
    "peer messages rooms start_ms welcome_ms tidy_worst_ms tidy_p99_ms talk_worst_ms talk_p99_ms disk/entry",
  entry: "peer n ms cli_cpu_ms srv_cpu_ms",
  again: "peer kills p50_ms p90_ms max_ms",
  leader: "peer losses p50_ms p99_ms stall_p50_ms stall_max_ms",
  linked: "peer n rss_MB/server cpu%_of_all_six",
  idle: "peer n rss0_kB rss_kB kB/member cpu%",
  start: "what ms",
  flood: "what join_ms slowest_ms rss_MB",
  seal: "bytes seal_us open_us transit_us transit_tag_us",
};

/** Joins rows of one kind, server and size to one, with the median of each number and how many there were. */
export function medians(rows: readonly string[]): string[][] {
  const groups = new Map<string, string[][]>();
  for (const row of rows) {
    const cells = row.trim().split(/\s+/);
    const key = cells.slice(0, /^(start|seal|flood)$/.test(cells[0]) ? 2 : cells[0] === "logs" ? 4 : 3).join(
      " ",
    );
    groups.set(key, [...groups.get(key) ?? [], cells]);
  }
  return [...groups.values()].map((group) => [
    ...group[0].map((cell, i) => {
      const values = group.map((cells) => Number(cells[i]));
      return values.some(Number.isNaN) ? cell : String(median(values));
    }),
    String(group.length),
  ]);
}

/** The middle one; of an even number the lower. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}

/** Aligned columns, a heading for each kind. */
export function asTable(rows: readonly string[][]): string {
  const lines: string[] = [];
  for (const [kind, names] of Object.entries(columns)) {
    const of = rows.filter(([first]) => first === kind);
    if (of.length === 0) continue;
    const all = [["kind", ...names.split(" "), "reps"], ...of];
    const widths = all[0].map((_, i) => Math.max(...all.map((cells) => (cells[i] ?? "").length)));
    lines.push(
      ...all.map((cells) => cells.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd()),
      "",
    );
  }
  return lines.join("\n");
}

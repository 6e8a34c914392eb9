/** Until: the only waiting that tests do: for a condition, never for a time. What is waited for can be told. */

const waits = new Set<string>();

/** What is waited for now. */
export function waitedFor(): string {
  return [...waits].join("; ") || "nothing by name";
}

/** A test begins: what one that failed is still waiting for is not this one's. */
export function forgetWaits(): void {
  waits.clear();
}

/** Waits until `condition` holds. @param what is told when it never does */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { timeoutMs = 20_000, everyMs = 5, instead = (): string => "" } = {},
): Promise<void> {
  const start = performance.now();
  waits.add(what);
  try {
    while (!await condition()) {
      if (performance.now() - start > timeoutMs) throw new Error(`never: ${what}${instead()}`);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  } finally {
    waits.delete(what);
  }
}

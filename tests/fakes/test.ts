/** Test: every test has a bound, after which it fails and says what it waited for. */

import { forgetWaits, waitedFor } from "./until.ts";

const boundMs = 120_000;
/** For what blocks the event loop, and so cannot say what it waits for. */
const graceMs = 10_000;

/** A test as `Deno.test` takes it; `boundMs` is two minutes unless it says otherwise. */
export interface Definition {
  readonly name: string;
  readonly ignore?: boolean;
  readonly sanitizeOps?: boolean;
  readonly sanitizeResources?: boolean;
  readonly permissions?: Deno.PermissionOptions;
  readonly boundMs?: number;
  fn(t: Deno.TestContext): void | Promise<void>;
}

/** Registers a test. */
export function test(name: string, fn: Definition["fn"]): void;
export function test(definition: Definition): void;
export function test(definition: Omit<Definition, "fn">, fn: Definition["fn"]): void;
export function test(given: string | Omit<Definition, "fn"> | Definition, fn?: Definition["fn"]): void {
  const named = typeof given === "string" ? { name: given } : given;
  const { boundMs: ms = boundMs, ...rest }: Definition = { ...named, fn: fn ?? (named as Definition).fn };
  Deno.test({ ...rest, timeout: ms + graceMs, fn: (t) => within(ms, () => rest.fn(t)) });
}

async function within(ms: number, act: () => void | Promise<void>): Promise<void> {
  forgetWaits();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not over after ${ms / 1000} s; it waited for: ${waitedFor()}`)),
      ms,
    );
  });
  try {
    await Promise.race([act(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** OptionGroups: which options of `chat serve` the pages tell of apart from the others. */

import { limitOptions } from "./limit_options.ts";
import type { Option } from "./options.ts";

const accounts = new Set(["registration", "print-schema", "audit"]);

/** Whether it is a limit. */
export function isLimit(option: Option): boolean {
  return limitOptions.includes(option);
}

/** Whether it is about accounts. */
export function isAboutAccounts({ name }: Option): boolean {
  return name.startsWith("accounts") || accounts.has(name);
}

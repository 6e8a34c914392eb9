/** Certificates: PEM files that a command line names. They are no secrets. */

import { trouble } from "../storage/file_trouble.ts";
import { UsageError } from "./options.ts";

/** Certificates as text. @throws FileTrouble; UsageError when there is none in the file */
export function readCertificates(path: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw trouble("read", path, error);
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new UsageError(
    `"${path}" holds no certificate`,
    "give a PEM file that begins with BEGIN CERTIFICATE",
  );
}

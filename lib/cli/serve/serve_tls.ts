/** `--tls-cert`, `--tls-key`: reads the certificate, and reads it anew on SIGHUP and when a file has changed. */

import type { Clock } from "../../clock.ts";
import { ChatError, inWords } from "../../errors.ts";
import { type TlsIdentity, TlsListener } from "../../server/gate/tls_listener.ts";
import { readCertificates } from "../certificates.ts";
import { type Parsed, UsageError } from "../options.ts";
import type { Process } from "../process.ts";
import { readTextFile } from "../secrets.ts";

const lookEveryMs = 10_000;

/** The two files; null without TLS. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** Reads the flags. @throws UsageError */
export function tlsFiles({ "tls-cert": cert, "tls-key": key }: Parsed["values"]): TlsFiles | null {
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert === undefined && key === undefined) return null;
  throw new UsageError("--tls-cert and --tls-key belong together", "give both, or neither");
}

/** Listens with TLS. @throws ChatError when the certificate cannot be served; what the system says of the port */
export function listenTls(
  at: { hostname: string; port: number },
  files: TlsFiles,
  process: Process,
): TlsListener {
  const identity = readIdentity(files, process);
  try {
    return new TlsListener(at, identity, process.clock);
  } catch (error) {
    throw notServable(files, error);
  }
}

function readIdentity({ cert, key }: TlsFiles, process: Process): TlsIdentity {
  return { cert: readCertificates(cert), key: readTextFile(key, process) };
}

/** An error of the certificate, in words; one of the port as it is. */
function notServable({ cert, key }: TlsFiles, error: unknown): unknown {
  if (error instanceof ChatError) return error;
  const isPorts = Object.values(Deno.errors).some((each) => error instanceof each) &&
    !(error instanceof Deno.errors.InvalidData);
  if (isPorts) return error;
  const text = error instanceof Error ? error.message : String(error);
  const why = /KeyMismatch|not be consistent/i.test(text) ? "the key is of another certificate" : text;
  return new ChatError(
    `"${cert}" and "${key}" cannot be served: ${why}`,
    "give a chain with the server's own certificate first, and the key of that one, both in PEM",
  );
}

/** Keeps the certificate fresh. */
export class TlsRenewal {
  #seen: string;
  #cancel: () => void = () => {};

  /** @param print tells the operator */
  constructor(
    private readonly listener: TlsListener,
    private readonly files: TlsFiles,
    private readonly process: Process,
    private readonly print: (line: string) => void,
  ) {
    this.#seen = stampOf(files);
    this.#watch(process.clock);
  }

  #watch(clock: Clock): void {
    this.#cancel = clock.after(lookEveryMs, () => {
      if (stampOf(this.files) !== this.#seen) void this.renew();
      this.#watch(clock);
    });
  }

  /** Reads the files now; what cannot be served leaves the old certificate in place, and is told. */
  async renew(): Promise<void> {
    this.#seen = stampOf(this.files);
    try {
      await this.listener.renew(readIdentity(this.files, this.process));
      this.print("[+] The TLS certificate was read anew");
    } catch (error) {
      const told = notServable(this.files, error);
      const text = told instanceof ChatError ? inWords(told) : String(told);
      this.print(`[!] The old TLS certificate stays: ${text}`);
    }
  }

  /** Looks no more. */
  close(): void {
    this.#cancel();
  }
}

/** Changes when a file does, or when a link leads to another. */
function stampOf({ cert, key }: TlsFiles): string {
  return [cert, key].map((path) => {
    try {
      const { ino, dev, size, mtime } = Deno.statSync(path);
      return `${dev} ${ino} ${size} ${mtime?.getTime()}`;
    } catch {
      return "gone"; // between a removal and the new file
    }
  }).join();
}

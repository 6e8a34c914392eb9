/** Loopback: whether a host, as it was typed, is this machine and no other. */

/** By its spelling alone: a name that merely resolves to this machine may resolve elsewhere tomorrow. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

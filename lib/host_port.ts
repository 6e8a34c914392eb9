/** HostPort: a host and a port as one word, as people write them and pins keep them. */

/** Where something listens. */
export interface Address {
  /** Host name or address, without brackets. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
}

/** Most addresses under which one server, or several that share their rooms, are known. */
export const maxAddresses = 8;

/** `host:port`, with brackets around an IPv6 host. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Several of them, with commas between. */
export function hostPorts(addresses: readonly Address[]): string {
  return addresses.map(({ host, port }) => hostPort(host, port)).join(",");
}

/** The reverse, as people type it; the host is not judged. @returns null when it is not both */
export function splitHostPort(text: string): { host: string; port: string } | null {
  const [, host, port] = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(text) ?? [];
  return host === undefined ? null : { host: host.replace(/^\[|\]$/g, ""), port };
}

/** HostPort: a host and a port as one word, as people write them and pins keep them. */

/** `host:port`, with brackets around an IPv6 host. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The reverse, as people type it; the host is not judged. @returns null when it is not both */
export function splitHostPort(text: string): { host: string; port: string } | null {
  const [, host, port] = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(text) ?? [];
  return host === undefined ? null : { host: host.replace(/^\[|\]$/g, ""), port };
}

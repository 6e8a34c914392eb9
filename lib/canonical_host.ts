/**
 * CanonicalHost: one spelling for one host, so that a pin holds whatever way its host is typed.
 *
 * Host names are case-insensitive (RFC 4343); names in other scripts are one with their ASCII form (RFC 5891), and
 * addresses have one shortest form (RFC 5952). The runtime's URL parser knows all of it.
 */

/** The host in its one spelling, without brackets; null when the text is no host. */
export function canonicalHost(text: string): string | null {
  const bare = text.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  if (bare === "" || /[\s/?#@\\[\]]/.test(bare)) return null;
  const [address, zone] = bare.split("%", 2);
  if (address.includes(":")) {
    const host = hostOf(`[${address}]`)?.replace(/^\[|\]$/g, "") ?? null;
    if (host === null || (zone !== undefined && !/^[\w.-]+$/.test(zone))) return null;
    return zone === undefined ? host : `${host}%${zone}`;
  }
  return zone === undefined ? hostOf(bare) : null;
}

/** RFC 1035, section 2.3.4. */
const maxLength = 253;

function hostOf(text: string): string | null {
  const url = URL.parse(`http://${text}/`);
  // A label is never empty (RFC 1035, section 2.3.1), and holds nothing that a shell would read in a printed command.
  const isHost = url?.port === "" && /^(\[[\da-f:.]+\]|[\w-]+(\.[\w-]+)*)$/.test(url.hostname);
  return isHost && url.hostname.length <= maxLength ? url.hostname : null;
}

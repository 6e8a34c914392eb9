/**
 * PageRequest: what a request of the page's server is answered, before anything else happens: a pure function. Whatever
 * runs on this machine, and any page in the browser, can send requests here.
 *
 * GET gives constants of the program. What moves anything must come from the page itself: its Origin is the server's own,
 * and its Host is the address that was listened on, not a name that somebody lets point there (DNS rebinding).
 */

import { assets } from "./page_assets.ts";

/** What a request comes to. */
export type PageAnswer =
  | { readonly kind: "answer"; readonly response: Response }
  /** The page's link: a WebSocket. */
  | { readonly kind: "link" }
  /** A file that is dropped on the page. */
  | { readonly kind: "file"; readonly secret: string; readonly room: string; readonly name: string };

const maxNameLength = 4096;

/** Headers of every answer. @param host as `127.0.0.1:PORT` */
function headersOf(host: string): Record<string, string> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `connect-src ws://${host}/ http://${host}/`, // Safari does not let 'self' match ws:
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return {
    "content-security-policy": policy.join("; "),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), display-capture=(), clipboard-read=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
  };
}

/** An answer in words. */
export function refusal(host: string, status: number, text: string): Response {
  const headers = { ...headersOf(host), "content-type": "text/plain; charset=utf-8" };
  return new Response(`${text}\n`, { status, headers });
}

/** Judges a request by its head. @param host as `127.0.0.1:PORT`, the one that is listened on */
export function answerTo(request: Pick<Request, "method" | "url" | "headers">, host: string): PageAnswer {
  const { method, headers } = request;
  const refused = (status: number, text: string): PageAnswer => (
    { kind: "answer", response: refusal(host, status, text) }
  );
  if (headers.get("host") !== host) return refused(421, "This is not the address of the page");
  // Only the path counts: the authority of a request line may be anybody's.
  const { pathname } = new URL(request.url);
  const isOwnOrigin = headers.get("origin") === `http://${host}`;
  if (pathname === "/link") {
    if (!isOwnOrigin) return refused(403, "Only the page itself may do that");
    const isSocket = method === "GET" && headers.get("upgrade")?.toLowerCase() === "websocket";
    return isSocket ? { kind: "link" } : refused(400, "This is for the page's link");
  }
  if (pathname === "/file") {
    if (!isOwnOrigin) return refused(403, "Only the page itself may do that");
    if (method !== "PUT") return refused(405, "Files are put");
    const secret = /^Bearer ([\w-]+)$/.exec(headers.get("authorization") ?? "")?.[1];
    const [room, name] = ["x-room", "x-name"].map((header) => decoded(headers.get(header)));
    if (secret === undefined) return refused(401, "The page's secret is missing");
    if (!room || !name) return refused(400, "A file has a room and a name");
    return { kind: "file", secret, room, name };
  }
  const asset = Object.hasOwn(assets, pathname) ? assets[pathname] : undefined;
  if (!asset) return refused(404, "There is nothing here");
  if (method !== "GET" && method !== "HEAD") return refused(405, "This can only be read");
  const response = new Response(method === "HEAD" ? null : asset.body, {
    headers: { ...headersOf(host), "content-type": asset.type },
  });
  return { kind: "answer", response };
}

function decoded(value: string | null): string | null {
  if (value === null || value.length > maxNameLength) return null;
  try {
    return decodeURIComponent(value);
  } catch {
    return null;
  }
}

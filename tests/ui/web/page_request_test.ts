/** The page's requests: what is given, and what is refused to whoever else asks on this machine. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { assets } from "../../../lib/ui/web/page_assets.ts";
import { answerTo } from "../../../lib/ui/web/page_request.ts";
import { test } from "../../fakes/test.ts";

const host = "127.0.0.1:4711";
const own = { host, origin: `http://${host}` };

function ask(method: string, path: string, headers: Record<string, string>) {
  return answerTo({ method, url: `http://${host}${path}`, headers: new Headers(headers) }, host);
}
function status(method: string, path: string, headers: Record<string, string>): number | string {
  const answer = ask(method, path, headers);
  return answer.kind === "answer" ? answer.response.status : answer.kind;
}

const socket = { upgrade: "websocket", connection: "upgrade" };
const file = { authorization: "Bearer abc_-123", "x-room": "lobby", "x-name": "a%20b.txt" };

const cases: readonly [
  what: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  to: number | string,
][] = [
  ["the page itself", "GET", "/", { host }, 200],
  ["its head", "HEAD", "/", { host }, 200],
  ["a script of it", "GET", "/page.js", { host }, 200],
  ["with a query", "GET", "/page.js?x=1", { host }, 200],
  ["another host (rebinding)", "GET", "/", { host: "evil.example:4711" }, 421],
  ["localhost by name", "GET", "/", { host: "localhost:4711" }, 421],
  ["the address without its port", "GET", "/", { host: "127.0.0.1" }, 421],
  ["another port", "GET", "/", { host: "127.0.0.1:80" }, 421],
  ["no host", "GET", "/", {}, 421],
  ["a path that is none", "GET", "/index.html", { host }, 404],
  ["out of the folder", "GET", "/../../etc/passwd", { host }, 404],
  ["out of the folder, encoded", "GET", "/%2e%2e/%2e%2e/etc/passwd", { host }, 404],
  ["what objects inherit", "GET", "/constructor", { host }, 404],
  ["the same by name", "GET", "/__proto__", { host }, 404],
  ["to write the page", "POST", "/", own, 405],
  ["the link", "GET", "/link", { ...own, ...socket }, "link"],
  ["the link, in other letters", "GET", "/link", { ...own, upgrade: "WebSocket" }, "link"],
  ["the link from another port", "GET", "/link", { ...own, ...socket, origin: "http://127.0.0.1:4712" }, 403],
  ["the link from another site", "GET", "/link", { ...own, ...socket, origin: "https://evil.example" }, 403],
  ["the link from a file", "GET", "/link", { ...own, ...socket, origin: "null" }, 403],
  ["the link from no page", "GET", "/link", { host, ...socket }, 403],
  ["the link by another host", "GET", "/link", { ...own, ...socket, host: "evil.example" }, 421],
  ["the link without a socket", "GET", "/link", own, 400],
  ["the link by POST", "POST", "/link", { ...own, ...socket }, 400],
  ["a file", "PUT", "/file", { ...own, ...file }, "file"],
  ["a file from another page", "PUT", "/file", { ...own, ...file, origin: "http://127.0.0.1:1" }, 403],
  ["a file from no page", "PUT", "/file", { host, ...file }, 403],
  ["a file by POST, as a form sends it", "POST", "/file", { ...own, ...file }, 405],
  ["what comes before a file from elsewhere", "OPTIONS", "/file", { host, origin: "http://x" }, 403],
  ["a file without a secret", "PUT", "/file", { ...own, ...file, authorization: "" }, 401],
  [
    "a file with another kind of secret",
    "PUT",
    "/file",
    { ...own, ...file, authorization: "Basic abc" },
    401,
  ],
  ["a file without a room", "PUT", "/file", { ...own, ...file, "x-room": "" }, 400],
  ["a file whose name is no text", "PUT", "/file", { ...own, ...file, "x-name": "%ff" }, 400],
  ["a file with an endless name", "PUT", "/file", { ...own, ...file, "x-name": "a".repeat(5000) }, 400],
];
for (const [what, method, path, headers, to] of cases) {
  test(`asked for ${what}: ${to}`, () => assertEquals(status(method, path, headers), to));
}

test("every answer keeps other pages out, and names what may run", () => {
  for (
    const [method, path, headers] of [["GET", "/", { host }], ["GET", "/x", { host }], [
      "GET",
      "/",
      {},
    ]] as const
  ) {
    const answer = ask(method, path, headers);
    assert(answer.kind === "answer");
    const { headers: given } = answer.response;
    const policy = given.get("content-security-policy")!;
    assertMatch(
      policy,
      /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src ws:\/\/127\.0\.0\.1:4711\/ http:\/\/127\.0\.0\.1:4711\/;/,
    );
    for (
      const rule of [
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "trusted-types 'none'",
      ]
    ) {
      assert(policy.includes(rule), rule);
    }
    assertEquals(
      ["cross-origin-opener-policy", "x-content-type-options", "referrer-policy", "cache-control"].map((
        each,
      ) => given.get(each)),
      ["same-origin", "nosniff", "no-referrer", "no-store"],
    );
    assertEquals(given.get("access-control-allow-origin"), null);
    assertEquals(given.get("set-cookie"), null);
  }
});

test("the authority of a request line counts for nothing", () => {
  const request = { method: "GET", url: "http://evil.example/page.css", headers: new Headers({ host }) };
  const answer = answerTo(request, host);
  assertEquals(answer.kind === "answer" && answer.response.status, 200);
});

test("all of the page has less than 60 kB, and asks for nothing from elsewhere", () => {
  const bodies = Object.values(assets).map(({ body }) => body);
  const bytes = bodies.reduce((sum, body) => sum + new TextEncoder().encode(body).length, 0);
  assert(bytes < 60_000, String(bytes));
  for (const body of bodies) {
    assert(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(/.test(body));
    assertEquals(body.match(/(?:src|href)="(?!\/[\w.]+")[^"]*"|url\([^)]*\)|@import/g), null);
  }
});

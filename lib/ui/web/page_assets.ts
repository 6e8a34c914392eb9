/** PageAssets: the files of the page, as constants of the program. */

import css from "./page/page.css" with { type: "text" };
import html from "./page/page.html" with { type: "text" };
import composer from "./page/composer.js" with { type: "text" };
import dialogs from "./page/dialogs.js" with { type: "text" };
import elements from "./page/elements.js" with { type: "text" };
import link from "./page/link.js" with { type: "text" };
import log from "./page/log.js" with { type: "text" };
import logLine from "./page/log_line.js" with { type: "text" };
import page from "./page/page.js" with { type: "text" };
import sides from "./page/sides.js" with { type: "text" };
import files from "./page/files.js" with { type: "text" };

/** One of them. */
export interface Asset {
  readonly type: string;
  readonly body: string;
}

const javascript = (body: string): Asset => (
  { type: "text/javascript; charset=utf-8", body: withoutComments(body) }
);

/** Comments and indentation are for who reads the source. No string has more than one line, or begins like a comment. */
function withoutComments(body: string): string {
  return body.replace(/^\s*(?:\/\/.*|\/\*\*[^]*?\*\/)\n/gm, "").replace(/^ +/gm, "");
}

/** All of them, by path. */
export const assets: Readonly<Record<string, Asset>> = {
  "/": { type: "text/html; charset=utf-8", body: html },
  "/page.css": { type: "text/css; charset=utf-8", body: css },
  "/composer.js": javascript(composer),
  "/dialogs.js": javascript(dialogs),
  "/elements.js": javascript(elements),
  "/files.js": javascript(files),
  "/link.js": javascript(link),
  "/log.js": javascript(log),
  "/log_line.js": javascript(logLine),
  "/page.js": javascript(page),
  "/sides.js": javascript(sides),
};

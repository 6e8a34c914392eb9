/** TLS to the database: a real MariaDB, reached under an address that is not loopback by its spelling. */

import { test } from "../../fakes/test.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { systemClock } from "../../../lib/clock.ts";
import { parseAccountsUrl } from "../../../lib/server/accounts/accounts_url.ts";
import { type AccountsAccess, openAccounts } from "../../../lib/server/accounts/open_accounts.ts";
import { printedSchema } from "../../../lib/server/accounts/printed_schema.ts";
import { AccountsUnavailable } from "../../../lib/server/accounts/store.ts";
import { hasMariadb, Mariadb } from "../../fakes/mariadb.ts";
import { databasePassword, urlOf } from "../../fakes/restricted_user.ts";
import { hasTool, run } from "../../fakes/tools.ts";

const far = "0.0.0.0";

/** A self-signed certificate for an address. */
async function certificate(dir: string, name: string, subject: string) {
  const { ok, text } = await run("openssl", [
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${name}`],
    ...["-addext", `subjectAltName=${subject}`],
    ...["-keyout", `${dir}/${name}.key`, "-out", `${dir}/${name}.pem`],
  ]);
  if (!ok) throw new Error(text);
  return Deno.readTextFileSync(`${dir}/${name}.pem`);
}

test({
  name: "a database elsewhere is used over TLS that is verified, or not at all unless that is asked for",
  ignore: !hasMariadb || !hasTool("openssl"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const dir = Deno.makeTempDirSync();
    const ours = await certificate(dir, "ours", `IP:${far}`);
    const others = await certificate(dir, "others", `IP:${far}`);
    const db = await Mariadb.start();
    const url = parseAccountsUrl(urlOf(db, "chat", db.port, far));
    await db.asAdmin(printedSchema(url, databasePassword));
    const access = { dir, password: databasePassword, clock: systemClock };
    const opens = async (over: Pick<AccountsAccess, "ca" | "insecure">) => {
      const { store } = await openAccounts(url, { ...access, ...over });
      assertEquals(await store.accounts(), []);
      await store.close();
    };
    const refuses = async (over: Pick<AccountsAccess, "ca" | "insecure">, why: string, hint: string) => {
      const error = await assertRejects(() => opens(over), AccountsUnavailable, why);
      assertStringIncludes(error.hint, hint);
      assertEquals(error.exitCode, 1);
    };
    try {
      await refuses({ ca: null, insecure: false }, "it offers no TLS", "--accounts-insecure");
      await refuses({ ca: ours, insecure: false }, "it offers no TLS", "--accounts-insecure");
      await opens({ ca: null, insecure: true });

      await db.down();
      await db.up(`--ssl-cert=${dir}/ours.pem`, `--ssl-key=${dir}/ours.key`);
      await opens({ ca: ours, insecure: false });
      await refuses({ ca: null, insecure: false }, "TLS certificate", "--accounts-ca");
      await refuses({ ca: others, insecure: false }, "TLS certificate", "--accounts-ca");

      // For an address the driver by itself would accept what is made out to "localhost".
      for (const subject of ["IP:192.0.2.1", "DNS:localhost"]) {
        const wrong = await certificate(dir, "wrong", subject);
        await db.down();
        await db.up(`--ssl-cert=${dir}/wrong.pem`, `--ssl-key=${dir}/wrong.key`);
        await refuses({ ca: wrong, insecure: false }, "TLS certificate", "--accounts-ca");
      }
    } finally {
      await db.stop();
      Deno.removeSync(dir, { recursive: true });
    }
  },
});

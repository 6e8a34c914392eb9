/**
 * Makes the test vectors of protocol §14, with fixed randomness. They are frozen once made: this script
 * documents how they came about, and makes a file only when it is missing.
 *
 * Sources are named in each file; cfb is cross-checked against OpenSSL here and in the tests.
 */

import { generateKeyPairSync } from "node:crypto";
import { encodeHex } from "@std/encoding/hex";
import { CfbEncryptor } from "../lib/crypto/cfb.ts";
import { fingerprint, generateIdentity, identityFrom, identityId } from "../lib/crypto/identity.ts";
import { safetyDigits } from "../lib/crypto/digits.ts";
import { signingKey } from "../lib/crypto/ed25519.ts";
import { labelledHash, sha256 } from "../lib/crypto/hash.ts";
import { encodePrivatePem, encodePublicPem } from "../lib/crypto/identity_pem.ts";
import { kdf } from "../lib/crypto/kdf.ts";
import { oaepDecrypt } from "../lib/crypto/oaep.ts";
import { seal, tagBytes } from "../lib/crypto/seal.ts";
import { makeCard, parseCard, roles } from "../lib/protocol/identity/card.ts";
import {
  advanceClient,
  type ClientHandshakeConfig,
  startClient,
} from "../lib/protocol/channel/handshake_client.ts";
import {
  advanceServer,
  type ServerHandshakeConfig,
  startServer,
} from "../lib/protocol/channel/handshake_server.ts";
import { makePrekey, parsePrekey } from "../lib/protocol/identity/prekey.ts";
import { decapsulate, importMlkem } from "../lib/crypto/mlkem.ts";
import { generateX25519 } from "../lib/crypto/x25519.ts";
import { TransitSealer } from "../lib/protocol/channel/transit.ts";
import { boxHash, parseBox, sealBox } from "../lib/protocol/group/box.ts";
import {
  type CommitBody,
  commitHow,
  directRoomId,
  makeCommit,
  makeLeave,
  parseCommit,
  roomId,
} from "../lib/protocol/group/commit.ts";
import { usePass } from "../lib/protocol/group/pass.ts";
import { policies } from "../lib/protocol/group/roster.ts";
import { contentTypes, encodeContent } from "../lib/protocol/group/content.ts";
import { chainStep, epochCheck, noKeyFile, senderChains } from "../lib/protocol/group/epoch.ts";
import { entryHash, History } from "../lib/protocol/group/history.ts";
import {
  encodeHeader,
  messageKinds,
  namedCommitBytes,
  sealMessage,
} from "../lib/protocol/group/sealed_message.ts";
import { signHead, viewOfNothing } from "../lib/protocol/group/signed_head.ts";
import { siteOf } from "../lib/protocol/group/site.ts";
import { RecordSealer } from "../lib/protocol/channel/records.ts";
import { carry } from "../lib/protocol/channel/carried.ts";
import { chunkBytes, chunkCount, lastChunkBytes, sealChunk } from "../lib/protocol/file/file_chunk.ts";
import { encodeFileMessage } from "../lib/protocol/file/file_message.ts";
import { edgeCases } from "./ed25519_edges.ts";
import { seededRandom } from "../tests/fakes/seeded_random.ts";

const hex = encodeHex;
const text = (s: string) => new TextEncoder().encode(s);

async function write(name: string, make: () => Promise<unknown> | unknown): Promise<void> {
  const path = `tests/vectors/${name}.json`;
  try {
    await Deno.lstat(path);
    console.log(`${path}: kept`);
  } catch {
    await Deno.writeTextFile(path, JSON.stringify(await make(), null, 1) + "\n");
    console.log(`${path}: made`);
  }
}

await write("cfb", async () => {
  const random = seededRandom("cfb");
  const cases = [];
  for (const length of [0, 1, 15, 16, 17, 300, 65_536]) {
    const key = random(32), iv = random(16), plaintext = random(length);
    const child = new Deno.Command("openssl", {
      args: ["enc", "-aes-256-cfb", "-K", hex(key), "-iv", hex(iv)],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(plaintext);
    await writer.close();
    const ciphertext = new Uint8Array((await child.output()).stdout);
    if (hex(new CfbEncryptor(key).encrypt(iv, plaintext)) !== hex(ciphertext)) {
      throw new Error("differs from OpenSSL");
    }
    // Long texts are recorded by their hashes.
    const short = (bytes: Uint8Array) => length > 1000 ? { sha256: hex(sha256(bytes)) } : { hex: hex(bytes) };
    cases.push({
      length,
      key: hex(key),
      iv: hex(iv),
      plaintext: short(plaintext),
      ciphertext: short(ciphertext),
    });
  }
  return {
    source: "NIST SP 800-38A F.3.17 (CFB128-AES256.Encrypt); the rest by openssl enc -aes-256-cfb",
    seed: "cfb",
    nist: {
      key: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
      iv: "000102030405060708090a0b0c0d0e0f",
      plaintext: "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
      ciphertext: "dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b" +
        "df10132415e54b92a13ed0a8267ae2f975a385741ab9cef82031623d55b1e471",
    },
    cases,
  };
});

await write("kdf", () => {
  const range = (from: number, to: number) =>
    hex(Uint8Array.from({ length: to - from + 1 }, (_, i) => from + i));
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  const long = new Uint8Array(70_000).fill(0x5a);
  return {
    source: "RFC 4231 §4, RFC 5869 appendix A; hash and kdf made by this program and frozen",
    hmac: [
      {
        key: "0b".repeat(20),
        data: hex(text("Hi There")),
        mac: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      },
      {
        key: hex(text("Jefe")),
        data: hex(text("what do ya want for nothing?")),
        mac: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      },
      {
        key: "aa".repeat(20),
        data: "dd".repeat(50),
        mac: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
      },
      {
        key: range(1, 25),
        data: "cd".repeat(50),
        mac: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
      },
      {
        key: "aa".repeat(131),
        data: hex(text("Test Using Larger Than Block-Size Key - Hash Key First")),
        mac: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      },
      {
        key: "aa".repeat(131),
        data: hex(
          text(
            "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
          ),
        ),
        mac: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
      },
    ],
    hkdf: [
      {
        ikm: "0b".repeat(22),
        salt: range(0, 12),
        info: range(0xf0, 0xf9),
        prk: "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        okm: "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
      },
      {
        ikm: range(0, 0x4f),
        salt: range(0x60, 0xaf),
        info: range(0xb0, 0xff),
        prk: "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        okm:
          "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
      },
      {
        ikm: "0b".repeat(22),
        salt: "",
        info: "",
        prk: "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        okm: "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
      },
    ],
    hash: [
      { label: "chat2 id", parts: [], hash: hex(labelledHash("chat2 id")) },
      { label: "chat2 id", parts: [""], hash: hex(labelledHash("chat2 id", new Uint8Array(0))) },
      {
        label: "chat2 entry",
        parts: ["01", "6162"],
        hash: hex(labelledHash("chat2 entry", Uint8Array.of(1), text("ab"))),
      },
      { label: "x", parts: ["70000 x 5a"], hash: hex(labelledHash("x", long)) },
    ],
    kdf: [
      {
        prk: hex(key),
        label: "digits",
        context: "",
        length: 60,
        out: hex(kdf(key, "digits", new Uint8Array(0), 60)),
      },
      {
        prk: hex(key),
        label: "traffic",
        context: hex(key),
        length: 64,
        out: hex(kdf(key, "traffic", key, 64)),
      },
      { prk: hex(key), label: "x", context: "70000 x 5a", length: 32, out: hex(kdf(key, "x", long, 32)) },
    ],
  };
});

await write("seal", () => {
  const random = seededRandom("seal");
  const cases = [["box", 0, 0, 0], ["message", 130, 32, 128], ["state", 16, 5, 1000]] as const;
  return {
    source: "made by this program and frozen",
    cases: cases.map(([label, saltBytes, adBytes, length]) => {
      const secret = random(32), salt = random(saltBytes), ad = random(adBytes), plaintext = random(length);
      const sealed = seal(secret, label, salt, ad, plaintext);
      return {
        label,
        secret: hex(secret),
        salt: hex(salt),
        ad: hex(ad),
        plaintext: hex(plaintext),
        sealed: hex(sealed),
      };
    }),
  };
});

await write("keys", async () => {
  const random = seededRandom("keys");
  const people = [];
  for (const name of ["ira", "sahnawaz", "dana", "erin", "mallory", "server"]) {
    const secrets = await generateIdentity(random);
    const identity = await identityFrom(secrets);
    const role = name === "server" ? roles.server : roles.user;
    const id = identityId(secrets.rsaSpki, signingKey(secrets.seed).publicKey);
    people.push({
      name,
      rsaPkcs8: hex(secrets.rsaPkcs8),
      rsaSpki: hex(secrets.rsaSpki),
      seed: hex(secrets.seed),
      edPublic: hex(identity.signing.publicKey),
      card: hex(makeCard(identity, role, name, 1_700_000_000)),
      id: hex(id),
      digits: fingerprint(id),
      privatePem: await encodePrivatePem(secrets, null, random),
      encryptedPem: await encodePrivatePem(secrets, "correct horse", random),
      publicPem: encodePublicPem(secrets),
    });
  }
  const [a, b] = people;
  const bytes = (h: string) => Uint8Array.from(h.match(/../g)!, (x) => parseInt(x, 16));
  return {
    source: "RSA keys recorded from the runtime's generator; everything else made by this program and frozen",
    passphrase: "correct horse",
    people,
    safety: { between: [a.name, b.name], digits: safetyDigits(bytes(a.id), bytes(b.id)) },
  };
});

async function person(name: string) {
  const { people } = JSON.parse(await Deno.readTextFile("tests/vectors/keys.json"));
  const p = people.find((each: { name: string }) => each.name === name);
  const bytes = (h: string) => Uint8Array.from(h.match(/../g)!, (x) => parseInt(x, 16));
  return {
    identity: await identityFrom({
      rsaPkcs8: bytes(p.rsaPkcs8),
      rsaSpki: bytes(p.rsaSpki),
      seed: bytes(p.seed),
    }),
    card: bytes(p.card),
  };
}

await write("prekey", async () => {
  const { identity } = await person("ira");
  const made = await makePrekey(identity.id, identity.signing, 0, 1_700_000_000);
  const next = await makePrekey(identity.id, identity.signing, 1_800_000_000, 1_700_086_400);
  return {
    source: "keys recorded from the runtime; encoding and signature by this program, frozen",
    owner: "ira",
    made: {
      lastPrekeyId: 0,
      now: 1_700_000_000,
      prekeyId: made.prekeyId,
      bytes: hex(made.published),
      x25519: hex(made.x25519),
      mlkemSeed: hex(made.mlkemSeed),
    },
    rising: {
      lastPrekeyId: 1_800_000_000,
      now: 1_700_086_400,
      prekeyId: next.prekeyId,
      bytes: hex(next.published),
    },
  };
});

await write("link", async () => {
  const server = await person("server");
  const client = await person("ira");
  const serverConfig: ServerHandshakeConfig = {
    ...server,
    random: seededRandom("link server"),
    puzzleBits: () => 8,
    decrypt: (label, ct) => oaepDecrypt(server.identity.rsa, label, ct),
  };
  const clientConfig: ClientHandshakeConfig = {
    ...client,
    token: text("sesame"),
    minVersion: 2,
    random: seededRandom("link client"),
    checkServer: () => {},
  };
  const steps: { name: string; wire: string; h?: string; ck?: string }[] = [];
  const c0 = await startClient(clientConfig);
  steps.push({ name: "M1", wire: hex(c0.send) });
  const s1 = await advanceServer(startServer().state, c0.send, serverConfig);
  const m2 = s1.send.slice(0, 1157), r1 = s1.send.slice(1157);
  const c1 = await advanceClient(c0.state, m2, clientConfig);
  const c2 = await advanceClient(c1.state, r1, clientConfig);
  const r2 = c2.send.slice(0, 392 + 36), r3 = c2.send.slice(392 + 36);
  const s2 = await advanceServer(s1.state, r2, serverConfig);
  const s3 = await advanceServer(s2.state, r3, serverConfig);
  const c3 = await advanceClient(c2.state, s3.send, clientConfig);
  const transcript = (state: { t?: { h: Uint8Array; ck: Uint8Array } }) => ({
    h: hex(state.t!.h),
    ck: hex(state.t!.ck),
  });
  steps.push({ name: "M2", wire: hex(m2), ...transcript(c1.state as never) });
  steps.push({ name: "R1", wire: hex(r1), ...transcript(s1.state as never) });
  steps.push({ name: "R2", wire: hex(r2), ...transcript(s2.state as never) });
  steps.push({ name: "R3", wire: hex(r3), ...transcript(c2.state as never) });
  if (s3.state.step !== "done" || c3.state.step !== "done") throw new Error("not done");
  steps.push({ name: "R4", wire: hex(s3.send), h: hex(s3.state.established.h) });
  const secret = new Uint8Array(32).fill(9);
  const sealer = new RecordSealer(secret);
  const boundary: Record<string, string> = {};
  for (let n = 0; n <= 65_537; n++) {
    const wire = sealer.seal(text("record"));
    if ([0, 1, 255, 256, 65_535, 65_536, 65_537].includes(n)) boundary[n] = hex(wire);
  }
  return {
    source: "one handshake with fixed rand; X25519, ML-KEM and OAEP outputs recorded; frozen",
    puzzleBits: 8,
    token: "sesame",
    session: s3.state.established.session,
    steps,
    firstRecords: {
      plaintext: hex(text("hello")),
      c2s: hex(c3.state.established.sealer.seal(text("hello"))),
      s2c: hex(s3.state.established.sealer.seal(text("hello"))),
    },
    records: { secret: hex(secret), plaintext: hex(text("record")), wire: boundary },
  };
});

/** What the vectors of rooms share: where they are, and who is in them. */
async function place() {
  const [server, ira, sam] = await Promise.all(["server", "ira", "sahnawaz"].map(person));
  const runId = new Uint8Array(16).fill(1);
  const site = siteOf(server.identity.id, runId);
  return { server, ira, sam, runId, site, room: new Uint8Array(32).fill(0x0a) };
}

await write("head", async () => {
  const { server, runId, site, room } = await place();
  const history = new Uint8Array(32).fill(0x0b);
  const view = { pos: 258, hash: history };
  return {
    source: "made by this program and frozen",
    serverId: hex(server.identity.id),
    serverEd: hex(server.identity.signing.publicKey),
    runId: hex(runId),
    site: hex(site),
    room: hex(room),
    pos: view.pos,
    history: hex(history),
    signature: hex(signHead({ site, room }, view, server.identity.signing)),
  };
});

await write("entries", () => {
  const random = seededRandom("entries");
  const room = random(32);
  let history = new History({ pos: 0, hash: room });
  const entries = ([[1, 300], [2, 200], [2, 0], [1, 5000]] as const).map(([kind, length]) => {
    const bytes = random(length);
    const e = entryHash(kind, bytes);
    history = history.after(e);
    return {
      kind,
      bytes: hex(bytes),
      digest: hex(sha256(bytes)),
      e: hex(e),
      history: hex(history.view.hash),
    };
  });
  return { source: "made by this program and frozen", room: hex(room), entries };
});

await write("box", async () => {
  const { ira, sam, room } = await place();
  const random = seededRandom("box");
  const secrets = await makePrekey(sam.identity.id, sam.identity.signing, 6, 1_700_000_000);
  const prekey = parsePrekey(secrets.published);
  const context = { room, epoch: 3, prev: random(32), author: ira.identity.id };
  const secret = random(32), roomKey = random(32);
  const box = await sealBox(
    secret,
    context,
    await generateX25519(),
    prekey,
    parseCard(sam.card).rsaSpki,
    random,
  );
  const shared = await decapsulate(await importMlkem(secrets.mlkemSeed), parseBox(box).mlkem);
  return {
    source: "OAEP, X25519 and ML-KEM recorded from the runtime; the rest by this program, frozen",
    recipient: "sahnawaz",
    prekey: { bytes: hex(secrets.published), x25519: hex(secrets.x25519), mlkemSeed: hex(secrets.mlkemSeed) },
    context: { room: hex(room), epoch: 3, prev: hex(context.prev), author: hex(context.author) },
    bytes: hex(box),
    hash: hex(boxHash(box)),
    mlkemShared: hex(shared),
    secret: hex(secret),
    roomKey: hex(roomKey),
    check: hex(epochCheck(secret, roomKey, context)),
  };
});

await write("commits", async () => {
  const { server, site } = await place();
  const names = ["ira", "sahnawaz", "dana", "erin", "mallory"];
  const [ira, sam, dana, erin, mallory] = await Promise.all(names.map(async (name) => ({
    name,
    ...await person(name),
  })));
  type Who = typeof ira;
  const random = seededRandom("commits");
  const zeros = new Uint8Array(32);
  const seed = random(32);
  const pass = signingKey(seed);
  const line = ({ identity, name }: Who, since: number, role = 0, boxHash = zeros) => {
    return { id: identity.id, role, since, name, boxHash };
  };
  const commits: { what: string; pos: number; epoch: number; author: string; hash: string; bytes: string }[] =
    [];
  let last = { hash: zeros, epoch: -1, room: zeros, pos: 0 };
  const add = (
    what: string,
    author: Who,
    body: Partial<CommitBody> & Pick<CommitBody, "roster">,
    gap = 1,
  ) => {
    const epoch = last.epoch + 1;
    const prev = epoch === 0 ? body.prev! : last.hash;
    const room = epoch === 0 ? body.room! : last.room;
    const pos = last.pos + gap;
    const view = { pos: pos - 1, hash: random(32) };
    const bytes = makeCommit(
      {
        how: commitHow.member,
        room,
        epoch,
        prev,
        author: author.identity.id,
        time: 1_700_000_000 + epoch,
        view: epoch === 0
          ? viewOfNothing(room)
          : { ...view, headSig: signHead({ site, room }, view, server.identity.signing) },
        policy: policies.open,
        roomName: "lobby",
        leaves: [],
        passes: [],
        bans: [],
        use: null,
        check: random(32),
        ...body,
      },
      site,
      author.identity.signing,
    );
    const { hash } = parseCommit(bytes);
    commits.push({ what, pos, epoch, author: author.name, hash: hex(hash), bytes: hex(bytes) });
    last = { hash, epoch, room, pos };
  };
  const prev = random(32);
  const room = roomId(ira.identity.id, "lobby", prev);
  add("epoch 0", ira, { prev, room, roster: [line(ira, 0, 1)] });
  const two = [line(ira, 0, 1), line(sam, 1, 0, random(32))];
  add("a member is added", ira, { roster: two }, 3);
  const three = [line(ira, 0, 1, random(32)), line(sam, 1, 0, random(32)), line(dana, 2)];
  add("an own entry", dana, { how: commitHow.ownEntry, roster: three });
  const listed = { key: pass.publicKey, until: 1_700_600_000, name: "Er1n" };
  const other = { key: signingKey(random(32)).publicKey, until: 1_700_700_000, name: "" };
  const closed = { policy: policies.closed, bans: [mallory.identity.id] };
  const kept = [line(ira, 0, 1), line(sam, 1, 0, random(32)), line(dana, 2, 0, random(32))];
  add(
    "the room is closed, with passes and a ban",
    ira,
    { roster: kept, ...closed, passes: [listed, other] },
    40,
  );
  const withErin = [line(ira, 0, 1, random(32)), line(sam, 1), line(dana, 2, 0, random(32)), line(erin, 4)];
  const use = usePass(pass, site, room, erin.identity.id);
  add("an entry by pass", erin, { how: commitHow.pass, roster: withErin, ...closed, passes: [other], use });
  const leave = makeLeave(sam.identity.id, room, 3, sam.identity.signing);
  const rest = [line(ira, 0, 1), line(dana, 2, 1, random(32)), line(erin, 4, 0, random(32))];
  add("a leave is carried out, and a role changes", ira, {
    roster: rest,
    ...closed,
    passes: [other],
    leaves: [leave],
  });
  const [lo, hi] = [ira, sam].sort((a, b) => hex(a.identity.id) < hex(b.identity.id) ? -1 : 1);
  last = { hash: zeros, epoch: -1, room: zeros, pos: 0 };
  add("epoch 0 of a room of two", ira, {
    prev: zeros,
    room: directRoomId(site, lo.identity.id, hi.identity.id),
    policy: policies.direct,
    roomName: "",
    roster: [lo, hi].map((each) => line(each, 0, 0, each === ira ? zeros : random(32))),
  });
  return {
    source:
      "made by this program and frozen: a chain of commits of each kind, and the first of a room of two",
    site: hex(site),
    passSeed: hex(seed),
    commits,
  };
});

await write("message", async () => {
  const { server, ira, sam, site, room } = await place();
  const random = seededRandom("message");
  const secret = random(32), commitHash = random(32);
  const members = [ira, sam].map(({ identity }) => identity.id);
  const chains = senderChains(secret, noKeyFile, commitHash, members);
  const { next } = chainStep(chains[0]);
  const { messageKey } = chainStep(next);
  const view = { pos: 41, hash: random(32) };
  const header = {
    kind: messageKinds.ordinary,
    room,
    epoch: 3,
    commit: commitHash.slice(0, namedCommitBytes),
    sender: ira.identity.id,
    n: 1,
    view: { ...view, headSig: signHead({ site, room }, view, server.identity.signing) },
    salt: random(16),
  };
  const content = {
    type: contentTypes.text,
    msgId: random(16),
    timeMs: 1_700_000_000_123,
    body: text("hello"),
  };
  const bytes = sealMessage(header, content, messageKey, commitHash, ira.identity.signing);
  return {
    source: "made by this program and frozen",
    sender: "ira",
    secret: hex(secret),
    commitHash: hex(commitHash),
    members: members.map(hex),
    chains: chains.map(hex),
    messageKey: hex(messageKey),
    header: hex(encodeHeader(header)),
    content: hex(encodeContent(content)),
    msgId: hex(content.msgId),
    timeMs: content.timeMs,
    text: "hello",
    bytes: hex(bytes),
  };
});

await write("transit", async () => {
  const { room } = await place();
  const random = seededRandom("transit");
  const [secret, traffic] = [random(32), random(32)];
  const key = new TransitSealer(room, 7, secret);
  const link = new RecordSealer(traffic);
  const record = hex(link.seal(text("before")));
  const frames = [1, 300].map((length) => {
    const plaintext = random(length);
    const frame = key.seal(plaintext);
    const wire = new Uint8Array(frame.shared.length + tagBytes);
    link.putTransit(frame, wire);
    return { plaintext: hex(plaintext), digest: hex(frame.digest), wire: hex(wire) };
  });
  return {
    source:
      "made by this program and frozen: a record, then two frames on a link whose traffic secret is given",
    room: hex(room),
    key: 7,
    secret: hex(secret),
    traffic: hex(traffic),
    record: { plaintext: hex(text("before")), wire: record },
    frames,
  };
});

await write("file", async () => {
  const random = seededRandom("file");
  const [fileId, key, traffic] = [random(16), random(32), random(32)];
  const textOf = (size: number) => Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 255);
  const cases = [];
  for (const size of [0, 1, chunkBytes, 2 * chunkBytes, 2 * chunkBytes + 1000]) {
    const content = textOf(size), chunks = chunkCount(size);
    const sealed = [];
    for (let i = 0; i < chunks; i++) {
      const plain = new Uint8Array(i === chunks - 1 ? lastChunkBytes(size) : chunkBytes);
      plain.set(content.subarray(i * chunkBytes, (i + 1) * chunkBytes));
      const chunk = await sealChunk({ fileId, key, chunks }, i, plain, random);
      sealed.push({ salt: hex(chunk.subarray(0, 16)), length: chunk.length, sha256: hex(sha256(chunk)) });
    }
    cases.push({ size, sha256: hex(sha256(content)), chunks: sealed });
  }
  const told = {
    fileId,
    size: 1000,
    key,
    sha256: sha256(textOf(1000)),
    until: 1_800_000_000,
    name: "report (final) ü.pdf",
    words: "as promised",
  };
  const chunk = random(40);
  const frame = carry({ type: "BLOB_PUT", ref: 7, file: fileId, index: 3, chunk });
  const link = new RecordSealer(traffic);
  const wire = new Uint8Array(frame.shared.length + tagBytes);
  link.putTransit(frame, wire);
  return {
    source: "made by this program and frozen: byte i of each file is i * 31 + floor(i / 256), modulo 256",
    fileId: hex(fileId),
    key: hex(key),
    cases,
    message: {
      ...told,
      fileId: hex(fileId),
      key: hex(key),
      sha256: hex(told.sha256),
      body: hex(encodeFileMessage(told)),
    },
    carried: { traffic: hex(traffic), n: 0, ref: 7, index: 3, chunk: hex(chunk), wire: hex(wire) },
  };
});

await write("ed25519", () => ({
  source:
    "scripts/ed25519_edges.ts, frozen: signatures on which implementations differ; is_valid is the protocol's rule",
  cases: edgeCases(seededRandom("ed25519")),
}));

await write("refused_rsa", () => ({
  source: "node:crypto, once: RSA keys that no identity may have. Making them takes half a minute",
  keys: ([["512 bits", 512, 65537], ["2048 bits", 2048, 65537], ["4096 bits", 4096, 65537], [
    "e = 3",
    3072,
    3,
  ]] as const).map(([what, modulusLength, publicExponent]) => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength, publicExponent });
    return {
      what,
      spki: hex(publicKey.export({ format: "der", type: "spki" })),
      pem: privateKey.export({ format: "pem", type: "pkcs8" }),
    };
  }),
}));

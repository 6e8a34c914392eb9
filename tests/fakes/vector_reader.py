"""An independent reader of the frozen vectors: from the protocol's text alone, with Python's cryptography.

    python3 vector_reader.py FOLDER        prints "ok NAME" for each file that it has read through
"""

import hashlib, hmac, json, struct, sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

try:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ImportError:
    CFB = modes.CFB


def load(name):
    with open(f"{sys.argv[1]}/{name}.json") as file:
        return json.load(file)


def unhex(text):
    return bytes.fromhex(text)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def labelled(label, *parts):
    text = label.encode()
    framed = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return sha256(struct.pack(">H", len(text)), text, framed)


def expand(prk, info, length):
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = mac(prk, block, info, bytes([i]))
        out, i = out + block, i + 1
    return out[:length]


def kdf(prk, label, context, length):
    return expand(prk, b"chat2 " + label.encode() + b"\0" + context, length)


def cfb(key, iv, ciphertext):
    decryptor = Cipher(algorithms.AES(key), CFB(iv)).decryptor()
    return decryptor.update(ciphertext) + decryptor.finalize()


def unseal(secret, label, salt, ad, sealed):
    keys = kdf(secret, label, salt, 80)
    ke, km, iv = keys[:32], keys[32:64], keys[64:]
    ct, tag = sealed[:-32], sealed[-32:]
    assert hmac.compare_digest(mac(km, struct.pack(">I", len(ad)), ad, ct), tag), "tag"
    return cfb(ke, iv, ct)


def verify(public, label, message, signature):
    key = ed25519.Ed25519PublicKey.from_public_bytes(public)
    key.verify(signature, label.encode() + b"\0" + message)


def refuses(public, label, message, signature):
    try:
        verify(public, label, message, signature)
    except Exception:
        return True
    return False


people = {each["name"]: each for each in load("keys")["people"]}


def head():
    v = load("head")
    site = labelled("chat2 site", unhex(v["serverId"]), unhex(v["runId"]))
    assert site == unhex(v["site"])
    text = site + unhex(v["room"]) + struct.pack(">Q", v["pos"]) + unhex(v["history"])
    verify(unhex(v["serverEd"]), "chat2 head", text, unhex(v["signature"]))
    assert refuses(unhex(v["serverEd"]), "chat2 head", text[:-1] + b"\0", unhex(v["signature"]))


def entries():
    v = load("entries")
    history = unhex(v["room"])
    for each in v["entries"]:
        digest = sha256(unhex(each["bytes"]))
        assert digest == unhex(each["digest"])
        e = labelled("chat2 entry", bytes([each["kind"]]), digest)
        assert e == unhex(each["e"])
        history = sha256(history, e)
        assert history == unhex(each["history"])


def box():
    v = load("box")
    raw, prekey = unhex(v["bytes"]), unhex(v["prekey"]["bytes"])
    assert raw[0] == 2 and len(raw) == 1605
    recipient, prekey_id, ephemeral = raw[1:33], raw[33:37], raw[37:69]
    ct_rsa, ct_mlkem, sealed = raw[69:453], raw[453:1541], raw[1541:]
    assert labelled("chat2 box", raw) == unhex(v["hash"])
    assert recipient == prekey[1:33] and prekey_id == prekey[33:37]
    place = {name: unhex(v["context"][name]) for name in ("room", "prev", "author")}
    epoch = struct.pack(">I", v["context"]["epoch"])
    ctx = labelled("chat2 box ctx", place["room"], epoch, place["prev"], place["author"], recipient, prekey,
                   ephemeral, ct_mlkem)
    rsa = serialization.load_der_private_key(unhex(people[v["recipient"]]["rsaPkcs8"]), None)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"chat2 box\0" + ctx)
    r = rsa.decrypt(ct_rsa, oaep)
    own = x25519.X25519PrivateKey.from_private_bytes(unhex(v["prekey"]["x25519"]))
    dh = own.exchange(x25519.X25519PublicKey.from_public_bytes(ephemeral))
    k = mac(ctx, r + dh + unhex(v["mlkemShared"]))
    secret = unseal(k, "box", sha256(ct_rsa), ctx, sealed)
    assert secret == unhex(v["secret"])
    prk = mac(b"chat2 check", secret + unhex(v["roomKey"]))
    check = kdf(prk, "check", place["room"] + epoch + place["prev"] + place["author"], 32)
    assert check == unhex(v["check"])


class Fields:
    """Reads a body from its beginning to its end."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, length):
        part = self.raw[self.at:self.at + length]
        assert len(part) == length, "cut"
        self.at += length
        return part

    def number(self, length):
        return int.from_bytes(self.take(length), "big")

    def vec8(self):
        return self.take(self.number(1))

    def list(self, length, read):
        return [read() for _ in range(self.number(length))]


def skeleton(name):
    return name.decode().lower().replace("i", "l").replace("1", "l").replace("0", "o")


def read_commit(raw):
    f = Fields(raw)
    assert f.number(1) == 2
    c = {"how": f.number(1), "room": f.take(32), "epoch": f.number(4), "prev": f.take(32), "author": f.take(32)}
    c["time"], c["view_pos"], c["view"] = f.number(8), f.number(8), f.take(96)
    c["policy"], c["name"] = f.number(1), f.vec8()
    c["roster"] = f.list(2, lambda: (f.take(32), f.number(1), f.number(4), f.vec8(), f.take(32)))
    c["leaves"] = f.list(1, lambda: (f.take(32), f.number(4), f.take(64)))
    c["passes"] = f.list(1, lambda: (f.take(32), f.number(8), f.vec8()))
    c["bans"] = f.list(1, lambda: f.take(32))
    c["use"], c["check"] = f.vec8(), f.take(32)
    body = raw[:f.at]
    c["signature"] = f.take(64)
    assert f.at == len(raw)
    return c, body


def commits():
    v, place, before = load("commits"), load("head"), None
    site, server = unhex(v["site"]), unhex(place["serverEd"])
    ed = {unhex(each["id"]): unhex(each["edPublic"]) for each in people.values()}
    assert site == unhex(place["site"])
    for each in v["commits"]:
        raw = unhex(each["bytes"])
        c, body = read_commit(raw)
        verify(ed[c["author"]], "chat2 commit", site + body, c["signature"])
        assert refuses(ed[c["author"]], "chat2 commit", bytes(32) + body, c["signature"])
        assert labelled("chat2 commit", raw) == unhex(each["hash"]) and c["epoch"] == each["epoch"]
        ids = [line[0] for line in c["roster"]]
        own = c["roster"][ids.index(c["author"])]
        assert own[4] == bytes(32) and not set(ids) & set(c["bans"])
        if c["epoch"] == 0:
            assert c["view_pos"] == 0 and c["view"] == c["room"] + bytes(64)
            if c["policy"] == 2:
                assert c["room"] == labelled("chat2 direct", site, *sorted(ids)) and c["prev"] == bytes(32)
            else:
                assert c["room"] == labelled("chat2 room", c["author"], c["name"], c["prev"])
            before = (c, raw)
            continue
        last, last_raw = before
        assert c["prev"] == labelled("chat2 commit", last_raw) and c["epoch"] == last["epoch"] + 1
        text = site + c["room"] + struct.pack(">Q", c["view_pos"]) + c["view"][:32]
        verify(server, "chat2 head", text, c["view"][32:])
        for who, epoch, signature in c["leaves"]:
            verify(ed[who], "chat2 leave", c["room"] + struct.pack(">I", epoch), signature)
            assert who not in ids
        lines = [line[:4] for line in c["roster"]]
        if c["how"] > 0:
            assert lines[:-1] == [line[:4] for line in last["roster"]]
            assert lines[-1] == (c["author"], 0, c["epoch"], own[3])
            assert (c["policy"], c["bans"], c["leaves"]) == (last["policy"], last["bans"], [])
        if c["how"] == 2:
            key, signature = c["use"][:32], c["use"][32:]
            verify(key, "chat2 pass", site + c["room"] + c["author"], signature)
            used = [each for each in last["passes"] if each[0] == key]
            assert len(used) == 1 and used[0][1] >= c["time"] and skeleton(used[0][2]) in ("", skeleton(own[3]))
            assert c["passes"] == [each for each in last["passes"] if each[0] != key]
        else:
            assert c["use"] == b""
        before = (c, raw)


def message():
    v = load("message")
    commit_hash, raw = unhex(v["commitHash"]), unhex(v["bytes"])
    ek = mac(commit_hash, unhex(v["secret"]) + bytes(32))
    chains = [kdf(ek, "sender", unhex(each), 32) for each in v["members"]]
    assert chains == [unhex(each) for each in v["chains"]]
    header, length = raw[:210], struct.unpack(">I", raw[210:214])[0]
    sealed, signature = raw[214:214 + length], raw[214 + length:]
    assert header == unhex(v["header"]) and len(signature) == 64
    assert header[:2] == b"\2\1" and header[38:54] == commit_hash[:16]
    sender, n = header[54:86], struct.unpack(">I", header[86:90])[0]
    verify(unhex(people[v["sender"]]["edPublic"]), "chat2 message", commit_hash + raw[:-64], signature)
    chain = chains[[unhex(each) for each in v["members"]].index(sender)]
    for _ in range(n):
        chain = mac(chain, b"\2")
    key = mac(chain, b"\1")
    assert key == unhex(v["messageKey"])
    content = unseal(key, "message", header, commit_hash, sealed)
    assert content == unhex(v["content"]) and len(content) in (128, 256, 512)
    assert content[0] == 1 and content[1:17] == unhex(v["msgId"])
    assert struct.unpack(">Q", content[17:25])[0] == v["timeMs"]
    size = struct.unpack(">I", content[25:29])[0]
    assert content[29:29 + size].decode() == v["text"] and not any(content[29 + size:])
    # The view in the header is signed by the server of the head's vector.
    place = load("head")
    view = header[90:194]
    text = unhex(place["site"]) + header[2:34] + view[:40]
    verify(unhex(place["serverEd"]), "chat2 head", text, view[40:])


def transit():
    v = load("transit")
    room, number = unhex(v["room"]), struct.pack(">I", v["key"])
    keys = kdf(unhex(v["secret"]), "transit", room + number, 64)
    ke, kiv = keys[:32], keys[32:]
    ecb = Cipher(algorithms.AES(kiv), modes.ECB()).encryptor()
    kt = kdf(unhex(v["traffic"]), "transit tag", b"", 32)
    for c, frame in enumerate(v["frames"]):
        wire = unhex(frame["wire"])
        length, key, counter = struct.unpack(">IIQ", wire[:16])
        assert length & 0x80000000 and key == v["key"] and counter == c
        ct, tag = wire[16:-32], wire[-32:]
        assert len(ct) == length & 0x7FFFFFFF
        digest = sha256(wire[:-32])
        assert digest == unhex(frame["digest"])
        n = c + 1  # a record came before
        assert mac(kt, struct.pack(">Q", n), wire[:4], digest) == tag
        assert cfb(ke, ecb.update(struct.pack(">QQ", 0, c)), ct) == unhex(frame["plaintext"])


def file():
    v = load("file")
    file_id, fk, chunk_bytes = unhex(v["fileId"]), unhex(v["key"]), 61440
    for case in v["cases"]:
        size = case["size"]
        text = bytes((i * 31 + (i >> 8)) & 255 for i in range(size))
        assert sha256(text) == unhex(case["sha256"])
        count = max(1, -(-size // chunk_bytes))
        assert len(case["chunks"]) == count
        for index, chunk in enumerate(case["chunks"]):
            last = index == count - 1
            plain = text[index * chunk_bytes:(index + 1) * chunk_bytes]
            padded = chunk_bytes
            if count == 1:
                padded = 128
                while padded < size:
                    padded *= 2
                padded = min(padded, chunk_bytes)
            plain += bytes(padded - len(plain))
            salt = unhex(chunk["salt"])
            ad = file_id + struct.pack(">QB", index, last)
            keys = kdf(fk, "file", salt, 80)
            ke, km, iv = keys[:32], keys[32:64], keys[64:]
            encryptor = Cipher(algorithms.AES(ke), CFB(iv)).encryptor()
            ct = encryptor.update(plain) + encryptor.finalize()
            sealed = salt + ct + mac(km, struct.pack(">I", len(ad)), ad, ct)
            assert len(sealed) == chunk["length"] and sha256(sealed) == unhex(chunk["sha256"])
    m = v["message"]
    body = unhex(m["body"])
    name, words = m["name"].encode(), m["words"].encode()
    assert body == b"".join((
        file_id, struct.pack(">Q", m["size"]), unhex(m["key"]), unhex(m["sha256"]), struct.pack(">Q", m["until"]),
        struct.pack(">B", len(name)), name, struct.pack(">H", len(words)), words))
    c = v["carried"]
    wire, kt = unhex(c["wire"]), kdf(unhex(c["traffic"]), "transit tag", b"", 32)
    put = struct.pack(">I", c["ref"]) + file_id + struct.pack(">I", c["index"]) + unhex(c["chunk"])
    inner = struct.pack(">BI", 0x30, len(put)) + put
    head = struct.pack(">I", 0x40000000 | len(inner))
    digest = sha256(head + inner)
    assert wire == head + inner + mac(kt, struct.pack(">Q", c["n"]), head, digest)


for check in (head, entries, box, commits, message, transit, file):
    check()
    print("ok", check.__name__)

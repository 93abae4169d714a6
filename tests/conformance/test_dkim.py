"""DKIM by `postern dkim verify|sign --batch`: public vectors, and our own rules.

test_dkim_second_opinion.py compares with python3-dkim on thousands of messages.
"""
import base64

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from conformance import batch, shared_path, shared_rows


def zone(records):
    return [[name.rstrip("."), "TXT", text.lstrip("!")] for name, text in records.items()]


def test_public_vectors():
    """Every row, also those not marked clean: their `modern` is what RFC 6376, 8301 and 8463 say."""
    rows = shared_rows("dkim", "cases.jsonl")
    lines = [{"id": row["id"], "message": shared_path("dkim", row["message"]), "dns": zone(row["dns"])} for row in rows]
    for row, line in zip(rows, lines):
        if "now" in row:
            line["now"] = row["now"]
    wrong = []
    for row, answer in zip(rows, batch("dkim", "verify", lines)):
        got = answer["result"] if answer["result"] in ("pass", "none") else "notpass"
        if got != row["modern"]:
            wrong.append((row["id"], row["modern"], answer, row["flags"]))
        for want, one in zip(row.get("per_sig", []), answer["signatures"]):
            if row["clean"] and (want == "pass") != (one["result"] == "pass"):
                wrong.append((row["id"], row["per_sig"], answer))
    assert not wrong, wrong
    assert sum(row["clean"] for row in rows) >= 65


class Key:
    def __init__(self, kind, bits=1024):
        secret = rsa.generate_private_key(65537, bits) if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
        form = serialization.PrivateFormat.TraditionalOpenSSL if kind == "rsa" else serialization.PrivateFormat.PKCS8
        self.kind = kind
        self.pem = secret.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
        if kind == "rsa":
            public = secret.public_key().public_bytes(serialization.Encoding.DER,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo)
        else:
            public = secret.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            self.seed = base64.b64encode(secret.private_bytes(
                serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()))
        self.record = f"v=DKIM1; k={kind}; p=" + base64.b64encode(public).decode()

    def for_dkimpy(self):
        return self.pem.encode() if self.kind == "rsa" else self.seed


@pytest.fixture(scope="module")
def keys():
    return {"rsa": Key("rsa"), "rsa2048": Key("rsa", 2048), "ed25519": Key("ed25519"), "short": Key("rsa", 768)}


def b64(message):
    return base64.b64encode(message).decode()


MESSAGE = b"From: Joe <joe@example.org>\r\nTo: a@example.net\r\nSubject: hello\r\n\r\nHi  there \r\n\r\n\r\n"
CANON = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]


def sign(key, message=MESSAGE, **more):
    line = dict({"id": 1, "message_b64": b64(message), "domain": "example.org", "selector": "s1", "key": key.pem}, **more)
    answer = batch("dkim", "sign", [line])[0]
    assert "header" in answer, answer
    return answer["header"].encode()


def verify(message, record, **more):
    dns = more.pop("dns", [["s1._domainkey.example.org", "TXT", record]])
    return batch("dkim", "verify", [dict({"id": 1, "message_b64": b64(message), "dns": dns}, **more)])[0]


def first(answer):
    return answer["signatures"][0]["result"], answer["signatures"][0]["reason"]


@pytest.mark.parametrize("canon", CANON)
@pytest.mark.parametrize("kind", ["rsa", "rsa2048", "ed25519"])
def test_what_we_sign_verifies_here_and_there(keys, kind, canon):
    key = keys[kind]
    signed = sign(key, canonicalization=canon) + MESSAGE
    assert verify(signed, key.record)["result"] == "pass"
    assert dkim.verify(signed, dnsfunc=lambda *a, **k: key.record.encode())
    assert verify(signed + b"more\r\n", key.record)["result"] == "fail"
    assert verify(signed.replace(b"hello", b"jello"), key.record)["result"] == "fail"


def test_a_second_from_breaks_the_signature(keys):
    field = sign(keys["rsa"])
    assert field.count(b"from:") == 1 and b"h=from:" in field and field.lower().count(b":from;") == 1
    forged = field + b"From: ceo@example.org\r\n" + MESSAGE
    assert verify(forged, keys["rsa"].record)["result"] == "fail"


def test_rules_of_the_key_and_the_time(keys):
    key = keys["rsa"]
    signed = sign(key, timestamp=1000000) + MESSAGE
    p = key.record.partition("p=")[2]
    for record, result in [("v=DKIM1; p=", "permerror"), (f"v=DKIM1; h=sha1; p={p}", "permerror"),
                           (f"v=DKIM1; s=other; p={p}", "permerror"), (f"v=DKIM1; k=ed25519; p={p}", "permerror"),
                           (f"v=DKIM2; p={p}", "permerror"), (f"v=DKIM1; p={p}; p={p}", "permerror"),
                           ("v=DKIM1; p=AAAA", "permerror"), (f"p={p}", "pass"), (f"v=DKIM1; t=y:s; p={p}", "pass")]:
        assert first(verify(signed, record))[0] == result, record
    assert verify(signed, "", dns=[])["result"] == "permerror"
    assert verify(signed, "", dns=[["s1._domainkey.example.org", "TXT", "TIMEOUT"]])["result"] == "temperror"
    short = sign(keys["short"]) + MESSAGE
    assert verify(short, keys["short"].record)["result"] == "policy"
    assert verify(short, keys["short"].record, min_rsa_bits=512)["result"] == "pass"
    assert verify(MESSAGE, key.record) == {"id": 1, "result": "none", "signatures": []}


def signed_there(key, message=MESSAGE, **more):
    algorithm = {"rsa": b"rsa-sha256", "ed25519": b"ed25519-sha256"}[key.kind]
    return dkim.sign(message, b"s1", b"example.org", key.for_dkimpy(),
                     **{"signature_algorithm": algorithm, **more}) + message


def test_old_hash_and_partial_bodies_are_not_trusted(keys):
    key = keys["rsa"]
    old = signed_there(key, signature_algorithm=b"rsa-sha1")
    assert verify(old, key.record)["result"] == "permerror"
    assert verify(old, key.record, allow_sha1=True)["result"] == "pass"
    partial = signed_there(key, length=True)
    assert verify(partial, key.record)["result"] == "pass"
    assert first(verify(partial + b"advertisement\r\n", key.record))[0] == "policy"


def test_signatures_without_end_are_bounded(keys):
    bad = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=s1; h=from; bh=AAAA; b=AAAA\r\n"
    answer = verify(bad * 500 + MESSAGE, keys["rsa"].record)
    assert len(answer["signatures"]) == 10 and answer["result"] == "fail"
    assert verify(b"X: y\r\n" * 5000 + MESSAGE, keys["rsa"].record)["result"] == "permerror"
    assert verify(b"X: " + b"y" * (1 << 21) + b"\r\n" + MESSAGE, keys["rsa"].record)["result"] == "permerror"


def test_fields_of_dkim2_are_left_alone(keys):
    signed = b"DKIM2-Signature: i=1; v=1; d=example.org; b=xx\r\n" + sign(keys["rsa"]) + MESSAGE
    answer = verify(signed, keys["rsa"].record)
    assert answer["result"] == "pass" and len(answer["signatures"]) == 1

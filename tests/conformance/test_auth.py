"""`postern auth`: the verdicts together, tricks that make a message look like somebody else's, and what people see."""
import base64
import json
import subprocess

import pytest

from conformance import batch
from support import program
from test_dkim import MESSAGE, Key, sign


@pytest.fixture(scope="module")
def world():
    key = Key("rsa", 2048)
    zone = [["s1._domainkey.example.org", "TXT", key.record], ["_dmarc.example.org", "TXT", "v=DMARC1; p=reject"],
            ["example.org", "TXT", "v=spf1 ip4:192.0.2.25 -all"], ["25.2.0.192.in-addr.arpa", "PTR", "mail.example.org"],
            ["mail.example.org", "A", "192.0.2.25"]]
    return key, zone


def ask(world, message, **more):
    line = {"id": 1, "message_b64": base64.b64encode(message).decode(), "ip": "192.0.2.25", "helo": "mail.example.org",
            "from": "joe@example.org", "authserv_id": "mx.example.com", "dns": world[1]}
    return batch("auth", [dict(line, **more)])[0]


VERDICTS = ("spf", "dkim", "dmarc", "arc", "iprev")


def verdicts(answer):
    return tuple(answer[v] for v in VERDICTS)


def test_all_well(world):
    answer = ask(world, sign(world[0]) + MESSAGE)
    assert verdicts(answer) == ("pass", "pass", "pass", "none", "pass")
    lines = answer["header"].split("\r\n")
    assert lines[0] == "Authentication-Results: mx.example.com;" and lines[-1] == ""
    assert all(line.startswith("\t") and len(line) < 90 for line in lines[1:-1])
    for part in ("spf=pass smtp.mailfrom=joe@example.org", "dkim=pass header.d=example.org header.s=s1 header.a=rsa-sha256",
                 "dmarc=pass (p=reject dis=none) header.from=example.org", "arc=none", "iprev=pass policy.iprev=192.0.2.25"):
        assert part in answer["header"]


def test_a_stranger(world):
    answer = ask(world, MESSAGE, ip="198.51.100.1")
    assert verdicts(answer) == ("fail", "none", "fail", "none", "fail")
    assert "dmarc=fail (p=reject dis=reject)" in answer["header"]
    assert verdicts(ask(world, MESSAGE, ip="")) == ("none", "none", "fail", "none", "none")
    assert ask(world, MESSAGE, ptr="mail.example.org")["iprev"] == "pass"
    assert ask(world, MESSAGE, ip="198.51.100.1", ptr="mail.example.org")["iprev"] == "fail"


@pytest.mark.parametrize("header,dmarc", [
    (b"From: a@example.org\r\nFrom: b@evil.example\r\n", "permerror"),
    (b"From: b@evil.example\r\nFrom: a@example.org\r\n", "permerror"),
    (b"From : a@example.org\r\n", "pass"),
    (b"From:\r\n a@example.org\r\n", "pass"),
    (b"From: a@example.org, b@evil.example\r\n", "permerror"),
    (b"From: <a@evil.example>, a@example.org\r\n", "permerror"),
    (b"From: a@example.org\x00.evil.example\r\n", "permerror"),
    (b"From: a@evil.example(a@example.org)\r\n", "none"),
    (b"From: =?utf-8?q?a=40example.org?= <a@evil.example>\r\n", "none"),
    (b"From: a@EXAMPLE.org.\r\n", "pass"),
    (b"To: x@example.net\r\n", "permerror"),
    (b"\xc3\xbf\r\nFrom: a@example.org\r\n", "pass"),
])
def test_who_the_author_is(world, header, dmarc):
    """SPF passes for example.org: only a message whose one author is there may profit."""
    answer = ask(world, header + b"Subject: x\r\n\r\nbody\r\n")
    assert answer["dmarc"] == dmarc, answer


def test_text_of_strangers_stays_in_its_place(world):
    answer = ask(world, MESSAGE, **{"from": "\"a; dkim=pass (\"@example.org"})
    assert answer["header"].count("dkim=") == 2 and "smtp.mailfrom=\"\\\"a; dkim=pass (\\\"@example.org\"" in answer["header"]
    assert "error" in batch("auth", [{"id": 1, "message_b64": "", "authserv_id": "a; spf=pass"}])[0]


def run(tmp_path, world, *words, message=MESSAGE):
    (tmp_path / "mail.eml").write_bytes(message)
    (tmp_path / "dns.json").write_text(json.dumps(world[1]))
    (tmp_path / "key.pem").write_text(world[0].pem)
    argv = [program("src", "postern"), *words, "--dns", "dns.json"]
    return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60)


def test_what_people_see(tmp_path, world):
    good = sign(world[0]) + MESSAGE
    for words, message, status, text in [
            (("dkim", "verify", "mail.eml"), good, 0, "✓ pass: example.org, selector s1, rsa-sha256, 2048 bits"),
            (("dkim", "verify", "mail.eml"), good + b"x", 2, "because: the body was changed"),
            (("dkim", "verify", "mail.eml"), MESSAGE, 1, "? none: the message has no DKIM signature"),
            (("dkim", "verify", "absent.eml"), good, 66, ""),
            (("dkim", "verify"), good, 64, ""),
            (("arc", "verify", "mail.eml"), good, 1, "? none: the message has no ARC chain"),
            (("dmarc", "eval", "a@x.example.org", "--dkim", "example.org"), b"", 0, "✓ pass: x.example.org"),
            (("dmarc", "eval", "a@x.example.org"), b"", 2, "the owner asks for: reject"),
            (("auth", "mail.eml", "--ip", "192.0.2.25", "--from", "a@example.org"), good, 0, "✓ dmarc  pass"),
            (("auth", "mail.eml"), MESSAGE, 2, "✖ dmarc  fail")]:
        done = run(tmp_path, world, *words, message=message)
        assert done.returncode == status and text in done.stdout, (words, done)


def test_signing_by_hand(tmp_path, world):
    words = ["--domain", "example.org", "--selector", "s1", "--key", "key.pem"]
    field = run(tmp_path, world, "dkim", "sign", *words, "mail.eml")
    assert field.returncode == 0 and field.stdout.startswith("DKIM-Signature: v=1;")
    assert ask(world, field.stdout.replace("\n", "\r\n").encode() + MESSAGE)["dkim"] == "pass"
    sealed = run(tmp_path, world, "arc", "seal", *words, "--authserv-id", "mx.example.com", "mail.eml")
    assert sealed.returncode == 0 and sealed.stdout.count("ARC-") == 3
    assert ask(world, sealed.stdout.replace("\n", "\r\n").encode() + MESSAGE)["arc"] == "pass"

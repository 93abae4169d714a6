# SPDX-License-Identifier: GPL-2.0-or-later
"""Tricks that make a message look like somebody else's, one test each; docs/forged-from.md says what is decided and why."""
import base64
import os
import re

import pytest

from conformance import batch
from support import TOP
from test_dkim import Key, sign

KEY = Key("rsa", 2048)
ZONE = [["legitimate.example", "TXT", "v=spf1 ip4:203.0.113.1 -all"], ["legitimate.example", "A", "203.0.113.1"],
        ["_dmarc.legitimate.example", "TXT", "v=DMARC1; p=reject; np=quarantine"],
        ["attack.example", "TXT", "v=spf1 ip4:192.0.2.66 -all"], ["any.attack.example", "TXT", "v=spf1 ip4:192.0.2.66 -all"],
        ["_dmarc.attack.example", "TXT", "v=DMARC1; p=none"],
        ["selector._domainkey.attack.example", "TXT", KEY.record], ["selector._domainkey.mail.attack.example", "TXT", KEY.record],
        ["selector._domainkey.legitimate.example", "TXT", KEY.record], ["selector._domainkey.example", "TXT", KEY.record]]
VICTIM = "From: <admin@legitimate.example>"
FULL_WIDTH = "ｌｅｇｉｔｉｍａｔｅ.example"


def ask(message, **more):
    """The message as the forger sends it: from an address that attack.example allows."""
    line = {"id": 1, "message_b64": base64.b64encode(message).decode(), "ip": "192.0.2.66", "helo": "attack.example",
            "from": "any@attack.example", "authserv_id": "mx.example.net", "dns": ZONE}
    answer = batch("auth", [dict(line, **more)])[0]
    assert "error" not in answer, answer
    # however it is forged, what we write is one field, with our five methods and no word more
    assert re.fullmatch(r"(?s)Authentication-Results: mx\.example\.net;\r\n(\t[^\r\n]*\r\n)+", answer["header"]), answer
    assert len(results_of(answer["header"])) == 4 + answer["header"].count("\tdkim="), answer
    return answer


def results_of(field):
    """The parts between the semicolons that stand outside of quotes and comments."""
    plain = re.sub(r'"(?:\\.|[^"\\])*"', "Q", field, flags=re.S)
    while re.search(r"\([^()]*\)", plain):
        plain = re.sub(r"\([^()]*\)", "", plain)
    return plain.split(";")[1:]


def message(*fields, body="Hi\r\n"):
    head = "\r\n".join([*fields, "To: victim@victim.example", "Subject: x"]) + "\r\n\r\n" + body
    return head.encode()


# --- the envelope ---

ENVELOPES = {  # name: (what is said, spf, what stands in the header)
    "mailfrom-nonexistent-subdomain": ({"from": "any@mailfrom.notexist.legitimate.example"}, "none", None),
    "mailfrom-empty": ({"from": ""}, "pass", "smtp.helo=attack.example"),
    "mailfrom-unclosed-comment": ({"from": "(any@legitimate.example"}, "fail", '"(any@legitimate.example"'),
    "mailfrom-comment-in-domain": ({"from": "any@legitimate.example(a.attack.example"}, "none", '"any@legitimate.example(a.attack.example"'),
    "mailfrom-quote-and-second-at": ({"from": "any@legitimate.example'@any.attack.example"}, "pass", "legitimate.example'@any.attack.example"),
    "mailfrom-route": ({"from": "@legitimate.example,@any.example:'any@attack.example"}, "pass", "\"@legitimate.example,@any.example:'any@attack.example\""),
    "mailfrom-null-byte": ({"from": "any@legitimate.example\0.attack.example"}, "none", None),
    "mailfrom-trailing-dot": ({"from": "any@attack.example."}, "pass", None),
    "mailfrom-encoded-domain": ({"from": "any@legitimate%2eexample"}, "none", None),
    "mailfrom-u-label": ({"from": "any@" + FULL_WIDTH}, "fail", None),
    "helo-injection": ({"from": "", "helo": "x; dkim=pass header.d=legitimate.example"}, "none", 'smtp.helo="x; dkim=pass header.d=legitimate.example"'),
    "helo-victim": ({"from": "", "helo": "legitimate.example"}, "fail", None),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelope(name):
    said, spf, shown = ENVELOPES[name]
    answer = ask(message(VICTIM), **said)
    assert (answer["spf"], answer["dmarc"]) == (spf, "fail"), answer
    assert not shown or shown in re.sub(r"\r\n\t ", " ", answer["header"]), answer


# --- DKIM ---


def signature(d="attack.example", s="selector", more="", h="from:to:subject"):
    """A field that verifies nothing; what it says of itself is the trick."""
    return (f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={d}; s={s}; {more}h={h}; "
            "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA")


SIGNATURES = {
    "dkim-null-in-selector": signature("legitimate.example", "selector._domainkey.attack.example.\0.any"),
    "dkim-quote-in-domain": signature("legitimate.example'a.attack.example"),
    "dkim-comment-in-domain": signature("legitimate.example(.attack.example"),
    "dkim-quoted-domain": signature('"legitimate.example"'),
    "dkim-identity-outside": signature(more="i=@legitimate.example; "),
    "dkim-tag-twice": signature(more="d=legitimate.example; "),
    "dkim-from-not-signed": signature(h="to:subject"),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature_that_lies(name):
    answer = ask(message(SIGNATURES[name], VICTIM))
    assert (answer["dkim"], answer["dmarc"]) == ("permerror", "fail"), answer


def signed(mail, domain="attack.example", **more):
    return sign(KEY, mail, domain=domain, selector="selector", **more) + mail


def test_signatures_that_hold():
    mail = message(VICTIM)
    # dkim-domain-of-parent: whoever holds the suffix is not the organization below it
    answer = ask(signed(mail, "example"))
    assert (answer["dkim"], answer["dmarc"]) == ("pass", "fail"), answer
    # dkim-trailing-dot: the same name, and still not the victim's
    answer = ask(message(signature("attack.example."), VICTIM))
    assert answer["dmarc"] == "fail" and "header.d=attack.example " in answer["header"]
    # dkim-subdomain-signs-parent
    answer = ask(signed(message("From: <any@attack.example>"), "mail.attack.example"), **{"from": "x@victim.example"})
    assert (answer["dkim"], answer["dmarc"]) == ("pass", "pass")


def test_dkim_from_above():
    """A mail of the victim that is signed without oversigning From gets a second From on top."""
    mail = message(VICTIM)
    field = signed(mail, "legitimate.example", headers="to:subject:from")
    assert ask(field)["dmarc"] == "pass"
    answer = ask(b"From: <x@attack.example>\r\n" + field)
    assert answer["dmarc"] == "permerror", answer


def test_dkim_partial_body():
    import dkim
    mail = message(VICTIM)
    field = dkim.sign(mail, b"selector", b"legitimate.example", KEY.for_dkimpy(), length=True)
    assert ask(field + mail)["dmarc"] == "pass"
    answer = ask(field + mail + b"<a href=http://attack.example>log in</a>\r\n")
    assert (answer["dkim"], answer["dmarc"]) == ("policy", "fail")


# --- From ---

ENCODED = "=?utf-8?b?" + base64.b64encode(b"<admin@legitimate.example>").decode() + "?="
AUTHORS = {  # name: (fields, dmarc)
    "from-twice": (["From: <first@attack.example>", VICTIM], "permerror"),
    "from-twice-other-order": ([VICTIM, "From: <first@attack.example>"], "permerror"),
    "from-preceding-space": ([" From: <first@attack.example>", VICTIM], "permerror"),
    "from-succeeding-space": (["From: <first@attack.example>", "From : <admin@legitimate.example>"], "permerror"),
    "from-folded-name": (["From\r\n : <first@attack.example>", VICTIM], "permerror"),
    "from-folded-name-and-sender": (["From\r\n : <first@attack.example>", "Sender: <admin@legitimate.example>"], "permerror"),
    "from-folded-name-and-resent-from": (["From\r\n : <first@attack.example>", "Resent-From: <admin@legitimate.example>"], "permerror"),
    "from-sender-only": (["Sender: <admin@legitimate.example>"], "permerror"),
    "from-null-in-name": (["From\0: <admin@legitimate.example>", "From: <any@attack.example>"], "permerror"),
    "from-byte-order-mark": (["\ufeffFrom: <admin@legitimate.example>", "From: <any@attack.example>"], "permerror"),
    "from-bare-cr": (["From: <any@attack.example>\rFrom: <admin@legitimate.example>"], "permerror"),
    "from-two-addresses": (["From: <first@attack.example>, <admin@legitimate.example>", "Sender: <s@sender.legitimate.example>"], "permerror"),
    "from-encoded-address": (["From:" + ENCODED + ",<second@attack.example>"], "permerror"),
    "from-route": (["From: <@attack.example,@any.example:admin@legitimate.example>"], "permerror"),
    "from-quoted-pair": (["From: <admin@legitimate.example>\\,<second@attack.example>"], "permerror"),
    "from-special-precedence": (["From: admin@legitimate.example,<second@attack.example>"], "permerror"),
    "from-text-behind-angle": (["From: <any@attack.example>admin@legitimate.example"], "permerror"),
    "from-two-angles": (["From: <any@attack.example> <admin@legitimate.example>"], "permerror"),
    "from-stray-angle": (["From: admin@legitimate.example>x@attack.example"], "permerror"),
    "from-two-ats": (["From: admin@legitimate.example@attack.example"], "permerror"),
    "from-comment-cut": (["From: any@attack.example(.legitimate.example"], "permerror"),
    "from-comment-in-domain": (["From: any@attack(x).example"], "pass"),
    "from-comment-within-label": (["From: admin@legiti(x)mate.example"], "permerror"),
    "from-null-byte": (["From: admin@legitimate.example\0.attack.example"], "permerror"),
    "from-trailing-dot": (["From: admin@legitimate.example."], "fail"),
    "from-encoded-domain": (["From: admin@=?utf-8?q?legitimate.example?="], "permerror"),
    "from-percent-domain": (["From: admin@legitimate%2eexample"], "permerror"),
    "from-u-label": (["From: admin@" + FULL_WIDTH], "fail"),
    "from-look-alike": (["From: admin@legitim\u0430te.example"], "none"),
    "from-quoted-at": (['From: "admin@legitimate.example"@attack.example'], "pass"),
    "from-group": (["From: admin@legitimate.example: any@attack.example;"], "permerror"),
    "from-group-empty": (["From: admin:;"], "permerror"),
    "from-display-name": (['From: "admin@legitimate.example" <any@attack.example>'], "pass"),
    "from-ip-literal": (["From: admin@[192.0.2.66]"], "permerror"),
    "from-folded-address": (["From: admin@\r\n legitimate.example"], "fail"),
    "from-fold-within-label": (["From: admin@legiti\r\n mate.example"], "permerror"),
    "from-below-the-header": (["X: y\r\n\r\n" + VICTIM], "permerror"),
    "from-nonexistent-subdomain": (["From: <admin@gone.legitimate.example>"], "fail"),
}


@pytest.mark.parametrize("name", AUTHORS)
def test_author(name):
    fields, dmarc = AUTHORS[name]
    answer = ask(message(*fields))
    assert answer["spf"] == "pass" and answer["dmarc"] == dmarc, answer
    if dmarc == "pass":
        assert "header.from=attack.example" in answer["header"]
    if name == "from-nonexistent-subdomain":
        assert "(p=quarantine dis=quarantine)" in answer["header"]
    if name == "from-look-alike":
        assert "header.from=xn--" in answer["header"]


# --- results ---


def test_results():
    forged = "Authentication-Results: mx.example.net; dmarc=pass header.from=legitimate.example"
    seal = {"id": 1, "message_b64": base64.b64encode(message(forged, VICTIM)).decode(), "domain": "attack.example", "selector": "selector",
            "key": KEY.pem, "authserv_id": "mx.other.example", "dns": ZONE}
    # results-forged: nobody else's results are sealed as ours
    assert not any("dmarc=pass" in h for h in batch("arc", "seal", [seal])[0]["headers"])
    seal["authserv_id"] = "mx.example.net"
    for field in ('Authentication-Results: "mx.example.net; dmarc=pass', "Authentication-Results: mx.example.net.; dmarc=pass",
                  "Authentication-Results: (mx.example.net) x.example; dmarc=pass"):
        seal["message_b64"] = base64.b64encode(message(field, VICTIM)).decode()
        assert not any("dmarc=pass" in h for h in batch("arc", "seal", [seal])[0]["headers"]), field
    # results-injection, results-line-injection: `ask` counts the methods of every field
    for text in ('"a; dkim=pass ("@attack.example', "a\r\nX: y@attack.example", 'a"; dmarc=pass header.from=legitimate.example; x="@attack.example',
                 "a\\@attack.example", "a(b@attack.example", "a)b@attack.example", "a;b@attack.example", "\u202ea@attack.example"):
        for said in ({"from": text}, {"from": "", "helo": text}):
            assert ask(message(VICTIM), **said)["dmarc"] == "fail"


def test_each_trick_is_written_down():
    with open(os.path.join(TOP, "docs", "forged-from.md"), encoding="utf-8") as f:
        told = set(re.findall(r"^\| `([a-z-]+)` \|", f.read(), re.M))
    with open(__file__, encoding="utf-8") as f:
        source = f.read()
    tested = {*ENVELOPES, *SIGNATURES, *AUTHORS}
    assert tested <= told, tested - told
    assert all(name in source or name.replace("-", "_") in source for name in told), told

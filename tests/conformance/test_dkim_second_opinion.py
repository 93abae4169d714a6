# SPDX-License-Identifier: GPL-2.0-or-later
"""DKIM beside python3-dkim: thousands of signed messages, changed or not, get the same verdict.

Where they differ the message is mended in the one respect that the difference is about (a bare CR, a line that is no field, a blank
before a colon, base64 without its padding, a last line without its end) and given to python3-dkim again: then it must say what we said of the message as it
came. docs/decisions/0004 has the reasons. What no mending explains fails the test. What python3-dkim trips over must not pass here.

DKIM_MESSAGES asks for more than 10,000, DKIM_SEED for others.
"""
import base64
import os
import random
import re

import dkim
import pytest

from conformance import batch
from test_dkim import CANON, Key, signed_there

MESSAGES = int(os.environ.get("DKIM_MESSAGES", "10000"))
CHANGES = 6  # of each signed message; the signing is what takes the time

WORDS = [b"a", b"word", b" ", b"  ", b"\t", b"\r\n", b"\r\n\r\n", b"\r\n ", b".", b"=", b"\xc3\xa9", b"x" * 100]


def random_body(rng):
    body = b"".join(rng.choice(WORDS) for _ in range(rng.randrange(40)))
    return body if not body or body.endswith(b"\r\n") else body + b"\r\n"


def random_message(rng):
    fields = [b"From: joe@example.org", b"To:  a@example.net", b"Subject: \t a  b\r\n\tc ", b"X-A:odd", b"To: b@example.net",
              b"Date:", b"Received: from x\r\n by y"]
    rng.shuffle(fields)
    return b"\r\n".join(fields) + b"\r\n\r\n" + random_body(rng)


def lines_changed(rng, message):
    """Two lines of the header change places, or one goes, or comes twice."""
    head, empty, body = message.partition(b"\r\n\r\n")
    lines = re.split(rb"\r\n(?![ \t])", head)
    i, k = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(3)
    if kind == 0:
        lines[i], lines[k] = lines[k], lines[i]
    elif kind == 1:
        lines.insert(k, lines[i])
    elif len(lines) > 2:
        del lines[i]
    return b"\r\n".join(lines) + empty + body


def changed(rng, message):
    at = rng.randrange(len(message))
    return rng.choice([
        lambda: message, lambda: message,
        lambda: message[:at] + bytes([rng.randrange(33, 127)]) + message[at + 1:],
        lambda: message[:at] + b" " + message[at:],
        lambda: message[:at] + message[at + 1:],
        lambda: message[:at] + b"\r\n " + message[at:],
        lambda: message + b"\r\n",
        lambda: message + b"\r\n \t\r\n",
        lambda: message[:-2],
        lambda: message.replace(b" \r\n", b"\r\n"),
        lambda: message.replace(b"\r\n", b" \r\n", 3),
        lambda: message.replace(b"  ", b" "),
        lambda: message.replace(b"a", b"A", 1),
        lambda: message.replace(b"To:", b"TO:").replace(b"From:", b"fROM:"),
        lambda: b"From: other@example.org\r\n" + message,
        lambda: message.replace(b"bh=", b"bh= ").replace(b"b=", b"b=\r\n\t"),
        lambda: lines_changed(rng, message),
    ])()


# --- what python3-dkim says: True, False, or the name of what it trips over ---


def there(message, record):
    try:
        return dkim.verify(message, dnsfunc=lambda *a, **k: record.encode())
    except dkim.DKIMException as e:
        return type(e).__name__
    except Exception as e:  # broken base64, signatures of another length: it has no own word for these
        return type(e).__name__


def header_apart(message):
    head, empty, body = message.partition(b"\r\n\r\n")
    return re.split(rb"\r\n(?![ \t])", head), empty + body


def line_ends(message):
    """A bare CR ends a line, as where mail is received (mail/header.h)."""
    return re.sub(rb"\r+\n|\r+|\n", b"\r\n", message)


def nameless(message):
    """A line that is no field is none of the signed ones."""
    fields, rest = header_apart(message)
    return b"\r\n".join(f for f in fields if re.match(rb"[!-9;-~]+[ \t]*:", f)) + rest


def signature_tag(message, name):
    """The value of a tag of the DKIM-Signature field, and where it stands."""
    return re.search(rb"(?is)^DKIM-Signature[ \t]*:(?:[^;]*;)*?\s*%s\s*=([^;]*?)(?=;|\r\n[^ \t]|$)" % name, message)


def blank_before_colon(message):
    """RFC 5322 4.5.3 allows it. Of a signed field RFC 6376 3.4.2 takes it out, and 3.4.1 does not; of another it is nothing."""
    is_relaxed = b"relaxed" in (signature_tag(message, b"c") or [b"", b""])[1].partition(b"/")[0]
    signed = [] if is_relaxed else re.findall(rb"[^\s:]+", (signature_tag(message, b"h") or [b"", b""])[1].lower())

    def mended(field):
        name, blanks, rest = re.match(rb"(?s)([!-9;-~]*)([ \t]*)(.*)", field).groups()
        return field if name.lower() in signed or not rest.startswith(b":") else name + rest
    fields, rest = header_apart(message)
    return b"\r\n".join(mended(f) for f in fields) + rest


def padding(message):
    """RFC 6376 3.5 b=, 2.10: in base64string the equals signs at the end are optional."""
    b = signature_tag(message, b"b")
    if not b:
        return message
    return message[:b.end(1)] + b"=" * (-len(re.sub(rb"\s", b"", b[1])) % 4) + message[b.end(1):]


def last_line(message):
    """A body that does not end with a line end: what follows the last one is a line like any other (RFC 6376 3.4.4)."""
    return message if message.endswith(b"\r\n") else message + b"\r\n"


def explained(message, ours, record):
    """Which mending makes python3-dkim say what we say; None: none does."""
    names = []
    for mend in (line_ends, nameless, blank_before_colon, padding, last_line):
        mended = mend(message)
        if mended != message:
            names.append(mend.__name__)
            message = mended
            if there(message, record) is ours:
                return "+".join(names)
    return None


@pytest.fixture(scope="module")
def keys():
    return [Key("rsa"), Key("ed25519")]


def generate(keys):
    rng = random.Random(int(os.environ.get("DKIM_SEED", "6376")))
    while True:
        key = rng.choice(keys)
        header, body = (c.encode() for c in rng.choice(CANON).split("/"))
        signed = signed_there(key, random_message(rng), canonicalize=(header, body))
        for _ in range(CHANGES):
            yield key.record, changed(rng, signed)


def test_same_verdict_as_python3_dkim(keys):
    source = generate(keys)
    cases = [next(source) for _ in range(MESSAGES)]
    lines = [{"id": i, "message_b64": base64.b64encode(message).decode(), "dns": [["s1._domainkey.example.org", "TXT", record]]}
             for i, (record, message) in enumerate(cases)]
    named, unexplained, passed = {}, [], 0
    for (record, message), answer in zip(cases, batch("dkim", "verify", lines)):
        ours, theirs = answer["result"] == "pass", there(message, record)
        passed += ours
        if theirs is ours:
            continue
        why = explained(message, ours, record)
        if not why and isinstance(theirs, str) and not ours:
            why = "trips: " + theirs
        if why:
            named[why] = named.get(why, 0) + 1
        else:
            unexplained.append((ours, theirs, answer["signatures"], message))
    print(len(cases), passed, named)
    assert 0.1 < passed / len(cases) < 0.9
    assert not unexplained, (len(unexplained), unexplained[:5])

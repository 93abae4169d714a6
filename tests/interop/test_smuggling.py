"""Look-alikes of the end of data, in both directions: never a second message here or at the next hop."""
import json
import os
import re
import time

import pytest

import exim as exim_peer
import postfix as postfix_peer
from gates import Client, Recorder
from places import SHARED
from support import wait_until

SENDER = "anna@smugglers.test"
SMUGGLED = "anna"      # whom the inner message is for
HOPS = {"postfix": ("users.postfix.test", postfix_peer.HOST), "postfix-data": ("users.postfix.test", postfix_peer.WITHOUT_CHUNKING),
        "exim": ("users.exim.test", exim_peer.HOST), "exim-data": ("users.exim.test", exim_peer.WITHOUT_CHUNKING)}


def sequences():
    with open(os.path.join(SHARED, "data", "smtp", "smuggling-eod.json")) as f:
        data = json.load(f)
    found = {e["bytes_hex"] for e in data["smtp_smuggling_tools"]} | set(data["smtpsmug"].values())
    return [bytes.fromhex(h) for h in sorted(found)]


SEQUENCES = sequences()
# Bare newlines without a dot beside them are taken and made good; what looks like one behind them is not.
HARMLESS = [b"\n", b"\r", b"\r\r\n", b"\n\n", b"\r\n\r", b"\x00"]
MORE = [b"\n\x00.\r\n", b"\r\n\x00\x00.\n", b"\r\n.\r\x00\n", b"\x0b\n.\r\n", b"\r\n.\r\r\r\n", b"\r\n\r.\r\n"]


def is_refused(sequence):
    return sequence in MORE or (sequence in SEQUENCES and re.search(rb"[\r\n]", sequence) is not None)


def smuggle(mark, sequence, domain):
    """A message that holds a second transaction behind the look-alike."""
    inner = (f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{SMUGGLED}@{domain}>\r\nDATA\r\nSubject: inner {mark}\r\n\r\nsmuggled").encode()
    return f"From: a@b.test\r\nSubject: outer {mark}\r\n\r\nfirst".encode() + sequence + inner


@pytest.fixture(scope="module")
def sender_mx(site, names):
    names.add_mx("smugglers.test", "127.8.4.3")
    recorder = Recorder("127.8.4.3", site.port, knows=lambda a: a == SENDER)
    yield recorder
    recorder.stop()


def by_data(gate, domain, message, piece=None):
    """All replies behind 354, with QUIT behind the true end; `piece`: so many bytes at a time."""
    with Client(gate) as c:
        assert c.begin(SENDER, f"joe@{domain}") is None
        assert c.command("DATA").code == 354
        whole = message + b"\r\n.\r\nQUIT\r\n"
        for at in range(0, len(whole), piece or len(whole)):
            c.send(whole[at:at + (piece or len(whole))])
            if piece:
                time.sleep(0.0005)
        return c.replies()


def by_bdat(gate, domain, message):
    with Client(gate) as c:
        assert c.begin(SENDER, f"joe@{domain}") is None
        c.send(f"BDAT {len(message)} LAST\r\n".encode() + message + b"QUIT\r\n")
        return c.replies()


def try_all(gate, domain, name):
    """{mark: was it taken}; asserts that the gate itself saw one message each time."""
    taken = {}
    for i, sequence in enumerate(SEQUENCES + MORE + HARMLESS):
        ways = {"data": by_data, "bdat": by_bdat}
        if name == "recorder":
            ways["bytewise"] = lambda *a: by_data(*a, piece=1)
        for way, send in ways.items():
            for where in ("body", "header", "start") if way != "bytewise" else ("body",):
                mark = f"{name}-{way}-{where}-{i}-{time.monotonic_ns()}"
                message = smuggle(mark, sequence, domain)
                if where != "body":
                    message = (b"X-Field: a" if where == "header" else b"") + sequence + message
                codes = [r.code for r in send(gate, domain, message)]
                assert codes == [550 if is_refused(sequence) else 250, 221], (sequence, way, where, codes)
                taken[mark] = codes[0] == 250
    # A dot alone on a line inside a chunk is text: it must not become an end on its way out by DATA.
    mark = f"{name}-true-{time.monotonic_ns()}"
    assert [r.code for r in by_bdat(gate, domain, smuggle(mark, b"\r\n.\r\n", domain))] == [250, 221]
    taken[mark] = True
    return taken


def check_arrivals(taken, messages):
    """One message for each that was taken, none for the others, and the inner one always inside the outer one."""
    for mark, was_taken in taken.items():
        found = [m for m in messages if f"outer {mark}".encode() in m]
        assert len(found) == was_taken, (mark, was_taken, len(found))
    for m in messages:
        head = re.split(rb"\r?\n\r?\n", bytes(m), 1)[0]
        assert b"Subject: inner" not in head, m


@pytest.mark.parametrize("name", list(HOPS))
def test_no_second_message_at_the_next_hop(name, gates, site, sender_mx, exim, postfix):
    domain, host = HOPS[name]
    gate = gates("smuggle", {domain: {"kind": "smtp", "next_hop": f"{host}:{site.port}", "recipients": "any"}})
    peer = {"postfix": postfix, "exim": exim}[name.split("-")[0]]
    before = len(peer.mail(SMUGGLED))
    taken = try_all(gate, domain, name)
    gate.wait_empty()
    accepted = [m for m, t in taken.items() if t]
    wait_until(lambda: all(any(f"outer {a}".encode() in m for m in peer.mail()) for a in accepted), "what was taken arrives",
               story=gate.story)
    check_arrivals(taken, [m for m in peer.mail() if f"outer {name}-".encode() in m])
    assert len(peer.mail(SMUGGLED)) == before
    assert gate.ask_json("stats")["accepted"] == len(accepted)


@pytest.mark.parametrize("keywords", [("8BITMIME",), ("PIPELINING", "8BITMIME", "CHUNKING")], ids=["data", "chunking"])
def test_no_bare_newline_leaves_us(keywords, gates, site, sender_mx):
    hop = Recorder("127.8.4.6", site.port, keywords=keywords)
    try:
        gate = gates("smuggle", {"hop.test": {"kind": "smtp", "next_hop": f"127.8.4.6:{site.port}", "recipients": "any"}})
        taken = try_all(gate, "hop.test", "recorder")
        gate.wait_empty()
        check_arrivals(taken, [m.data for m in hop.messages])
        assert len(hop.messages) == sum(taken.values()) and not hop.for_rcpt(f"{SMUGGLED}@hop.test")
        check_wire(hop)
    finally:
        hop.stop()


def check_wire(recorder):
    for wire in recorder.wire:
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire), wire
        for sequence in SEQUENCES + MORE:
            if sequence not in b"\r\n.\r\n" and is_refused(sequence):
                assert sequence not in wire, sequence
    if "BDAT" not in recorder.commands:
        assert sum(bytes(w).count(b"\r\n.\r\n") for w in recorder.wire) == recorder.commands.count("DATA")


def test_notices_hold_no_look_alike_either(gates, site, sender_mx):
    """What a refused message brings back: its header, and the words of a hostile next hop."""
    hop = Recorder("127.8.4.6", site.port, at_dot=b"550-5.7.1 no\rMAIL FROM:<x@y.test>\x00\r\n550 5.7.1 .\r\r\n")
    try:
        gate = gates("smuggle", {"hop.test": {"kind": "smtp", "next_hop": f"127.8.4.6:{site.port}", "recipients": "any"}})
        before, sent = len(sender_mx.messages), 0
        for ending in (b"\n", b"\r", b"\r\r\n", b"\x00\r\n"):
            with Client(gate) as c:
                r = c.chunks(SENDER, "joe@hop.test", b"X-A: b" + ending + b"Subject: back" + ending + b"X-C: d\r\n\r\nbody" + ending)
            assert r.code in (250, 550, 554), r
            sent += r.code == 250
        assert sent >= 1
        wait_until(lambda: len(sender_mx.messages) == before + sent, "the sender is told", story=gate.story)
        gate.wait_empty()
        assert all(m.sender == "" and m.rcpts == [SENDER] for m in sender_mx.messages[before:])
        check_wire(sender_mx)
        check_wire(hop)
    finally:
        hop.stop()

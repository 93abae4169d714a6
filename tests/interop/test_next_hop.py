"""Exim 4.96 and Postfix 3.7 as next hop: who exists there, what arrives there, and what becomes of refusals and silence."""
import email
import hashlib
import re
import time

import pytest

import exim as exim_peer
import postfix as postfix_peer
from gates import Client, Recorder, send_mail
from support import wait_until

SENDER = "anna@sender.test"
SENDER_MX = "127.8.4.1"
HEAD = (b"From: Anna <anna@sender.test>\r\nTo: joe@hop.test\r\nDate: Mon, 02 Nov 2026 10:00:00 +0100\r\n"
        b"Message-Id: <%s@sender.test>\r\nSubject: bytes\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
BODIES = {
    "plain": b"Hello\r\n",
    "empty": b"",
    "dots": b".\r\n..\r\n...\r\n.a\r\na.\r\n\r\n.\r\n",
    "dot-first": b".first\r\n",
    "long": b"x" * 998 + b"\r\n" + b"y" * 5000 + b"\r\n" + b"." * 70000 + b"\r\nend\r\n",
    "8bit": bytes(range(0x80, 0x100)) * 4 + b"\r\n" + "Grüße aus Köln ✓\r\n".encode(),
    "controls": b"\t\x0b\x0c \x7f\x1b[0m\x08\r\ntrailing blanks   \r\n \r\n",
    "blank-end": b"text\r\n\r\n\r\n\r\n",
    "large": b"".join(b"%06d %s\r\n" % (i, b"z" * (i % 120)) for i in range(50000)),
}
HOPS = {"postfix": ("users.postfix.test", postfix_peer.HOST), "postfix-data": ("users.postfix.test", postfix_peer.WITHOUT_CHUNKING),
        "exim": ("users.exim.test", exim_peer.HOST), "exim-data": ("users.exim.test", exim_peer.WITHOUT_CHUNKING)}


@pytest.fixture(scope="module")
def sender_mx(site, names):
    names.add_mx("sender.test", SENDER_MX)
    recorder = Recorder(SENDER_MX, site.port, knows=lambda a: a == SENDER)
    yield recorder
    recorder.stop()


@pytest.fixture(scope="module", autouse=True)
def sleeper(site, names, module_gates, sender_mx):
    """A message for a host that is down when it is accepted; the last test of this file looks for it."""
    gate = module_gates("sleeper", {"late.test": {"kind": "smtp", "next_hop": f"127.8.4.9:{site.port}", "recipients": "any"}})
    assert send_mail(gate, SENDER, "joe@late.test").code == 250
    wait_until(lambda: [m["state"] for m in gate.queue()] == ["deferred"], "the message waits")
    recorder = Recorder("127.8.4.9", site.port)
    yield gate, recorder, time.monotonic()
    recorder.stop()


@pytest.fixture
def hop(request, gates, site, sender_mx, exim, postfix):
    """(gate, domain, peer) for one of HOPS."""
    domain, host = HOPS[request.param]
    route = {"kind": "smtp", "next_hop": f"{host}:{site.port}", "recipients": "call-ahead"}
    return gates("hop", {domain: route}), domain, {"postfix": postfix, "exim": exim}[request.param.split("-")[0]]


each_hop = pytest.mark.parametrize("hop", list(HOPS), indirect=True)
each_peer = pytest.mark.parametrize("hop", ["postfix", "exim"], indirect=True)


def message(name, body):
    mark = hashlib.sha256(name.encode() + body + str(time.monotonic()).encode()).hexdigest()[:20]
    return mark.encode(), HEAD % mark.encode() + body


def arrived(peer, mark, user="joe"):
    return [m for m in peer.mail(user) if mark in m]


def same_bytes(delivered, sent):
    """Below what each server put on top stands what was sent, line ends as Maildirs have them."""
    want = sent.replace(b"\r\n", b"\n")
    want += b"" if want.endswith(b"\n") else b"\n"
    got = delivered[-len(want):]
    return hashlib.sha256(got).hexdigest() == hashlib.sha256(want).hexdigest() and delivered[:-len(want)].endswith(b"\n")


@each_hop
def test_the_same_bytes_arrive(hop):
    gate, domain, peer = hop
    sent = {name: message(name, body) for name, body in BODIES.items()}
    with Client(gate) as c:
        for name, (mark, whole) in sent.items():
            r = c.mail(SENDER, f"joe@{domain}", whole, options=" BODY=8BITMIME")
            assert r.code == 250, (name, r)
    gate.wait_empty()
    wait_until(lambda: all(arrived(peer, mark) for mark, _ in sent.values()), "all messages are in the mailbox")
    for name, (mark, whole) in sent.items():
        (delivered,) = arrived(peer, mark)
        assert same_bytes(delivered, whole), (name, delivered[:2000])


@each_hop
def test_chunks_arrive_as_one_message(hop):
    """BDAT in, cut within a line end and around a dot; without a final line end."""
    gate, domain, peer = hop
    mark, whole = message("chunks", b"one\r\n.\r\ntwo\r\n..\r\nno line end")
    cuts = [0, len(whole) - 18, len(whole) - 17, len(whole) - 3, len(whole)]
    with Client(gate) as c:
        r = c.chunks(SENDER, f"joe@{domain}", *[whole[a:b] for a, b in zip(cuts, cuts[1:])])
    assert r.code == 250, r
    wait_until(lambda: arrived(peer, mark), "the message is in the mailbox")
    (delivered,) = arrived(peer, mark)
    assert same_bytes(delivered, whole), delivered


@each_peer
def test_unknown_recipients_are_refused_at_once(hop):
    gate, domain, peer = hop
    with Client(gate) as c:
        assert c.command(f"MAIL FROM:<{SENDER}>").code == 250
        r = c.command(f"RCPT TO:<nobody@{domain}>")
        assert (r.code, r.text) == (550, f"5.1.1 <nobody@{domain}>: No such user here")
        assert c.command(f"RCPT TO:<joe@{domain}>").code == 250
        assert c.command(f"RCPT TO:<postmaster@{domain}>").code == 250
        assert c.command("DATA").code == 354
        mark, whole = message("two recipients", b"x\r\n")
        c.send(whole + b".\r\n")
        assert c.reply().code == 250
    wait_until(lambda: arrived(peer, mark) and arrived(peer, mark, "postmaster"), "both have it")


@each_peer
def test_a_refusal_after_acceptance_becomes_a_notice(hop, sender_mx):
    gate, domain, peer = hop
    mark, whole = message("refused", b"x\r\n")
    r = send_mail(gate, SENDER, f"joe@{domain}", b"X-Refuse: yes\r\n" + whole)
    assert r.code == 250, r
    wait_until(lambda: [m for m in sender_mx.messages if mark in m.data], "the sender is told")
    (notice,) = [m for m in sender_mx.messages if mark in m.data]
    assert (notice.sender, notice.rcpts) == ("", [SENDER])
    parsed = email.message_from_bytes(notice.data)
    assert parsed.get_content_type() == "multipart/report" and parsed.get_param("report-type") == "delivery-status"
    _, status, original = parsed.get_payload()
    about_message, about_rcpt = status.get_payload()
    assert about_message["Reporting-MTA"] == f"dns; {gate.name}.test"
    assert about_rcpt["Final-Recipient"] == f"rfc822; joe@{domain}"
    assert (about_rcpt["Action"], about_rcpt["Status"]) == ("failed", "5.7.1")
    assert "Not of our taste" in about_rcpt["Diagnostic-Code"] and about_rcpt["Diagnostic-Code"].startswith("smtp; 550")
    assert mark in original.as_bytes()
    gate.wait_empty()
    assert not arrived(peer, mark)


@each_peer
def test_where_no_notice_may_be_sent_the_message_is_kept(hop, sender_mx):
    gate, domain, _ = hop
    before = len(sender_mx.messages)
    assert send_mail(gate, "", f"joe@{domain}", b"X-Refuse: yes\r\n" + message("kept", b"x\r\n")[1]).code == 250
    wait_until(lambda: [m["state"] for m in gate.queue()] == ["kept"], "the message is kept")
    assert len(sender_mx.messages) == before


@each_peer
def test_a_next_hop_that_is_down(hop):
    gate, domain, peer = hop
    mark, whole = message("before", b"x\r\n")
    assert send_mail(gate, SENDER, f"joe@{domain}", whole).code == 250
    wait_until(lambda: arrived(peer, mark), "the first message")
    peer.stop()
    try:
        mark, whole = message("while down", b"x\r\n")
        # Known to exist: taken and queued. Unknown: nobody can say, so it is neither refused nor taken.
        assert send_mail(gate, SENDER, f"joe@{domain}", whole).code == 250
        r = send_mail(gate, SENDER, f"anna@{domain}", whole)
        assert (r.code, r.text.split()[0]) == (451, "4.1.1"), r
        wait_until(lambda: [m["state"] for m in gate.queue()] == ["deferred"], "the message waits")
    finally:
        peer.start()
    assert gate.ask("queue", "retry", "all")[0] == 0
    gate.wait_empty()
    wait_until(lambda: arrived(peer, mark), "the message has arrived")
    assert len(arrived(peer, mark)) == 1


def test_bytes_on_the_wire(gates, site, sender_mx):
    """The same messages into a recorder, by DATA and by BDAT: nothing but CR LF, and exactly these bytes."""
    hops = [Recorder(f"127.8.4.{7 + i}", site.port, keywords=words)
            for i, words in enumerate([("8BITMIME", "SIZE"), ("PIPELINING", "CHUNKING", "8BITMIME")])]
    try:
        gate = gates("wire", {f"hop{i}.test": {"kind": "smtp", "next_hop": f"{h.host}:{h.port}", "recipients": "any"}
                              for i, h in enumerate(hops)})
        with Client(gate) as c:
            for i in range(len(hops)):
                for name, body in BODIES.items():
                    assert c.mail(SENDER, f"{name}@hop{i}.test", HEAD % b"x" + body, options=" BODY=8BITMIME").code == 250
        gate.wait_empty()
        for i, h in enumerate(hops):
            for name, body in BODIES.items():
                (m,) = h.for_rcpt(f"{name}@hop{i}.test")
                on_top, whole = m.data[:-len(HEAD % b"x" + body)], m.data[-len(HEAD % b"x" + body):]
                assert whole == HEAD % b"x" + body, (i, name)
                assert re.findall(rb"(?m)^([^ \t\r\n:]+):", on_top) == [b"Authentication-Results", b"Received"], on_top
        assert "BDAT" in hops[1].commands and "BDAT" not in hops[0].commands
        for h in hops:
            for wire in h.wire:
                assert wire.count(b"\r") == wire.count(b"\n") == wire.count(b"\r\n")
    finally:
        for h in hops:
            h.stop()


def test_a_next_hop_that_comes_back_is_found_without_help(sleeper):
    gate, recorder, since = sleeper
    wait_until(lambda: recorder.for_rcpt("joe@late.test"), "the message is tried again", 120)
    gate.wait_empty()
    assert len(recorder.for_rcpt("joe@late.test")) == 1
    assert time.monotonic() - since < 120

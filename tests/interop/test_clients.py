"""swaks, Postfix' smtp-source, and the servers Exim and Postfix as our clients."""
import re
import subprocess
import time

import pytest

import exim as exim_peer
import postfix as postfix_peer
from gates import Client
from places import GATE_USER, maildir, peer_file
from support import free_port, start_process, wait_port, wait_until

SENDER = "anna@users.exim.test"
RCPT = "joe@here.test"


@pytest.fixture
def gate(gates, exim):
    return gates("gate", {"here.test": {"kind": "maildir", "maildir": "HOME/mail", "recipients": "any"}})


def mailbox(gate, user="joe"):
    return maildir(f"{gate.home}/mail/here.test/{user}/Maildir")


def swaks(gate, *more, sender=SENDER, rcpt=RCPT):
    done = subprocess.run(["/usr/bin/swaks", "--server", gate.host, "--port", str(gate.port), "--from", sender, "--to", rcpt,
                           "--timeout", "60", *more], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("options", [[], ["--pipeline"], ["--tls"], ["--tls", "--pipeline"], ["--protocol", "SMTP"],
                                     ["--attach", "@/usr/bin/swaks"], ["--body", "one\\n.\\n..two\\n"]],
                         ids=lambda o: " ".join(o) or "plain")
def test_swaks(gate, options):
    status, talk = swaks(gate, *options)
    assert status == 0, talk
    assert ("TLSv1." in talk) == ("--tls" in options)
    wait_until(lambda: mailbox(gate), "the message is in the mailbox", story=gate.story)
    (message,) = mailbox(gate)
    protocol = b"SMTP" if "--protocol" in options else b"ESMTPS" if "--tls" in options else b"ESMTP"
    assert re.search(rb"\swith %s\n?\s" % protocol, message), message[:1000]
    if "--body" in options:
        assert b"\n\none\n.\n..two\n" in message, message


def test_swaks_is_refused(gate):
    status, talk = swaks(gate, sender="nobody@users.exim.test")
    assert status == 26 and "550 5.1.7" in talk, talk       # 26: refused behind the data
    status, talk = swaks(gate, rcpt="joe@elsewhere.test")
    assert status == 24 and " 554 5.7.1" in talk, talk       # 24: no recipient was taken


def test_swaks_behind_a_proxy(gates, exim):
    gate = gates("proxied", {"here.test": {"kind": "maildir", "maildir": "HOME/mail", "recipients": "any"}},
                 gate={"proxy_networks": ["127.0.0.0/8"]})
    for version in ("1", "2"):
        status, talk = swaks(gate, "--proxy-version", version, "--proxy-family", "TCP4" if version == "1" else "AF_INET",
                             "--proxy-source", f"192.0.2.{version}", "--proxy-source-port", "1234", "--proxy-dest", "127.0.0.1",
                             "--proxy-dest-port", "25", *([] if version == "1" else ["--proxy-protocol", "STREAM",
                                                                                    "--proxy-command", "PROXY"]))
        assert status == 0, talk
    wait_until(lambda: len(mailbox(gate)) == 2, "both are in the mailbox", story=gate.story)
    assert {re.search(rb"\[(192\.0\.2\.\d)\]", m).group(1) for m in mailbox(gate)} == {b"192.0.2.1", b"192.0.2.2"}


def smtp_source(gate, *options, sender=SENDER):
    began = time.monotonic()
    done = subprocess.run([peer_file("usr/sbin/smtp-source"), "-f", sender, "-t", RCPT, *options, f"inet:{gate.host}:{gate.port}"],
                          capture_output=True, text=True, timeout=120,
                          env={"LD_LIBRARY_PATH": peer_file("usr/lib/postfix"), "MAIL_CONFIG": "/nonexistent"})
    assert done.returncode == 0 and "fatal" not in done.stderr, done.stdout + done.stderr
    return time.monotonic() - began


def test_smtp_source_into_maildirs(gate):
    took = smtp_source(gate, "-m", "500", "-s", "20", "-l", "4096")
    gate.wait_empty(60)
    messages = mailbox(gate)
    assert len(messages) == 500
    assert all(len(m) >= 4096 for m in messages)
    assert took < 60


def test_smtp_source_keeps_sessions_and_reaches_a_sink(gates, exim, site):
    """Sessions of several messages (-d), through to Postfix' smtp-sink."""
    port = free_port("127.8.4.4")
    out = site.path("sink.count")
    sink = start_process([peer_file("usr/sbin/smtp-sink"), "-u", GATE_USER, "-c", f"inet:127.8.4.4:{port}", "100"], out,
                         env={"LD_LIBRARY_PATH": peer_file("usr/lib/postfix")})
    with sink:
        wait_port("127.8.4.4", port, sink)
        gate = gates("source", {"here.test": {"kind": "smtp", "next_hop": f"127.8.4.4:{port}", "recipients": "any"}})
        smtp_source(gate, "-d", "-m", "1000", "-s", "20", "-l", "4096")
        gate.wait_empty(60)
        stats = gate.ask_json("stats")
        assert stats["accepted"] == stats["delivered"] == 1000
        assert stats["syncs"] <= 1000
        assert metric(stats, "verify_sessions_total") <= 2, "one address was asked about more than once"
        counts = [int(n) for n in re.findall(r"\d+", sink.log())]
        assert counts and counts[-1] == 1000, sink.log()[-200:]


class Door:
    """Where a peer takes mail, for Client."""

    def __init__(self, host, port):
        self.host, self.port = host, port


@pytest.mark.parametrize("host", [exim_peer.HOST, postfix_peer.HOST], ids=["exim", "postfix"])
def test_a_real_server_sends_to_us(host, gates, site, exim, postfix):
    """With what each makes of our keywords: pipelining, chunks, TLS, 8-bit, several messages a session."""
    gate = gates("relayed", {"here.test": {"kind": "maildir", "maildir": "HOME/mail", "recipients": "any"}}, port=site.relay_port)
    bodies = [b".\r\n..dots\r\n.\r\n", bytes(range(0x80, 0x100)) + b"\r\n", b"x" * 900 + b"\r\n\r\n", b"line of text\r\n" * 100000]
    with Client(Door(host, site.port)) as c:
        for i, body in enumerate(bodies * 3):
            r = c.mail(SENDER, RCPT, b"Subject: relayed\r\nX-Number: %d\r\n\r\n" % i + body, options=" BODY=8BITMIME")
            assert r.code == 250, r
    wait_until(lambda: len(mailbox(gate)) == 12, "all have come", story=gate.story)
    for m in mailbox(gate):
        number = int(re.search(rb"\nX-Number: (\d+)\n", m).group(1))
        assert m.endswith(b"\n\n" + bodies[number % 4].replace(b"\r\n", b"\n")), m[:2000]
        assert b" with ESMTPS" in m


def metric(stats, name):
    return sum(m["value"] for m in stats["metrics"] if m["name"].endswith(name))

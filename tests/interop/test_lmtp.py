"""Dovecot by LMTP, over TCP and over a Unix socket: who exists, what lands in the Maildir, one answer for each recipient."""
import pytest

import dovecot as dovecot_peer
from gates import Client, Recorder, send_mail
from support import wait_until

DOMAIN = "users.dovecot.test"
SENDER = "anna@lmtpsender.test"
MESSAGE = (b"From: anna@lmtpsender.test\r\nSubject: %s\r\n\r\n.dot\r\n..\r\n"
           + bytes(range(0xa0, 0x100)) + b"\r\n" + b"x" * 3000 + b"\r\n")


@pytest.fixture(scope="module")
def sender_mx(site, names):
    names.add_mx("lmtpsender.test", "127.8.4.2")
    recorder = Recorder("127.8.4.2", site.port, knows=lambda a: a == SENDER)
    yield recorder
    recorder.stop()


@pytest.fixture(params=["tcp", "unix"])
def hop(request, site, dovecot):
    return f"{dovecot_peer.HOST}:{site.port}" if request.param == "tcp" else f"unix:{dovecot.socket}"


def start(gates, hop, recipients):
    return gates("lmtp", {DOMAIN: {"kind": "lmtp", "next_hop": hop, "recipients": recipients}})


def arrived(dovecot, mark, user="joe"):
    return [m for m in dovecot.mail(user) if b"Subject: " + mark in m]


def test_mail_lands_in_the_maildir(gates, hop, dovecot, sender_mx, request):
    mark = request.node.name.encode()
    gate = start(gates, hop, "any")
    assert send_mail(gate, SENDER, f"joe@{DOMAIN}", MESSAGE % mark).code == 250
    wait_until(lambda: arrived(dovecot, mark), "the message is in the Maildir", story=gate.story)
    (delivered,) = arrived(dovecot, mark)
    assert delivered.endswith((MESSAGE % mark).replace(b"\r\n", b"\n"))
    assert delivered.startswith(b"Return-Path: <anna@lmtpsender.test>\n") and delivered.count(b"Return-Path:") == 1
    assert b"Delivered-To: joe@users.dovecot.test" in delivered


def test_who_exists_is_asked_by_lmtp(gates, dovecot, sender_mx, site, request):
    mark = request.node.name.encode()
    gate = start(gates, f"{dovecot_peer.HOST}:{site.port}", "call-ahead")
    with Client(gate) as c:
        assert c.command(f"MAIL FROM:<{SENDER}>").code == 250
        r = c.command(f"RCPT TO:<nobody@{DOMAIN}>")
        assert (r.code, r.text.split()[0]) == (550, "5.1.1"), r
        for user in ("joe", "anna", "joe+detail"):
            assert c.command(f"RCPT TO:<{user}@{DOMAIN}>").code == 250
        assert c.command("DATA").code == 354
        c.send(MESSAGE % mark + b".\r\n")
        assert c.reply().code == 250
    wait_until(lambda: arrived(dovecot, mark) and arrived(dovecot, mark, "anna"), "both have it", story=gate.story)
    gate.wait_empty()


def test_an_unknown_user_found_late_becomes_a_notice(gates, hop, dovecot, sender_mx, request):
    """Nobody asked ahead; the refusal at RCPT concerns one recipient, and the other has the mail."""
    mark = request.node.name.encode()
    gate = start(gates, hop, "any")
    with Client(gate) as c:
        assert c.begin(SENDER, f"nobody@{DOMAIN}", f"joe@{DOMAIN}") is None
        assert c.command("DATA").code == 354
        c.send(MESSAGE % mark + b".\r\n")
        assert c.reply().code == 250
    notice = told(sender_mx, gate, mark)
    assert b"Final-Recipient: rfc822; nobody@users.dovecot.test" in notice and b"Status: 5.1.1" in notice
    assert b"Final-Recipient: rfc822; joe@" not in notice
    gate.wait_empty()
    assert len(arrived(dovecot, mark)) == 1


def test_one_answer_for_each_recipient_behind_the_dot(gates, hop, dovecot, sender_mx, request):
    mark = request.node.name.encode()
    gate = start(gates, hop, "any")
    with Client(gate) as c:
        assert c.begin(SENDER, f"joe@{DOMAIN}", f"full@{DOMAIN}", f"anna@{DOMAIN}") is None
        assert c.command("DATA").code == 354
        c.send(MESSAGE % mark + b".\r\n")
        assert c.reply().code == 250
    notice = told(sender_mx, gate, mark)
    assert b"Final-Recipient: rfc822; full@users.dovecot.test" in notice and b"Status: 5.2.2" in notice
    assert notice.count(b"Final-Recipient:") == 1
    gate.wait_empty()
    assert len(arrived(dovecot, mark)) == len(arrived(dovecot, mark, "anna")) == 1
    assert not arrived(dovecot, mark, "full")


def told(sender_mx, gate, mark):
    """The one notice about the message with this mark."""
    wait_until(lambda: [m for m in sender_mx.messages if b"Subject: " + mark in m.data], "the sender is told", story=gate.story)
    (notice,) = [m for m in sender_mx.messages if b"Subject: " + mark in m.data]
    return bytes(notice.data)

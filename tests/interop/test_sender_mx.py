"""Exim 4.96 and Postfix 3.7 as the mail server of the sender: what a client of the gate hears for each habit."""
import pytest

from gates import send_mail, send_until_final

RCPT = "joe@here.test"
MAILDIR = {"kind": "maildir", "maildir": "HOME/mail", "recipients": "any"}


@pytest.fixture
def gate(gates, exim, postfix):
    return gates("gate", {"here.test": MAILDIR})


@pytest.fixture
def strict(gates, exim, postfix):
    return gates("strict", {"here.test": MAILDIR},
                 verify={"profile": "strict"})


def heard(gate, sender):
    r = send_mail(gate, sender, RCPT)
    return r.code, r.text.split()[0]


def verdict(gate, address):
    a = gate.ask_json("verify", address)
    return a["verdict"], a["cached"]


@pytest.mark.parametrize("peer", ["exim", "postfix"])
def test_existing(gate, peer):
    assert heard(gate, f"anna@users.{peer}.test") == (250, "2.0.0")
    assert verdict(gate, f"anna@users.{peer}.test") == ("exists", True)


@pytest.mark.parametrize("peer", ["exim", "postfix"])
def test_absent(gate, peer):
    r = send_mail(gate, f"nobody@users.{peer}.test", RCPT)
    assert (r.code, r.text.split()[0]) == (550, "5.1.7"), r
    assert f"<nobody@users.{peer}.test>: Sender verify failed: no such mailbox at its own mail server" in r.text
    assert verdict(gate, f"nobody@users.{peer}.test") == ("absent", True)


@pytest.mark.parametrize("peer", ["exim", "postfix"])
def test_catch_all(gate, peer):
    assert heard(gate, f"whoever@all.{peer}.test") == (250, "2.0.0")
    assert verdict(gate, f"whoever@all.{peer}.test") == ("catch_all", True)
    # The domain is known now: nobody is asked about its second address.
    assert verdict(gate, f"another@all.{peer}.test") == ("catch_all", True)


@pytest.mark.parametrize("peer, domain", [("exim", "null.exim.test"), ("postfix", "null.postfix.test"),
                                          ("postfix", "late.postfix.test")])
def test_refuses_the_null_sender(gate, peer, domain):
    assert heard(gate, f"anna@{domain}") == (250, "2.0.0")
    assert verdict(gate, f"anna@{domain}") == ("exists", True)
    assert heard(gate, f"nobody@{domain}") == (550, "5.1.7")


@pytest.mark.parametrize("domain", ["null.exim.test", "null.postfix.test", "late.postfix.test"])
def test_refuses_the_null_sender_and_we_are_strict(strict, domain):
    r = send_mail(strict, f"anna@{domain}", RCPT)
    assert (r.code, r.text.split()[0]) == (550, "5.7.1") and "refuses bounces" in r.text, r


@pytest.mark.parametrize("peer", ["exim", "postfix"])
@pytest.mark.parametrize("user, final, code", [("anna", "exists", "2.0.0"), ("nobody", "absent", "5.1.7")])
def test_greylisting(gate, peer, user, final, code):
    sender = f"{user}@grey.{peer}.test"
    first, *later = send_until_final(gate, sender, RCPT)
    assert (first.code, first.text.split()[0]) == (451, "4.1.7"), first
    assert "try again in 00:" in first.text
    assert later and later[-1].text.split()[0] == code, later
    assert verdict(gate, sender)[0] == final


def test_each_is_told_why(gate):
    """The dialogue with the sender's server stands in the trail."""
    ref = send_mail(gate, "nobody@users.postfix.test", RCPT).text.rsplit("(", 1)[1].rstrip(")")
    status, story = gate.ask("why", ref)
    assert status == 0 and "User unknown in local recipient table" in story, story

"""A real Postfix 3.7 that asks the policy door ends its sessions as the SMTP door would."""
import json
import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from policy_world import SMTP_DOOR, Session, converse, world_of
from postfix_policy import AT_DATA, AT_END, AT_RCPT, EVERYWHERE
from support import wait_until

HOSTS = (AT_RCPT, AT_DATA, AT_END, EVERYWHERE)
SLOW = ("tarpit.lab", "tarpit-no-bounces.lab", "slow.lab")  # one question at a time, and each takes long: shared


@pytest.fixture(scope="module")
def both(site):
    yield from world_of(site, "policy")


def insist(place, session, number):
    """A client that comes back once: what is told then is final."""
    heard = converse(place, session, number)
    if any(h.startswith("4xx") for h in heard):
        time.sleep(7)
        heard = converse(place, session, f"{number} again")
    return heard


def sessions(world, known, unknown):
    """Each habit of the lab, a sender that exists and one that does not; then what is never asked about, and forms."""
    table = subprocess.run([world.lab_binary, "table"], capture_output=True, text=True, check=True).stdout
    domains = [json.loads(line)["domain"] for line in table.splitlines()]
    assert len(domains) >= 30
    found = [Session(f"{local}@{domain}", pipelined=i % 3 == 0, host=HOSTS[(i + j) % 4])
             for i, domain in enumerate(domains)
             for j, local in enumerate(("anna", "nosuchuser") if domain in SLOW else (known, unknown))]
    for host in HOSTS:
        found += [
            Session("", host=host),
            Session("", ("joe", "anna"), pipelined=True, host=host),
            Session("exempt@truthful.lab", host=host),
            Session(f"{unknown}2@plain.lab", host=host),
            Session("banned@truthful.lab", host=host),
            Session(f"{unknown}3@truthful.lab", source="127.7.7.7", host=host),
            Session(f"{unknown}4@truthful.lab", ("postmaster",), host=host),
            Session(f"{unknown}4@truthful.lab", ("abuse",), pipelined=True, host=host),
            Session(f"{known}@truthful.lab", ("joe", "anna", "postmaster"), pipelined=True, host=host),
            Session(f"{unknown}5@truthful.lab", ("joe", "anna"), host=host),
            Session(f"{known}@freemail.lab", source="127.9.3.9", host=host),
        ]
    return found


def test_same_verdicts(both):
    """The same sessions through both doors at the same time, with addresses of their own, so that neither asks for the other."""
    through_smtp, through_postfix = sessions(both, "anna", "nosuchuser"), sessions(both, "joe", "nobodyelse")
    assert len(through_smtp) == len(through_postfix) >= 60
    with ThreadPoolExecutor(60) as pool:
        smtp = [pool.submit(insist, SMTP_DOOR, s, i) for i, s in enumerate(through_smtp)]
        postfix = [pool.submit(insist, both.at(s.host), s, i) for i, s in enumerate(through_postfix)]
        pairs = [(s, a.result(), b.result()) for s, a, b in zip(through_postfix, smtp, postfix)]
    different = [(s, a, b) for s, a, b in pairs if [same(w) for w in a] != [same(w) for w in b]]
    assert not different, "\n".join(map(str, different)) + both.log()
    kinds = {w[:3] for _, _, heard in pairs for w in heard}
    assert kinds == {"2xx", "4xx", "5xx"}
    assert both.metric("postern_policy_closed_total") == 0
    expected = {(rcpt, str(i) + suffix) for i, (s, _, heard) in enumerate(pairs) for rcpt, w in zip(s.rcpts, heard) if w == "2xx"
                for suffix in ("", " again")}
    wait_until(lambda: len({k for k in both.postfix.mails() if k in expected}) >= sum(w == "2xx" for _, _, h in pairs for w in h),
               "every accepted message is delivered", 10, both.postfix.log)
    mails = both.postfix.mails()
    assert set(mails) <= expected and set(mails.values()) == {1}


def same(heard):
    """Which of the two classes of "not now" a still unfinished question gets is a matter of milliseconds."""
    return "4xx " if heard.startswith("4xx ") else re.sub(r"nosuchuser|nobodyelse|anna|joe", "X", heard)


def test_mixed_recipients(both):
    """Whoever may always be written to is, and the other hears why not: the policy door can tell them apart."""
    heard = converse(both.at(EVERYWHERE), Session("forged@truthful.lab", ("postmaster", "joe", "abuse")), "mixed")
    assert heard[0] == heard[2] == "2xx" and heard[1].startswith("5xx Sender verify failed"), heard
    wait_until(lambda: both.postfix.mails().get(("postmaster", "mixed")) == 1, "mail to postmaster came")
    assert ("joe", "mixed") not in both.postfix.mails()


def trails(world, what):
    return json.loads(world.ask("why", what, "--json")[1])


def test_modes_and_trails(both):
    """observe lets pass and remembers, tag marks once; `why` tells the story by reference, address and client."""
    try:
        both.ask("mode", "observe")
        assert converse(both.at(EVERYWHERE), Session("watched@truthful.lab", ("joe", "anna")), "observed") == ["2xx", "2xx"]
        both.ask("mode", "tag")
        assert converse(both.at(EVERYWHERE), Session("marked@truthful.lab", ("joe", "anna")), "tagged") == ["2xx", "2xx"]
    finally:
        both.ask("mode", "enforce")
    wait_until(lambda: both.postfix.mails().get(("anna", "tagged")) == 1, "the tagged mail came")
    with open(next(p for p in paths(both, "joe") if b"Subject: tagged" in open(p, "rb").read()), "rb") as f:
        assert f.read().count(b"X-Postern-Sender: absent; ref=") == 1
    wait_until(lambda: both.ask("why", "marked@truthful.lab")[0] == 0, "the trail is stored")
    watched, = trails(both, "watched@truthful.lab")
    story = both.ask("why", watched["ref"])[1]
    assert "would" in story and "5.1.7" in story and "RCPT TO:<watched@truthful.lab>" in story
    assert watched["to"] == "joe@here.lab anna@here.lab" if "to" in watched else "anna@here.lab" in json.dumps(watched)


def paths(world, user):
    new = os.path.join(world.postfix.home, "mail", user, "new")
    return [os.path.join(new, name) for name in os.listdir(new)]


def test_sessions_shows_who_waits(both):
    with ThreadPoolExecutor(1) as pool:
        mail = pool.submit(converse, both.at(AT_RCPT), Session("waits@silent.lab"), "waits")
        wait_until(lambda: any(s["state"] == "policy" and s["sender"] == "waits@silent.lab" and "s" in s["wait"]
                               for s in both.ask_json("sessions")[1]), "sessions shows the question", 5)
        assert mail.result()[0].startswith("4xx Could not complete sender verify callout")
    assert any(s["state"] == "idle" for s in both.ask_json("sessions")[1])

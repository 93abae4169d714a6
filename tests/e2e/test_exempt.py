"""`postern exempt`: who may pass, told from what is written; by whom, when, why and for how long; in force at once."""
import json
import os
import pwd
import re
import time

import pytest

from lone import Lone
from smtp_talk import Talk


@pytest.fixture
def gate():
    with Lone() as g:
        yield g


# words → kind, what, action
GUESSED = [
    (["joe@example.org"], "sender", "joe@example.org", "never-ask"), (["Joe@Example.ORG", "accept"], "sender", "joe@example.org", "accept"),
    (["example.org"], "domain", "example.org", "never-ask"), (["bücher.example", "refuse"], "domain", "xn--bcher-kva.example", "refuse"),
    (["192.0.2.7"], "client", "192.0.2.7", "never-ask"), (["192.0.2.0/24", "accept"], "client", "192.0.2.0/24", "accept"),
    (["2001:db8::/32"], "client", "2001:db8::/32", "never-ask"), (["2001:db8::1"], "client", "2001:db8::1", "never-ask"),
    (["joe@here.example"], "recipient", "joe@here.example", "never-ask"), (["here.example"], "recipient", "@here.example", "never-ask"),
    (["@example.org"], "sender", "@example.org", "never-ask"), (["sender", "joe@here.example"], "sender", "joe@here.example", "never-ask"),
    (["recipient", "joe@example.org", "refuse"], "recipient", "joe@example.org", "refuse"),
]


@pytest.mark.parametrize("words,kind,what,action", GUESSED, ids=[" ".join(row[0]) for row in GUESSED])
def test_kinds(gate, words, kind, what, action):
    status, added = gate.ask_json("exempt", "add", *words, "--why", "ticket 17", "--for", "30d", "--now", "2026-11-24T09:00:00Z")
    assert status == 0 and (added["kind"], added["what"], added["action"]) == (kind, what, action)
    status, (listed,) = gate.ask_json("exempt", "list")
    me = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    assert (listed["kind"], listed["what"], listed["action"], listed["why"], listed["by"]) == (kind, what, action, "ticket 17", me)
    assert listed["at"].startswith("2026-11-24T09:00:00") and listed["until"].startswith("2026-12-24T09:00:00")
    assert gate.ask_json("exempt", "remove", words[0] if len(words) == 1 or words[1] in ("accept", "refuse") else words[1])[0] == (
        1 if what == "@here.example" else 0)   # that one is removed as it is listed
    assert gate.ask("exempt", "remove", what)[0] == (0 if what == "@here.example" else 1)
    assert gate.ask_json("exempt", "list") == (0, [])


# words, a word of what is said
WRONG = [
    ([], "WHAT"), (["sendr", "joe@example.org", "accept"], "did you mean 'sender'"), (["joe@example.org", "acept"], "did you mean 'accept'"),
    (["client", "example.org"], "example.org"), (["192.0.2.7/24"], "192.0.2"), (["sender", "joe"], "exempt add sender"),
    (["a b.example"], "exempt add domain"), (["joe@example.org", "accept", "now"], "WHAT"), (["joe@example.org", "--for", "soon"], "--for soon"),
    (["joe@example.org", "--for", "0s"], "--for 0s"), (["joe@example.org", "--now", "noon"], "--now noon"),
]


@pytest.mark.parametrize("words,said", WRONG, ids=[" ".join(row[0]) or "nothing" for row in WRONG])
def test_mistakes(gate, words, said):
    status, out = gate.ask("exempt", "add", *words, "--why", "x")
    assert (status, said in out) == (64, True), out
    assert gate.ask("exempt", "list") == (0, "There are no exceptions.\n")


def test_why_is_needed(gate):
    for more in ([], ["--why", ""], ["--why", "   "]):
        status, said = gate.ask("exempt", "add", "joe@example.org", *more)
        assert status == 64 and "--why" in said


def test_who_stands_behind_sudo(gate):
    assert gate.ask("exempt", "add", "joe@example.org", "--why", "x", env={"SUDO_USER": "anna"})[0] == 0
    assert gate.ask_json("exempt", "list")[1][0]["by"] == "anna"


def test_list_for_people(gate):
    gate.ask("exempt", "add", "joe@example.org", "--why", "their \"server\"\nis moved", "--for", "1d", "--now", "2026-11-01T00:00:00Z")
    gate.ask("exempt", "add", "192.0.2.0/24", "accept", "--why", "partner", "--now", "2026-11-20T00:00:00Z")
    status, text = gate.ask("exempt", "list", "--now", "2026-11-24T00:00:00Z")
    head, first, second = text.splitlines()
    assert status == 0 and head.split() == ["KIND", "WHAT", "ACTION", "UNTIL", "ADDED", "BY", "WHY"]
    assert re.match(r'sender +joe@example\.org +never-ask +2026-11-02 +2026-11-01 +\w+ +their "server" is moved \(over\)$', first), first
    assert re.match(r"client +192\.0\.2\.0/24 +accept +for ever +2026-11-20 +\w+ +partner$", second), second


def test_the_stronger_one_is_named(gate):
    assert gate.ask("exempt", "add", "example.org", "refuse", "--why", "a")[0] == 0
    status, said = gate.ask("exempt", "add", "example.org", "accept", "--why", "b")
    assert status == 1 and "refuse, which is stronger" in said and "exempt remove example.org" in said
    assert gate.ask("exempt", "add", "example.org", "refuse", "--why", "c")[0] == 0, "the same once more is no trouble"
    assert gate.ask_json("exempt", "remove", "EXAMPLE.org") == (0, {"removed": 3})


def test_old_and_hand_written_lines(gate):
    """A file from before, with lines of the administrator's own: all of it stays but what is removed."""
    path = os.path.join(gate.directory, "exceptions")
    with open(path, "w") as f:
        f.write("# ours\nsender old@example.org accept by root why \"before\"\nnonsense here\nclient 192.0.2.0/24 refuse\n")
    os.chmod(path, 0o604)
    assert gate.ask("exempt", "add", "joe@example.org", "--why", "x")[0] == 0
    status, rules = gate.ask_json("exempt", "list")
    assert "line=3" in gate.ask("exempt", "list")[1], "the broken line is named"
    assert status == 0 and [(r["what"], r["at"]) for r in rules][:2] == [("old@example.org", None), ("192.0.2.0/24", None)] and rules[2]["at"]
    assert gate.ask("exempt", "remove", "old@example.org")[0] == 0
    with open(path) as f:
        text = f.read()
    assert "# ours\n" in text and "nonsense here\n" in text and "old@" not in text
    assert os.stat(path).st_mode & 0o777 == 0o604


def test_file_that_cannot_be_written(gate):
    os.mkdir(os.path.join(gate.directory, "exceptions"))
    status, said = gate.ask("exempt", "add", "joe@example.org", "--why", "x")
    assert status == 2 and "exceptions" in said, said


def test_in_force_at_once(gate):
    """The daemon that runs sees it within a second, and its log says so."""
    gate.start()
    assert gate.ask("exempt", "add", "192.0.2.0/24", "refuse", "--why", "x")[0] == 0
    begun = time.monotonic()
    while "entries=1" not in gate.log():
        with Talk(host="127.0.0.1", port=gate.port, source="127.0.0.1") as t:
            t.command("MAIL FROM:<>")
        assert time.monotonic() - begun < 5, gate.log()
        time.sleep(0.1)
    assert json.loads(gate.ask("exempt", "list", "--json")[1])[0]["expired"] is False

"""`postern explain --check` with scripted DNS and a mail server of a few lines: what it asks, what it says, what it leaves alone."""
import json
import os
import socketserver
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import free_port, program  # noqa: E402

POSTERN = program("src", "postern")


class Sink(socketserver.ThreadingTCPServer):
    """A mail server that knows anna@ alone; `refuses_null` and `greeting` are its habits."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, refuses_null=False, greeting="220 mx.example.net ESMTP"):
        super().__init__(("127.0.0.1", 0), Talk)
        self.refuses_null, self.greeting, self.heard = refuses_null, greeting, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class Talk(socketserver.StreamRequestHandler):
    timeout = 10

    def handle(self):
        self.wfile.write(self.server.greeting.encode() + b"\r\n")
        for line in self.rfile:
            line = line.decode("latin-1").strip()
            self.server.heard.append(line)
            self.wfile.write(self.answer(line.upper()).encode() + b"\r\n")
            if line.upper() == "QUIT":
                return

    def answer(self, line):
        if line.startswith("MAIL FROM:<>") and self.server.refuses_null:
            return "550 5.7.1 Null sender refused"
        if line.startswith("RCPT") and "<ANNA@" not in line and "<POSTMASTER@" not in line:
            return "550 5.1.1 No such user"
        return "221 bye" if line == "QUIT" else "250 ok"


@pytest.fixture
def sink(request):
    server = Sink(**getattr(request, "param", {}))
    yield server
    server.shutdown()
    server.server_close()


GOOD = [["example.net", "MX", [10, "mx.example.net"]], ["mx.example.net", "A", "127.0.0.1"], ["example.net", "TXT", "v=spf1 ip4:192.0.2.7 -all"],
        ["_dmarc.example.net", "TXT", "v=DMARC1; p=reject"], ["s1._domainkey.example.net", "TXT", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="],
        ["7.2.0.192.in-addr.arpa", "PTR", "mail.example.net"], ["mail.example.net", "A", "192.0.2.7"],
        ["gone.example", "MX", "TIMEOUT"], ["null.example", "MX", [0, "."]], ["far.example", "MX", [10, "mx.far.example"]],
        ["mx.far.example", "A", "10.1.2.3"], ["bad.example", "TXT", "v=spf1 include:nowhere.example +bogus -all"], ["bad.example", "A", "127.0.0.1"],
        ["7.2.0.192.list.example", "A", "127.0.0.2"], ["9.2.0.192.list.example", "A", "127.255.255.254"]]
CALLOUT = "451 4.7.1 Could not complete sender verify callout"
NO_USER = "550 5.1.7 Sender verify failed: no such mailbox"


def explain(tmp_path, *words, dns=None):
    script = tmp_path / "dns.json"
    script.write_text(json.dumps(GOOD if dns is None else dns))
    began = time.monotonic()
    done = subprocess.run([POSTERN, "explain", "--check", "--dns", str(script), *words], capture_output=True, text=True, timeout=60, check=False)
    assert time.monotonic() - began < 20
    return done


def checks(tmp_path, *words, dns=None):
    done = explain(tmp_path, "--json", *words, dns=dns)
    answer = json.loads(done.stdout)
    return {c["id"]: c for c in answer["checks"]}, answer


def test_all_is_well_with_the_sender(sink, tmp_path):
    found, answer = checks(tmp_path, "--port", str(sink.port), "--from", "anna@example.net", CALLOUT)
    assert {k: c["state"] for k, c in found.items()} == {"sender_dns": "pass", "sender_mx": "pass", "callout": "pass"}, found
    assert "MAIL FROM:<>" in " ".join(sink.heard) and "RCPT TO:<anna@example.net>" in " ".join(sink.heard)
    assert "DATA" not in sink.heard
    # What was looked at goes to the end, and the other side comes first.
    assert "letter" in answer["do"][0] and answer["do"][-1].startswith("Check that they accept MAIL FROM:<>")


def test_a_sender_that_its_server_does_not_know(sink, tmp_path):
    found, answer = checks(tmp_path, "--port", str(sink.port), "--from", "bob@example.net", NO_USER)
    assert found["callout"]["state"] == "fail" and "bob@example.net" in found["callout"]["text"]
    assert answer["do"][0].startswith("Create the mailbox or alias bob@example.net")


@pytest.mark.parametrize("sink", [{"refuses_null": True}], indirect=True)
def test_a_server_that_refuses_bounces(sink, tmp_path):
    found, answer = checks(tmp_path, "--port", str(sink.port), "--from", "anna@example.net", CALLOUT)
    assert found["callout"]["state"] == "fail" and "MAIL FROM:<>" in found["callout"]["text"], found
    assert "accept MAIL FROM:<>" in answer["do"][0]


@pytest.mark.parametrize("sink", [{"greeting": "554 5.7.1 go away"}], indirect=True)
def test_a_server_that_refuses_this_host_is_no_verdict(sink, tmp_path):
    found, _ = checks(tmp_path, "--port", str(sink.port), "--from", "anna@example.net", CALLOUT)
    assert {found["callout"]["state"], found["sender_mx"]["state"]} == {"unknown"}, found


def test_nobody_listens(tmp_path):
    found, answer = checks(tmp_path, "--port", str(free_port()), "--from", "anna@example.net", CALLOUT)
    assert found["sender_mx"]["state"] == found["callout"]["state"] == "fail"
    assert "mx.example.net" in answer["do"][0]


@pytest.mark.parametrize("sender, state, word", [("a@gone.example", "unknown", "did not answer"), ("a@null.example", "fail", "null MX"),
                                                 ("a@nowhere.example", "fail", "does not exist"), ("a@example.net", "fail", "nobody can send to")])
def test_domain_of_the_sender(tmp_path, sender, state, word):
    """Without --port a scripted loopback MX is as unusable as it is for everybody."""
    found, _ = checks(tmp_path, "--from", sender, "--timeout", "2", "451 Domain of sender address does not resolve")
    assert found["sender_dns"]["state"] == state and word in found["sender_dns"]["text"], found


def test_private_addresses_are_not_dialled(sink, tmp_path):
    found, _ = checks(tmp_path, "--port", str(sink.port), "--to", "u@far.example", "421 4.4.2 Connection timed out")
    assert found["rcpt_mx"]["state"] == "fail" and not sink.heard, found
    found, _ = checks(tmp_path, "--from", "anna@example.net", CALLOUT)
    assert found["sender_mx"]["state"] == found["callout"]["state"] == "fail" and not sink.heard, found


def test_spf_dkim_dmarc(tmp_path):
    reply = "550 5.7.26 [192.0.2.7] Authentication failed: SPF and DKIM do not pass"
    found, _ = checks(tmp_path, "--from", "anna@example.net", "--selector", "s1", reply)
    assert {k: c["state"] for k, c in found.items()} == {"spf": "pass", "dkim": "pass", "dmarc": "pass"}, found
    found, answer = checks(tmp_path, "--from", "anna@example.net", "--ip", "192.0.2.9", reply)
    assert (found["spf"]["state"], found["dkim"]["state"]) == ("fail", "unknown"), found
    assert "192.0.2.9" in answer["do"][0]
    found, answer = checks(tmp_path, "--from", "a@bad.example", "--selector", "old", reply)
    assert {c["state"] for c in found.values()} == {"fail"}, found
    assert "postern spf lint bad.example" in answer["do"][0]


def test_reverse_name_and_helo(tmp_path):
    reply = "550 5.7.25 [192.0.2.7] The IP address sending this message does not have a PTR record setup"
    found, answer = checks(tmp_path, "--helo", "mail.example.net", reply)
    assert {k: c["state"] for k, c in found.items()} == {"ptr": "pass", "helo": "pass"}
    assert not any(step.startswith("Set a PTR") for step in answer["do"][:2])
    found, answer = checks(tmp_path, "--ip", "192.0.2.9", "--helo", "localhost", reply)
    assert {c["state"] for c in found.values()} == {"fail"} and "PTR" in answer["do"][0]
    found, _ = checks(tmp_path, "550 5.7.25 No PTR record")
    assert {c["state"] for c in found.values()} == {"unknown"} and "--ip" in found["ptr"]["fix"]


@pytest.mark.parametrize("ip, state", [("192.0.2.7", "fail"), ("192.0.2.8", "pass"), ("192.0.2.9", "unknown")])
def test_the_list_that_the_reply_names(tmp_path, ip, state):
    found, _ = checks(tmp_path, f"554 5.7.1 Service unavailable; Client host [{ip}] blocked using list.example; see https://list.example/")
    assert found["listed"]["state"] == state, found


def test_a_log_line_brings_its_own_facts(tmp_path):
    found, _ = checks(tmp_path, "Nov 22 08:15:30 mx postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[192.0.2.9]: 450 4.7.25 Client host rejected: "
                      "cannot find your hostname, [192.0.2.9]; from=<anna@example.net> to=<u@example.org> proto=ESMTP helo=<mail.example.net>")
    assert found["ptr"]["subject"] == "192.0.2.9" and found["ptr"]["state"] == "fail" and found["helo"]["subject"] == "mail.example.net", found


def test_a_dead_dns_takes_no_longer_than_told(tmp_path):
    began = time.monotonic()
    found, _ = checks(tmp_path, "--from", "a@gone.example", "--timeout", "2", CALLOUT, dns=[["gone.example", "*", "TIMEOUT"]])
    assert {c["state"] for c in found.values()} == {"unknown"} and time.monotonic() - began < 10, found


def test_screen_letter_and_page(sink, tmp_path):
    words = ["--port", str(sink.port), "--from", "bob@example.net", NO_USER]
    screen = explain(tmp_path, *words)
    assert screen.returncode == 2 and "✖ callout" in screen.stdout and "✓ sender_dns" in screen.stdout
    letter = explain(tmp_path, "--letter", *words)
    assert "We have checked just now" in letter.stdout and "not right yet" in letter.stdout and "mend this before you write" in letter.stderr
    page = explain(tmp_path, "--html", *words).stdout
    assert page.count("<html") == page.count("</html>") == 1 and "<table>" in page and "bob@example.net" in page


def test_a_cause_with_nothing_to_look_at(tmp_path):
    _, answer = checks(tmp_path, "552 5.2.2 Mailbox full")
    assert answer["checks"] == [] and answer["do"]


@pytest.mark.parametrize("words", [["--batch"], ["--ip", "nonsense", "451 x"], ["--port", "0", "451 x"], ["--letter", "--html", "451 x"]], ids=" ".join)
def test_wrong_options_say_so(tmp_path, words):
    done = explain(tmp_path, *words)
    assert done.returncode in (3, 64) and done.stderr.startswith("postern: --"), done

"""What somebody hears who has never read an RFC and types something natural and wrong: what, where, and what to do."""
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import TOP, program  # noqa: E402

POSTERN = program("src", "postern")
DNS = os.path.join(TOP, "samples", "dns.json")

# words (DIR is a directory with the files below), status, what the complaint must hold
ROWS = [
    ("verify", 64, ["verify", "address"]),
    ("verify example.org", 64, ["example.org", "no @", "postmaster@example.org"]),
    ("verify joe@", 64, ["joe@", "behind the @"]),
    ("verify joe@example.org --timeout soon", 64, ["--timeout soon", "seconds"]),
    ("verify joe@example.org --resolver dns.example", 64, ["--resolver dns.example", "127.0.0.1@5353"]),
    ("verify joe@example.org --resolver 127.0.0.1@99999", 64, ["--resolver"]),
    ("verify joe@example.org --port smtp", 64, ["--port smtp", "65535"]),
    ("verify joe@example.org --dns none.json", 66, ["--dns none.json", "No such file"]),
    ("verify joe@example.org --dns text", 64, ["--dns text", "line 1", "JSON list"]),
    ("verify joe@example.org --dns object.json", 64, ["--dns object.json", "JSON list"]),
    ("verify joe@example.org -c none.conf", 66, ["-c none.conf", "No such file"]),
    ("address check", 64, ["address check", "address"]),
    ("spf check", 64, ["spf check", "postern spf check 192.0.2.25"]),
    ("spf check joe@example.org", 64, ["'joe@example.org' is no IP address", "postern spf check"]),
    ("spf check 999.1.1.1 joe@example.org", 64, ["'999.1.1.1' is no IP address"]),
    ("spf lint", 64, ["spf lint", "domain"]),
    ("spf lint joe@example.org", 64, ["is an address", "postern spf lint example.org"]),
    ("spf lint http://example.org/", 64, ["no domain"]),
    ("spf lint --ip 1.2.3 example.org", 64, ["--ip"]),
    ("dkim verify", 64, ["dkim verify", "message"]),
    ("dkim verify none.eml", 66, ["none.eml", "No such file"]),
    ("dkim verify DIR", 66, ["Is a directory"]),
    ("dkim verify empty", 66, ["empty", "message"]),
    ("dkim verify binary", 66, ["binary", "no mail"]),
    ("dkim verify -", 66, ["standard input", "empty"]),
    ("auth binary", 66, ["binary", "no mail"]),
    ("auth mail.eml --ip 1.2.3", 64, ["ip", "IPv4"]),
    ("dkim sign mail.eml", 64, ["--domain", "--selector", "--key"]),
    ("dkim sign --domain a.example --selector s --key none.pem mail.eml", 66, ["none.pem", "No such file"]),
    ("dkim sign --domain a.example --selector s --key text mail.eml", 64, ["text", "PEM"]),
    ("arc seal mail.eml", 64, ["--authserv-id"]),
    ("dmarc eval", 64, ["From address", "postern dmarc eval"]),
    ("explain", 64, ["explain", "-f FILE"]),
    ("explain -f none.eml", 66, ["none.eml", "No such file"]),
    ("explain -f DIR", 66, ["Is a directory"]),
    ("explain -f binary", 66, ["binary", "no text"]),
    ("explain -f empty", 66, ["empty", "paste"]),
    ("explain -f -", 66, ["standard input", "empty"]),
    ("explain mail.eml", 64, ["mail.eml is a file", "explain -f mail.eml"]),
    ("explain -f mail.eml too", 64, ["not both"]),
    ("explain --stage begin 451", 64, ["--stage begin", "end_of_data"]),
    ("explain --reader me 451", 64, ["--reader me", "receiving"]),
    ("explain --rules text 451", 64, ["text", "line 1"]),
    ("explain --lettre 451", 64, ["--lettre", "did you mean --letter"]),
    ("explain 451 --from", 64, ["--from", "value"]),
    ("--json=yes version", 64, ["--json takes no value"]),
    ("-x version", 64, ["-x", "-c FILE"]),
    ("spf nonsense", 64, ["spf nonsense"]),
    ("nonsense", 64, ["nonsense", "--help"]),
    ("queue shwo X", 64, ["did you mean 'queue show'"]),
    ("mode loud", 64, ["mode loud", "observe"]),
    ("why", 64, ["why", "missing", "postern why"]),
    ("queue hold", 64, ["ID is missing", "postern queue hold"]),
    ("cache show", 64, ["missing"]),
    ("stats please", 64, ["stats takes no words", "please"]),
    ("check-config text", 64, ["takes no words", "-c text"]),
    ("check-config -c text", 2, ["text:1"]),
    ("run text", 64, ["-c text"]),
    ("spool inspect none", 66, ["none", "No such file"]),
    ("spool export", 64, ["--to DIRECTORY"]),
    ("exempt add joe@example.org -c own.conf", 64, ["--why"]),
    ("exempt add joe@example.org --why x --for long -c own.conf", 64, ["--for long", "30d"]),
    ("completion fish", 64, ["bash"]),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    where = tmp_path_factory.mktemp("words")
    (where / "empty").write_bytes(b"")
    (where / "binary").write_bytes(bytes(range(256)) * 4 + bytes(64))
    (where / "text").write_text("hello\n")
    (where / "object.json").write_text('{"not": "a list"}\n')
    (where / "own.conf").write_text(f'daemon {{\n\trun_directory = "{where}"\n\texceptions = "{where}/exceptions"\n}}\n')
    (where / "mail.eml").write_text("From: a@b.example\nSubject: x\n\nbody\n")
    return where


@pytest.mark.parametrize("words, status, parts", ROWS, ids=lambda x: x if isinstance(x, str) else "")
def test_wrong_input_says_what_is_wrong(place, words, status, parts):
    done = subprocess.run([POSTERN, *[str(place) if w == "DIR" else w for w in words.split()]], cwd=place, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30, check=False)
    said = done.stderr
    assert done.returncode == status, said
    assert said.startswith("postern: ") and said.count("\n") <= 3, said
    assert all(part in said for part in parts), said


@pytest.mark.parametrize("words", [["help"], ["help", "verify"], ["help", "spf"], ["--help"], ["verify", "--help"], ["help", "queue", "list"]], ids=" ".join)
def test_help_is_asked_for_in_any_order(words):
    done = subprocess.run([POSTERN, *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 and done.stdout.startswith("postern") and not done.stderr


@pytest.mark.parametrize("text, word", [("451", "code alone"), ("hello", "no reply code"), ("4.5.1", "451")])
def test_explain_says_how_little_it_was_told(text, word):
    done = subprocess.run([POSTERN, "explain", text], capture_output=True, text=True, timeout=30, check=False)
    assert "Careful" in done.stdout and word in done.stdout

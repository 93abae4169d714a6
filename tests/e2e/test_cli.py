"""The command line as scripts use it: batches, exit statuses, JSON, help, and every verb that asks the daemon."""
import email
import json
import os
import re
import subprocess
import time

import pytest

from smtp_talk import Talk
from world import RELEASE

POSTERN = os.path.join(RELEASE, "src", "postern")
PORT = 2525                       # of the lab's mail hosts
TRUTHFUL, CATCH_ALL, TARPIT, NO_BOUNCES, DOWN = (f"127.9.1.{n}" for n in (1, 6, 10, 12, 38))


def run(*words, text=None, timeout=90, env=None):
    done = subprocess.run([POSTERN, *words], input=text, capture_output=True, text=True, timeout=timeout,
                          env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout, done.stderr


def batch(*words, lines, timeout=120):
    status, out, _ = run(*words, "--batch", text="".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines),
                         timeout=timeout)
    return status, [json.loads(line) for line in out.splitlines()]


def zone(domain, address):
    return [[domain, "MX", [10, f"mx.{domain}"]], [f"mx.{domain}", "A", address]]


def question(n, address, host=None, dns=None):
    domain = address.split("@")[1]
    return {"id": n, "address": address, "dns": zone(domain, host) if dns is None else dns, "port": PORT}


# --- verify --batch ---

# id → line, verdict
VERIFY = [
    (question("slow first", "anna@tarpit.example", TARPIT), "exists"),
    (question(2, "anna@truthful.example", TRUTHFUL), "exists"),
    (question(3, "nosuchuser@truthful.example", TRUTHFUL), "absent"),
    (question(4, "whoever@all.example", CATCH_ALL), "catch_all"),
    (question(5, "anna@null.example", NO_BOUNCES), "exists"),
    (question(6, "anna@down.example", DOWN), "temporary"),
    (question(7, "anna@nowhere.example", dns=[]), "absent"),
    (question(8, "anna@nullmx.example", dns=[["nullmx.example", "MX", [0, "."]]]), "absent"),
    (question(9, "anna@servfail.example", dns=[["servfail.example", "MX", "SERVFAIL"]]), "temporary"),
    (question(10, "anna@timeout.example", dns=[["timeout.example", "*", "TIMEOUT"]]), "temporary"),
    (question(11, "anna@bogus.example", dns=[["bogus.example", "*", "BOGUS"]]), "temporary"),
    (question(12, "anna@alias.example", dns=[["alias.example", "CNAME", "real.example", {"ttl": 60, "secure": True}],
                                             *zone("real.example", TRUTHFUL)]), "exists"),
    (question(13, "anna@implicit.example", dns=[["implicit.example", "A", TRUTHFUL]]), "exists"),
    (question(14, "anna@second.example", dns=[["second.example", "MX", [10, "a.second.example"]],
                                              ["second.example", "MX", [20, "b.second.example"]],
                                              ["a.second.example", "A", DOWN], ["b.second.example", "A", TRUTHFUL]]), "exists"),
    (question({"any": ["json", None]}, "anna@nodata.example", dns=[["nodata.example", "TXT", "no mail here"]]), "absent"),
]


def test_verify_batch(world):
    status, answers = batch("verify", lines=[line for line, _ in VERIFY])
    assert [a["id"] for a in answers] == [line["id"] for line, _ in VERIFY]
    assert [a.get("verdict", a) for a in answers] == [verdict for _, verdict in VERIFY]
    assert status == 0
    for a in answers:
        assert set(a) >= {"verdict", "cause", "code", "evidence", "cached", "took_ms"}, a
        assert isinstance(a["evidence"], list) and a["cached"] is False and a["took_ms"] >= 0
    by_id = {str(a["id"]): a for a in answers}
    assert by_id["3"]["cause"] == "no_mailbox" or by_id["3"]["cause"] == "sender_invalid", by_id["3"]
    assert any("RCPT TO:<nosuchuser@truthful.example>" in e for e in by_id["3"]["evidence"]), by_id["3"]


BAD = ['{"id":"half\n', "[1,2]\n", '"text"\n', '{"id":3}\n', '{"id":4,"address":17}\n', '{"id":5,"address":"no at sign"}\n',
       '{"id":6,"address":"a@b.example","dns":"x","port":2525}\n', '{"id":7,"address":"a@b.example","dns":[["b.example"]],"port":2525}\n',
       '{"id":8,"address":"a@b.example","dns":[],"port":"smtp"}\n', '{"id":9,"address":"a@b.example","dns":[],"port":70000}\n',
       '{"id":10,"x":' + "[" * 500 + "]" * 500 + "}\n", "\xff\xfe\n"]


def test_verify_batch_goes_on_behind_bad_lines(world):
    good = question("good", "anna@truthful.example", TRUTHFUL)
    lines = [x for line in BAD for x in (line, good)] + ["\n", "   \n", json.dumps(good)]   # and no line end at the end
    status, answers = batch("verify", lines=lines)
    assert status == 1
    assert len(answers) == 2 * len(BAD) + 1
    for line, bad in zip(BAD, answers[0::2]):
        assert bad.get("error") and "verdict" not in bad, (line, bad)
    assert [a["id"] for a in answers[0:20:2]] == [None, None, None, 3, 4, 5, 6, 7, 8, 9]
    assert all(a["verdict"] == "exists" and a["id"] == "good" for a in answers[1::2] + answers[-1:])


def test_verify_batch_of_many(world):
    lines = [question(n, f"{'anna' if n % 3 else 'nosuchuser'}@d{n}.example", TRUTHFUL) for n in range(300)]
    status, answers = batch("verify", lines=lines)
    assert status == 0 and [a["id"] for a in answers] == list(range(300))
    assert [a["verdict"] for a in answers] == ["exists" if n % 3 else "absent" for n in range(300)]


def test_batch_answers_at_once():
    """A program that writes one line and waits for its answer before the next one must not wait for ever."""
    with subprocess.Popen([POSTERN, "address", "check", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            os.set_blocking(child.stdout.fileno(), False)
            for n in range(3):
                child.stdin.write(json.dumps({"id": n, "address": "joe@example.org"}) + "\n")
                child.stdin.flush()
                deadline = time.monotonic() + 10
                line = ""
                while not line.endswith("\n") and time.monotonic() < deadline:
                    line += child.stdout.readline()
                    time.sleep(0.01)
                assert line and json.loads(line)["id"] == n
            child.stdin.close()
            assert child.wait(10) == 0
        finally:
            child.kill()


def test_verify_asks_the_daemon_and_shares_its_cache(world):
    world.start_gate()
    with Talk() as t:
        assert t.mail("anna@truthful.lab", "joe@here.lab", b"Subject: x\r\n\r\n").code == 250
    status, answers = batch("verify", "-c", world.config, lines=[{"id": 1, "address": "anna@truthful.lab"},
                                                                 {"id": 2, "address": "nosuchuser@truthful.lab"},
                                                                 {"id": 3, "address": "not an address"}])
    assert status == 1 and [a.get("verdict") for a in answers] == ["exists", "absent", None]
    assert [a.get("cached") for a in answers] == [True, False, None]


@pytest.mark.parametrize("domain, status", [("truthful.lab", 0), ("catchall.lab", 1), ("wont-say.lab", 1), ("no-such-domain.lab", 2),
                                            ("dns-broken.lab", 3)])
def test_verify_status_with_and_without_a_daemon(world, domain, status):
    alone, said = world.ask("verify", f"anna@{domain}")
    assert (alone, bool(said)) == (status, True)
    world.start_gate()
    with_daemon, answer = world.ask_json("verify", f"anna@{domain}")
    assert with_daemon == status and answer["address"] == f"anna@{domain}"


# --- words, statuses, help ---

def verbs():
    _, out, _ = run("--help")
    found = [re.match(r"  ([a-z-]+(?: [a-z-]+)?)  ", line) for line in out.splitlines()]
    return [m.group(1).strip() for m in found if m]


def test_help_names_every_verb():
    names = verbs()
    assert {"run", "check-config", "reload", "stop", "verify", "mode", "exempt add", "exempt list", "exempt remove", "sessions",
            "stats", "metrics", "why", "failures", "report observe", "queue list", "queue show", "queue hold", "queue release", "queue retry",
            "queue remove", "cache show", "cache flush", "spool inspect", "spool check", "spool export", "address check", "lab",
            "version"} <= set(names)
    for name in names:
        status, out, err = run(*name.split(), "--help")
        assert status == 0 and not err, name
        assert out.startswith(f"postern {name}") and "Examples:\n  postern " in out, out
    for noun in {n.split()[0] for n in names if " " in n}:
        status, out, _ = run(noun, "--help")
        assert status == 0 and all(n in out for n in names if n.startswith(noun + " ")), out


@pytest.mark.parametrize("words, near", [("verfy", "verify"), ("relaod", "reload"), ("queue lst", "queue list"), ("cache fulsh", "cache flush"),
                                         ("que list", "queue list"), ("spool chekc", "spool check"), ("check-conf", "check-config")])
def test_unknown_words_suggest_the_nearest(words, near):
    status, out, err = run(*words.split())
    assert status == 64 and not out and f"'{near}'" in err, err


@pytest.mark.parametrize("words", [[], ["queue"], ["xyzzy"], ["--no-such-option"], ["verify"], ["verify", "no at sign"], ["verify", "a@b", "c@d"],
                                   ["verify", "a@example.org", "--port", "0"], ["verify", "a@example.org", "--timeout", "soon"],
                                   ["address", "check"], ["exempt", "add", "sender", "a@b.example", "accept"],
                                   ["exempt", "add", "planet", "mars", "accept", "--why", "x"], ["spool", "export"],
                                   ["spool", "export", "not-an-id", "--to", "/tmp/x"]], ids=" ".join)
def test_usage_is_64(words):
    status, _, _ = run(*words)
    assert status == 64


def test_missing_input_is_66(tmp_path):
    assert run("verify", "a@example.org", "--dns", str(tmp_path / "none.json"))[0] == 66
    assert run("spool", "inspect", str(tmp_path / "none"))[0] == 66
    assert run("spool", "check", str(tmp_path / "none"))[0] == 66
    mail, no_key = tmp_path / "mail.eml", tmp_path / "none.pem"
    mail.write_bytes(b"From: a@example.org\r\n\r\nhello\r\n")
    status, _, err = run("dkim", "sign", "--domain", "example.org", "--selector", "s1", "--key", str(no_key), str(mail))
    assert status == 66 and "none.pem" in err


def test_no_daemon_is_75(world):
    for verb in ("stats", "metrics", "sessions", "reload", "stop", "mode", "queue list", "queue show X", "queue retry all", "why x@y.example",
                 "failures", "report observe", "cache show x.example", "cache flush x.example"):
        status, said = world.ask(*verb.split())
        assert status == 75 and "no daemon answers at" in said, (verb, said)


def test_a_file_that_is_not_there_is_named(tmp_path):
    status, _, err = run("stats", "-c", str(tmp_path / "none.conf"))
    assert status in (64, 66) and "none.conf" in err


def test_dns_from_a_file(world, tmp_path):
    script = tmp_path / "dns.json"
    script.write_text(json.dumps(zone("d.example", TRUTHFUL)))
    for who, status in (("anna", 0), ("nosuchuser", 2)):
        got, out, _ = run("verify", f"{who}@d.example", "--dns", str(script), "--port", str(PORT), "--json")
        assert (got, json.loads(out)["verdict"]) == (status, "exists" if who == "anna" else "absent")
    script.write_text('{"not": "a list"}')
    assert run("verify", "anna@d.example", "--dns", str(script), "--port", str(PORT))[0] not in (0, 1, 2)


def test_version_and_sample(tmp_path):
    assert set(json.loads(run("version", "--json")[1])) >= {"version", "openssl", "unbound", "sqlite"}
    sample = tmp_path / "sample.conf"
    sample.write_text(run("check-config", "--print-sample")[1])
    # Every commented key is a key: the sample with all its defaults switched on says what the defaults say.
    on = re.sub(r"(?m)^(\t?)#(\S+ = |route |\})", r"\1\2", sample.read_text())
    sample.write_text(on.replace("kind = mx", "kind = mx\n\trecipients = any").replace("\trecipients = call-ahead\n", ""))
    status, out, err = run("check-config", "-c", str(sample), "--json")
    assert status in (0, 1, 2) and not err, err
    assert {c["id"] for c in json.loads(out)["checks"]} >= {"routes", "tls", "host"}


ADDRESSES = [("joe@example.org", True), ("joe@bücher.example", True), ("jörg@example.org", True), ('"a b"@example.org', True),
             ("joe@[192.0.2.1]", True), ("a" * 64 + "@example.org", True), ("a" * 65 + "@example.org", True), ("a@" + "b." * 130 + "example", False), ("joe", False), ("@example.org", False),
             ("joe@", False), ("joe@-a.example", False), ("joe@a..example", False), ("a b@example.org", False), ("joe@example.org\r\nRCPT", False)]


def test_address_check_batch():
    lines = [{"id": n, "address": a} for n, (a, _) in enumerate(ADDRESSES)] + [{"id": "x"}]
    status, answers = batch("address", "check", lines=lines)
    assert status == 1 and answers[-1]["id"] == "x" and "error" in answers[-1]
    assert [(a["id"], a["valid"]) for a in answers[:-1]] == [(n, valid) for n, (_, valid) in enumerate(ADDRESSES)]
    for a, (_, valid) in zip(answers, ADDRESSES):
        assert set(a) == {"id", "valid", "reason", "local", "domain", "ascii_domain", "smtp_reply"}
        assert bool(a["reason"]) != valid and re.match(r"250 " if valid else r"5\d\d 5\.", a["smtp_reply"]), a
    assert answers[1]["ascii_domain"] == "xn--bcher-kva.example" and answers[1]["domain"] == "bücher.example"
    assert run("address", "check", "joe@example.org")[0] == 0 and run("address", "check", "joe@")[0] == 2


# --- what the daemon answers ---

def add_route(world):
    """down-hop.lab: taken from everybody, and nobody listens at its next hop."""
    with open(world.config, "a") as f:
        f.write('route "down-hop.lab" {\n\tkind = smtp\n\tnext_hop = "127.9.250.1:2599"\n\trecipients = any\n}\n')


def queued(world, n=1, rcpt="joe@down-hop.lab", sender=""):
    """Sends n messages to the dead next hop; the queue once all of them have been tried."""
    for i in range(n):
        with Talk() as t:
            r = t.mail(sender, rcpt, b"Subject: waiting %d\r\n\r\n.body\r\n" % i)
            assert r.code == 250, r
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        _, queue = world.ask_json("queue", "list")
        if len(queue) == n and all(m["last_reply"] for m in queue):
            return queue
        time.sleep(0.05)
    raise AssertionError(f"{queue} {world.log()}")


def test_queue(world):
    add_route(world)
    world.start_gate()
    assert world.ask_json("queue", "list") == (0, [])
    assert world.ask("queue", "list") == (0, "The queue is empty.\n")
    queue = queued(world, 3)
    ids = [m["id"] for m in queue]
    assert len(set(ids)) == 3
    assert all((m["sender"], m["recipients"], m["recipients_open"]) == ("", 1, 1) and m["last_reply"] for m in queue), queue
    status, text = world.ask("queue", "list")
    assert status == 0 and all(i in text for i in ids) and "1 of 1 recipients open" in text
    status, one = world.ask_json("queue", "show", ids[0])
    assert status == 0 and one["id"] == ids[0]
    (rcpt,) = one["rcpts"]
    assert (rcpt["address"], rcpt["state"], rcpt["cause"]) == ("joe@down-hop.lab", one["state"], "network"), rcpt
    assert "joe@down-hop.lab" in world.ask("queue", "show", ids[0])[1]

    assert world.ask_json("queue", "hold", ids[0], "--why", "asked by legal") == (0, {"ok": True})
    assert world.ask_json("queue", "show", ids[0])[1]["state"] == "on hold"
    world.kill_gate()
    world.start_gate()
    assert {m["id"]: m["state"] for m in world.ask_json("queue", "list")[1]}[ids[0]] == "on hold", "a hold survives a crash"
    assert world.ask_json("queue", "retry", "all") == (0, {"ok": True})
    time.sleep(0.3)
    assert world.ask_json("queue", "show", ids[0])[1]["state"] == "on hold"
    assert world.ask_json("queue", "release", ids[0]) == (0, {"ok": True})
    assert world.ask_json("queue", "show", ids[0])[1]["state"] != "on hold"

    before = world.ask_json("queue", "show", ids[1])[1]["attempts"]
    assert world.ask_json("queue", "retry", ids[1]) == (0, {"ok": True})
    deadline = time.monotonic() + 10
    while world.ask_json("queue", "show", ids[1])[1]["attempts"] == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert world.ask_json("queue", "show", ids[1])[1]["attempts"] > before

    assert world.ask_json("queue", "remove", ids[2]) == (0, {"ok": True})
    assert sorted(m["id"] for m in world.ask_json("queue", "list")[1]) == sorted(ids[:2])
    for verb in ("show", "hold", "release", "retry", "remove"):
        assert world.ask("queue", verb)[0] == 64 and world.ask("queue", verb, "nonsense!")[0] == 64, verb
        assert world.ask("queue", verb, ids[2])[0] in (1, 2), verb
    world.kill_gate()
    world.start_gate()
    assert sorted(m["id"] for m in world.ask_json("queue", "list")[1]) == sorted(ids[:2]), "what was removed stays away"


def test_why(world):
    world.start_gate()
    with Talk(source="127.9.4.77") as t:
        taken = t.mail("anna@truthful.lab", "joe@here.lab", b"Subject: taken\r\n\r\n")
        refused = t.mail("nosuchuser@truthful.lab", "joe@here.lab", b"Subject: refused\r\n\r\n")
    assert (taken.code, refused.code) == (250, 550)
    ids = [re.search(r"queued as (\w+)", taken.text).group(1), re.search(r"\((\w+)\)$", refused.text).group(1)]
    time.sleep(1.5)     # trails are written behind
    for what, n in ((ids[0], 1), (ids[1], 1), ("anna@truthful.lab", 1), ("nosuchuser@truthful.lab", 1), ("joe@here.lab", 2), ("127.9.4.77", 2),
                    ("truthful.lab", 2)):
        status, stories = world.ask_json("why", what)
        assert status == 0 and len(stories) == n, (what, stories)
        assert world.ask("why", what)[0] == 0
    assert len(world.ask_json("why", "joe@here.lab", "--limit", "1")[1]) == 1
    status, text = world.ask("why", ids[1])
    assert "550 5.1.7" in text and "RCPT TO:<nosuchuser@truthful.lab>" in text, text
    assert world.ask_json("why", "stranger@nowhere.example") == (1, [])
    status, failures = world.ask_json("failures")
    assert status == 0 and len(failures) == 1


def test_cache(world):
    world.start_gate()
    assert world.verify("anna@truthful.lab")["cached"] is False
    assert world.verify("anna@truthful.lab")["cached"] is True
    for what in ("anna@truthful.lab", "truthful.lab", "127.9.1.1"):
        status, known = world.ask_json("cache", "show", what)
        assert status == 0 and known, what
        assert world.ask("cache", "show", what)[0] == 0
    assert world.ask_json("cache", "flush", "anna@truthful.lab")[1]["flushed"] == 1
    assert world.verify("anna@truthful.lab")["cached"] is False
    assert world.ask_json("cache", "flush", "truthful.lab")[1]["flushed"] >= 2
    assert world.ask("cache", "flush", "never-seen.example")[0] == 1


def test_exempt(world):
    def code(sender, **source):
        with Talk(**source) as t:
            return t.mail(sender, "joe@here.lab", b"Subject: x\r\n\r\n").code

    def until(claim):
        deadline = time.monotonic() + 10
        while not claim() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert claim()

    world.start_gate()
    assert world.ask("exempt", "list") == (0, "There are no exceptions.\n")
    assert code("nosuchuser@truthful.lab") == 550
    for kind, what, action in (("sender", "nosuchuser@truthful.lab", "never-ask"), ("domain", "catchall.lab", "refuse"),
                               ("client", "127.9.4.64/26", "refuse"), ("recipient", "anna@here.lab", "accept")):
        status, said = world.ask("exempt", "add", kind, what, action, "--why", f"because of {kind}", "--for", "30d")
        assert status == 0, said
    status, rules = world.ask_json("exempt", "list")
    assert status == 0 and [(r["kind"], r["what"], r["action"]) for r in rules] == [
        ("sender", "nosuchuser@truthful.lab", "never-ask"), ("domain", "catchall.lab", "refuse"), ("client", "127.9.4.64/26", "refuse"),
        ("recipient", "anna@here.lab", "accept")]
    assert all(r["why"] == f"because of {r['kind']}" and r["by"] and r["until"].startswith("20") for r in rules)
    # Made by root, and read by the account that the daemon has become.
    until(lambda: code("nosuchuser@truthful.lab") == 250)
    assert code("whoever@catchall.lab") // 100 == 5
    assert code("anna@truthful.lab", source="127.9.4.65") // 100 == 5 and code("anna@truthful.lab", source="127.9.4.5") == 250
    assert world.ask("exempt", "remove", "nosuchuser@truthful.lab") == (0, "1 removed\n")
    assert world.ask("exempt", "remove", "nosuchuser@truthful.lab")[0] == 1
    until(lambda: code("nosuchuser@truthful.lab") == 550)
    for bad in (["client", "not-a-network", "accept"], ["sender", "no at sign", "accept"], ["domain", "a b", "refuse"]):
        status, said = world.ask("exempt", "add", *bad, "--why", "x")
        assert status in (2, 64), (bad, said)
    assert world.ask("exempt", "add", "sender", "a@b.example", "accept", "--why", "x", "--for", "soon")[0] == 64
    assert len(world.ask_json("exempt", "list")[1]) == 3


def damage(directory, text):
    """Changes the bytes where they stand in a segment."""
    for f in (f for f in os.scandir(directory) if f.is_file()):
        with open(f.path, "r+b") as segment:
            at = segment.read().find(text)
            if at >= 0:
                segment.seek(at)
                segment.write(b"#" * len(text))
                return
    raise AssertionError(f"{text} stands nowhere")


def test_spool(world, tmp_path):
    add_route(world)
    world.start_gate()
    ids = sorted(m["id"] for m in queued(world, 2))
    world.kill_gate()
    for place in ([], [os.path.join(world.directory, "spool")]):
        status, said = world.ask("spool", "inspect", *place)
        assert status == 0 and all(i in said for i in ids), said
        status, said = world.ask("spool", "check", *place)
        assert status == 0 and "every record is whole" in said
    to = tmp_path / "out"
    to.mkdir()
    assert world.ask("spool", "export", "--to", str(to)) == (0, f"2 messages written to {to}\n")
    for i in ids:
        with open(to / f"{i}.eml", "rb") as f:
            message = email.message_from_bytes(f.read())
        assert message["Subject"].startswith("waiting") and ".body" in message.get_payload()
    assert sum("joe@down-hop.lab" in path.read_text() for path in to.iterdir() if path.suffix != ".eml") >= 1
    one = tmp_path / "one"
    one.mkdir()
    assert world.ask("spool", "export", ids[0], "--to", str(one))[0] == 0 and (one / f"{ids[0]}.eml").exists()
    assert not (one / f"{ids[1]}.eml").exists()

    # A flipped bit in a record is found, and what is whole can still be saved.
    damage(os.path.join(world.directory, "spool", "segments"), b"Subject: waiting 0")
    status, said = world.ask("spool", "check")
    assert status == 2 and "damaged" in said, said
    saved = tmp_path / "saved"
    saved.mkdir()
    world.ask("spool", "export", "--to", str(saved))
    assert sum(path.suffix == ".eml" for path in saved.iterdir()) == 1


METRIC = re.compile(r'^[a-z_]+(?:\{[a-z_]+="(?:[^"\\]|\\.)*"(?:,[a-z_]+="(?:[^"\\]|\\.)*")*\})? -?(?:[0-9.e+-]+|\+Inf|NaN)$')


def test_numbers(world):
    world.start_gate()
    with Talk() as t:
        assert t.mail("anna@truthful.lab", "joe@here.lab", b"Subject: x\r\n\r\n").code == 250
        status, sessions = world.ask_json("sessions")
        assert status == 0 and len(sessions) == 1
        assert (sessions[0]["client"], sessions[0]["helo"], sessions[0]["state"]) == ("127.9.4.1", "client.lab", "command")
        status, text = world.ask("sessions")
        assert status == 0 and "127.9.4.1" in text
    status, stats = world.ask_json("stats")
    assert status == 0 and stats["accepted"] == 1 and stats["mode"] == "enforce"
    assert {(m["name"], m.get("verdict")): m["value"] for m in stats["metrics"]}["postern_verify_verdicts_total", "exists"] == 1
    cpu = [m["value"] for _ in range(3) for m in world.ask_json("stats")[1]["metrics"] if m["name"] == "process_cpu_seconds_total"]
    assert cpu[0] < cpu[2], "read when it is asked for"
    status, text = world.ask("stats")
    assert status == 0 and text.startswith("Up ")
    status, text = world.ask("metrics")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert status == 0 and len(lines) > 50
    assert not [line for line in lines if not METRIC.match(line)]
    named = {re.split(r"[{ ]", line)[0] for line in lines}
    typed = set(re.findall(r"(?m)^# TYPE (\S+) (?:counter|gauge|histogram)$", text))
    assert named <= typed | {t + s for t in typed for s in ("_bucket", "_sum", "_count")}


def test_mode(world):
    world.start_gate()
    for mode in ("observe", "tag", "off", "enforce"):
        assert world.ask_json("mode", mode) == (0, {"mode": mode}) == world.ask_json("mode")
    assert world.ask("mode", "guess")[0] == 64
    assert world.ask("stop")[0] == 0
    assert world.gate.wait(timeout=20) == 0

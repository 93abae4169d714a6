"""Metrics: over the control socket and a loopback port, by Prometheus' conventions; the dashboard and the alerts name nothing else."""
import json
import os
import re
import socket
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import TOP, free_port, wait_until
from lone import Lone

PACKAGING = os.path.join(TOP, "packaging")
PROMTOOL = os.path.join(TOP, "build-peers", "root", "usr", "bin", "promtool")
PLACE = re.compile(r"^(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$")


@pytest.fixture(scope="module")
def gate():
    port = free_port()
    with Lone(text=f"metrics {{ listen = 127.0.0.1:{port} }}\n") as g:
        g.metrics = port
        yield g.start()


def talk(port, request, patience=5):
    """All bytes that come back until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as s:
        s.sendall(request)
        got = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                return got
            got += piece


def get(port, path="/metrics", method="GET", more=""):
    head, _, body = talk(port, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode()).decode().partition("\r\n\r\n")
    return int(head.split()[1]), head, body


def promtool(*words, text=None):
    assert os.path.exists(PROMTOOL), "tools/install-packages test unpacks prometheus"
    done = subprocess.run([PROMTOOL, *words], input=text, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def page(gate):
    status, _, body = get(gate.metrics)
    assert status == 200
    return body


def test_both_ways_say_the_same(gate):
    status, head, body = get(gate.metrics)
    assert status == 200 and "Content-Type: text/plain; version=0.0.4" in head and f"Content-Length: {len(body)}" in head
    status, by_socket = gate.ask("metrics")
    assert status == 0

    def names(text):
        return [line for line in text.splitlines() if line.startswith("# ")]

    assert names(by_socket) == names(body)
    assert get(gate.metrics, method="HEAD")[2] == "" and get(gate.metrics, method="HEAD")[0] == 200


def test_conventions(gate):
    text = page(gate)
    assert promtool("check", "metrics", text=text) == (0, "")
    assert promtool("check", "metrics", text="# TYPE x_count gauge\nx_count 1\n")[0] != 0, "promtool would say so"
    kinds = dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text))
    assert all(re.match(r"(postern|process)_[a-z0-9_]+$", name) for name in kinds)
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())
    assert all(name.endswith("_seconds") for name, kind in kinds.items() if kind == "histogram")
    assert not [name for name in kinds if re.search(r"_(ms|millis|us|kb|mb|minutes|hours|days|percent)(_|$)", name)], "base units"
    helps = dict(re.findall(r"(?m)^# HELP (\S+) (.+)$", text))
    assert set(helps) == set(kinds) and all(helps.values())


def test_what_is_read(gate):
    values = {m["name"] + (m["labels"] or ""): float(m["value"]) for m in map(PLACE.match, page(gate).splitlines()) if m}
    assert values['postern_build_infoversion="0.1.0"'] == 1
    assert abs(time.time() - values["process_start_time_seconds"]) < 60
    assert 0 < values["process_open_fds"] < values["process_max_fds"] and values["process_resident_memory_bytes"] > 1e6
    assert 0 < values["process_cpu_seconds_total"] < 60
    assert values['postern_verify_modemode="enforce"'] == 1 and values['postern_verify_modemode="observe"'] == 0
    assert values["postern_queue_oldest_age_seconds"] == 0 and values["postern_tls_certificate_expiry_timestamp_seconds"] == 0
    before = values["process_cpu_seconds_total"]
    assert gate.ask("mode", "observe")[0] == 0
    text = page(gate)
    assert 'postern_verify_mode{mode="observe"} 1' in text and 'postern_verify_mode{mode="enforce"} 0' in text
    assert float(re.search(r"(?m)^process_cpu_seconds_total (\S+)$", text)[1]) >= before
    assert gate.ask("mode", "enforce")[0] == 0


BAD = [
    (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200), (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404), (b"GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404), (b"DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 405),
    (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 405),
    (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414), (b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 431),
    (b"\x16\x03\x01\x00\xa5\x01\x00\x00", None), (b"HELO x\r\n", None), (b"\0" * 3000, None), (b"GET /metrics\r\n\r\n", None),
]


@pytest.mark.parametrize("request_bytes,code", BAD, ids=[f"{n}" for n in range(len(BAD))])
def test_requests(gate, request_bytes, code):
    """None: whatever is said, if anything, is no page of metrics; and the next one is served."""
    with socket.create_connection(("127.0.0.1", gate.metrics), timeout=5 if code else 1) as s:
        got = b""
        try:
            s.sendall(request_bytes)
            while piece := s.recv(65536):
                got += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
        except TimeoutError:    # waits for the rest of a request, for as long as test_crowd measures
            assert code is None
    if code is None:
        assert b" 200 " not in got[:20], got[:200]
    else:
        assert got.split()[1] == str(code).encode(), got[:200]
    assert get(gate.metrics)[0] == 200


def test_crowd(gate):
    """Those who connect and say nothing: at most 16, and they do not keep the others out for longer than they may stay."""
    silent = [socket.create_connection(("127.0.0.1", gate.metrics), timeout=20) for _ in range(20)]
    begun = time.monotonic()
    assert gate.ask("mode")[0] == 0, "the daemon goes on"
    try:
        wait_until(lambda: served(gate.metrics), "served again", timeout=20)
        assert time.monotonic() - begun < 15
    finally:
        for s in silent:
            s.close()
    wait_until(lambda: served(gate.metrics), "served when they have gone", timeout=5)


def served(port):
    try:
        return get(port)[0] == 200
    except OSError:
        return False
    except IndexError:   # closed without a word
        return False


def test_many_scrapes(gate):
    before = float(re.search(r"(?m)^process_open_fds (\S+)$", page(gate))[1])
    for _ in range(200):
        assert get(gate.metrics)[0] == 200
    assert float(re.search(r"(?m)^process_open_fds (\S+)$", page(gate))[1]) <= before + 1, "no descriptor stays"


@pytest.mark.parametrize("where,word", [("0.0.0.0:9125", "loopback"), ("192.0.2.1:9125", "loopback"), ('"[::]:9125"', "loopback"),
                                        ('"unix:/tmp/metrics"', "path")])
def test_loopback_only(where, word):
    with Lone(text=f"metrics {{ listen = {where} }}\n") as g:
        for verb in ("check-config", "run"):
            status, said = g.ask(verb)
            assert status in (2, 64) and word in said and g.config in said, said


def test_reload_moves_the_port():
    first, second = free_port(), free_port()
    with Lone(text=f"metrics {{ listen = 127.0.0.1:{first} }}\n") as g:
        g.start()
        assert get(first)[0] == 200
        g.write(text=f"metrics {{ listen = 127.0.0.1:{second} }}\n")
        assert g.ask("reload")[0] == 0
        wait_until(lambda: served(second), "the new port")
        wait_until(lambda: not served(first), "the old port closes")
        # A port that cannot be had: nothing of the new configuration is used, and the old port answers.
        with socket.create_server(("127.0.0.1", 0)) as taken:
            g.write(text=f"metrics {{ listen = 127.0.0.1:{taken.getsockname()[1]} }}\n", verify="mode = observe")
            status, said = g.ask("reload")
            assert status == 2 and "metrics" in said
        assert served(second) and "enforce" in g.ask("mode")[1]
        g.write()
        assert g.ask("reload")[0] == 0
        wait_until(lambda: not served(second), "no port any more")
        assert g.stop() == 0


def test_take_over():
    """One daemon takes over from another: both have the port for a moment, and it never falls silent for good."""
    port = free_port()
    with Lone(text=f"metrics {{ listen = 127.0.0.1:{port} }}\n") as g:
        old = g.start().child
        g.child = subprocess.Popen([g.postern, "run", "--take-over", "-c", g.config], stderr=subprocess.PIPE, text=True)
        assert old.wait(60) == 0, g.log()
        old.stderr.close()
        wait_until(lambda: served(port), "the new one's page", story=g.log)
        assert g.ask("mode")[0] == 0 and g.child.poll() is None


def test_certificate_end():
    with Lone() as g:
        for words in (["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key"],
                      ["req", "-x509", "-new", "-key", "key", "-days", "7", "-subj", "/CN=gate.here.example", "-out", "pem"]):
            subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=g.directory)
        g.write(gate=f'tls_certificate = "{g.directory}/pem" tls_key = "{g.directory}/key"')
        g.start()
        end = float(re.search(r"(?m)^postern_tls_certificate_expiry_timestamp_seconds (\S+)$", g.ask("metrics")[1])[1])
        assert abs(end - time.time() - 7 * 86400) < 120


# --- what refers to metrics ---

OTHERS = {"up"}          # Prometheus' own
WORDS = {"rate", "increase", "changes", "sum", "max", "min", "by", "without", "ignoring", "histogram_quantile", "time", "and", "or", "label_values",
         "instance", "job", "action", "outcome", "le", "state", "verdict", "cause", "result", "why", "mode", "postern"}


def named(expression):
    """The metrics of an expression: what is a name and not a word of the language, a label or a text."""
    expression = re.sub(r'"[^"]*"|\[[^\]]*\]', " ", expression)
    return {word for word in re.findall(r"\b[a-z_][a-z0-9_]*\b", expression) if word not in WORDS} - OTHERS


def printed(text):
    """metric → its labels with their values, as a fresh daemon prints them."""
    found = {}
    for line in text.splitlines():
        m = re.match(r"([a-z_]+)(?:\{([^}]*)\})? ", line)
        if m and not line.startswith("#"):
            for label, value in re.findall(r'([a-z_]+)="([^"]*)"', m[2] or "") or [(None, None)]:
                found.setdefault(m[1], {}).setdefault(label, set()).add(value)
    return found


def check(expression, there):
    names = named(expression)
    assert names <= set(there), (expression, names - set(there))
    for metric, labels in re.findall(r"([a-z_]+)\{([^}]*)\}", expression):
        for label, value in re.findall(r'([a-z_]+)="([^"]*)"', labels):
            if label not in ("job", "instance") and metric in there:
                assert value in there[metric].get(label, ()), (expression, label, value)
    return names


def test_alerts(gate):
    path = os.path.join(PACKAGING, "prometheus", "postern.rules.yml")
    status, said = promtool("check", "rules", path)
    assert status == 0 and "SUCCESS" in said, said
    there = printed(page(gate))
    with open(path) as f:
        text = f.read()
    alerts = re.findall(r"(?ms)^      - alert: (\w+)\n        expr: (.*?)\n        (?:for|labels):", text)
    assert len(alerts) == text.count("- alert:") >= 12
    assert all(check(expression, there) or expression.startswith("up") for _, expression in alerts)
    with pytest.raises(AssertionError):
        check("rate(postern_no_such_thing_total[5m])", there)
    for verb in re.findall(r"postern ([a-z-]+(?: [a-z]+)?)", " ".join(re.findall(r"description: .*", text))):
        known = gate.ask(*verb.split(), "--help")[0] == 0 or gate.ask(verb.split()[0], "--help")[0] == 0
        assert known, verb


def test_alerts_fire(gate, tmp_path):
    """The rules read by Prometheus' own evaluator: silent when all is well, and each one with what it is for."""
    rules = os.path.join(PACKAGING, "prometheus", "postern.rules.yml")
    cases = {   # alert → series that make it fire at 90 minutes
        "PosternDown": ['up{job="postern",instance="a"} 0x200'],
        "PosternSpoolUnwritable": ['postern_spool_read_only{instance="a"} 1x200'],
        "PosternQueueOld": ['postern_queue_oldest_age_seconds{instance="a"} 15000x200'],
        "PosternOperatorBlocksUs": ['postern_verify_breaker_opened_total{instance="a",why="blocked"} 0x70 1x130'],
        "PosternProbesGoNowhere": ['postern_verify_unreachable_total{instance="a"} 0+10x200', 'postern_verify_sessions_total{instance="a"} 0+1x200'],
        "PosternRefusesHonestSenders": ['postern_sender_refused_then_accepted_total{instance="a"} 0+1x200', 'postern_sender_refused_total{instance="a"} 0+2x200'],
        "PosternHoldsLong": ['postern_hold_seconds_bucket{instance="a",le="20"} 0+1x200', 'postern_hold_seconds_bucket{instance="a",le="25"} 0+60x200',
                             'postern_hold_seconds_bucket{instance="a",le="+Inf"} 0+60x200'],
        "PosternDnsTrouble": ['postern_dns_queries_total{instance="a",outcome="temporary"} 0+30x200', 'postern_dns_queries_total{instance="a",outcome="found"} 0+70x200'],
        "PosternDoorFails": ['postern_policy_closed_total{instance="a"} 0+5x200'],
        "PosternSpoolDamaged": ['postern_spool_damaged_total{instance="a"} 0x80 2x120'],
        "PosternKept": ['postern_deliveries_total{instance="a",result="kept"} 0x70 3x130'],
        "PosternTrailsLost": ['postern_trails_dropped_total{instance="a"} 0x70 9x130'],
        "PosternFewDescriptors": ['process_open_fds{job="postern",instance="a"} 900x200', 'process_max_fds{job="postern",instance="a"} 1000x200'],
        "PosternCertificateEnds": ['postern_tls_certificate_expiry_timestamp_seconds{instance="a"} 900000x200'],
    }
    fine = ['up{job="postern",instance="a"} 1x200', 'postern_spool_read_only{instance="a"} 0x200', 'postern_queue_oldest_age_seconds{instance="a"} 10x200',
            'postern_dns_queries_total{instance="a",outcome="temporary"} 0+1x200', 'postern_dns_queries_total{instance="a",outcome="found"} 0+99x200',
            'postern_verify_unreachable_total{instance="a"} 0+10x200', 'postern_verify_sessions_total{instance="a"} 0+50x200',
            'postern_tls_certificate_expiry_timestamp_seconds{instance="a"} 0x200']
    with open(rules) as f:
        assert set(re.findall(r"- alert: (\w+)", f.read())) == set(cases), "each alert has a case"
    tests = [{"name": name or "all is well", "interval": "1m", "input_series": [dict(zip(("series", "values"), s.split(" ", 1))) for s in series],
              "promql_expr_test": [{"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)', "eval_time": "90m",
                                    "exp_samples": [{"labels": "{}", "value": 1 if name else 0}]} for alert in ([name] if name else cases)]}
             for name, series in [*cases.items(), (None, fine)]]
    path = tmp_path / "cases.json"
    for wrong in (False, True):     # and once with an expectation that is not met
        tests[0]["promql_expr_test"][0]["exp_samples"][0]["value"] = 0 if wrong else 1
        path.write_text(json.dumps({"rule_files": [rules], "evaluation_interval": "1m", "tests": tests}))
        status, said = promtool("test", "rules", str(path))
        assert (status != 0) == wrong, said


def test_dashboard(gate):
    path = os.path.join(PACKAGING, "grafana", "postern.json")
    made = subprocess.run([os.path.join(PACKAGING, "grafana", "make-dashboard")], capture_output=True, text=True, check=True).stdout
    with open(path) as f:
        text = f.read()
    assert text == made, "run: packaging/grafana/make-dashboard > packaging/grafana/postern.json"
    board, there = json.loads(text), printed(page(gate))
    panels = [p for p in board["panels"] if p["type"] != "row"]
    assert len(panels) >= 15 and len({p["id"] for p in board["panels"]}) == len(board["panels"])
    expressions = [t["expr"] for p in panels for t in p["targets"]] + [a["expr"] for a in board["annotations"]["list"]]
    for expression in expressions + [v["query"] for v in board["templating"]["list"] if v["type"] == "query"]:
        assert check(expression.replace("$__rate_interval", "5m").replace('"$instance"', '"x"'), there), expression
    # Prometheus itself reads them: as the expressions of rules.
    rules = "groups: [{name: x, rules: [" + ",".join(
        "{record: x, expr: %s}" % json.dumps(e.replace("$__rate_interval", "5m").replace("$instance", "x")) for e in expressions) + "]}]"
    file = os.path.join(gate.directory, "expressions.yml")
    with open(file, "w") as f:
        f.write(rules)
    status, said = promtool("check", "rules", "--lint=none", file)
    assert status == 0, said
    boxes = [(p["gridPos"]["x"], p["gridPos"]["y"], p["gridPos"]["w"], p["gridPos"]["h"]) for p in board["panels"]]
    cells = [(x + i, y + j) for x, y, w, h in boxes for i in range(w) for j in range(h)]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24, "no panel lies on another"

"""Two gates, each the mail server of the other's senders: nobody chases anybody, and both verdicts are right."""
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gates import Recorder, send_mail

A, B = "127.8.5.1", "127.8.5.2"


@pytest.fixture
def pair(gates, site, names, request):
    """Both ask a next hop who exists there, so that each question may lead to another one behind it."""
    hops = [Recorder(f"127.8.5.{n}", site.port, knows=lambda a: a.split("@")[0] in ("anna", "joe", "postmaster"))
            for n in (3, 4)]
    for hop in hops:
        request.addfinalizer(hop.stop)
    made = []
    for name, host, hop in (("a", A, hops[0]), ("b", B, hops[1])):
        names.add_mx(f"{name}.test", host)
        route = {"kind": "smtp", "next_hop": f"{hop.host}:{site.port}", "recipients": "call-ahead"}
        made.append(gates(name, {f"{name}.test": route}, host=host, port=site.port))
    return made, hops


def test_both_verdicts_are_right(pair):
    (a, b), (hop_a, hop_b) = pair
    for here, there, to, hop in (("a", "b", a, hop_a), ("b", "a", b, hop_b)):
        began = time.monotonic()
        assert send_mail(to, f"anna@{there}.test", f"joe@{here}.test").code == 250
        r = send_mail(to, f"forged@{there}.test", f"joe@{here}.test")
        assert (r.code, r.text.split()[0]) == (550, "5.1.7"), r
        assert time.monotonic() - began < 10
        to.wait_empty()
        assert [m.sender for m in hop.messages] == [f"anna@{there}.test"]


def test_nobody_chases_anybody(pair):
    """Many at once in both directions: the questions stay as few as there are senders."""
    (a, b), (hop_a, hop_b) = pair

    def send(i):
        to, here, there = ((a, "a", "b"), (b, "b", "a"))[i % 2]
        return send_mail(to, f"{'anna' if i % 4 < 2 else 'forged'}@{there}.test", f"joe@{here}.test").code

    began = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(send, range(80)))
    assert codes == [250 if i % 4 < 2 else 550 for i in range(80)]
    assert time.monotonic() - began < 30
    for gate in (a, b):
        gate.wait_empty()
        # One session for the senders and one for the recipients, give or take what came while they were under way.
        assert sum(m["value"] for m in gate.ask_json("stats")["metrics"] if m["name"].endswith("verify_sessions_total")) <= 6
    for hop in (hop_a, hop_b):
        assert hop.commands.count("MAIL") <= 20 + 6
        assert all(m.sender for m in hop.messages) and len(hop.messages) == 20

"""The resolver against nsd with signed, forged, expired, stripped and unsigned zones under a private root."""
import glob
import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import Process, free_port, program, wait_port  # noqa: E402

HOST = "127.0.0.53"
SOA = "@ 300 IN SOA ns.{0} hostmaster.{0} 1 3600 600 86400 60\n@ 300 IN NS ns.{0}\nns 300 IN A 127.0.0.53\n"
ZONES = {
    "good.": SOA
    + "www 120 IN A 192.0.2.10\n@ 300 IN MX 20 mx2.good.\n@ 300 IN MX 10 mx1.good.\nalias 90 IN CNAME www.good.\n"
    + "outside 90 IN CNAME www.open.\nlong 300 IN TXT " + " ".join('"%s"' % ("x" * 250) for _ in range(20)) + "\n"
    + "_25._tcp.mx1 300 IN TLSA 3 1 1 " + "ab" * 32 + "\nnull 300 IN MX 0 .\n*.wild 300 IN A 192.0.2.11\n"
    + "many 300 IN TXT \"one\"\n" + "".join(f"many 300 IN A 10.{i // 250}.{i % 250}.1\n" for i in range(300)),
    "bad.": SOA + "www 300 IN A 192.0.2.20\nhonest 300 IN A 192.0.2.21\n",
    "stale.": SOA + "www 300 IN A 192.0.2.30\n",
    "strip.": SOA + "www 300 IN A 192.0.2.40\n",
    "open.": SOA + "www 300 IN A 192.0.2.50\n@ 300 IN MX 10 www.open.\n",
    "10.in-addr.arpa.": SOA + "1.0.0 300 IN PTR www.open.\n",
}


def run(directory, *argv):
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def write(directory, name, text):
    with open(os.path.join(directory, name), "w") as f:
        f.write(text)


def file_of(zone):
    return "zone." + (zone.rstrip(".") or "root")


def keys(directory, zone):
    return [run(directory, "ldns-keygen", "-a", "ECDSAP256SHA256", *kind, zone) for kind in (["-k"], [])]


def sign(directory, zone, *options):
    """Writes FILE.signed; returns the DS record for the parent."""
    ksk, zsk = keys(directory, zone)
    run(directory, "ldns-signzone", "-o", zone, *options, file_of(zone), ksk, zsk)
    with open(glob.glob(os.path.join(directory, ksk + ".ds"))[0]) as f:
        return f.read()


def make_zones(directory):
    """All zones and their signatures; returns the file with the root's key and zone → file to serve."""
    serve = {}
    delegations = SOA.format("root-servers.").replace("ns 300", "ns.root-servers. 300")
    for zone, text in ZONES.items():
        write(directory, file_of(zone), f"$ORIGIN {zone}\n" + text.format(zone))
        serve[zone] = file_of(zone) + ".signed"
        delegations += f"{zone} 300 IN NS ns.{zone}\nns.{zone} 300 IN A 127.0.0.53\n"
        if zone in ("open.", "10.in-addr.arpa."):
            serve[zone] = file_of(zone)
        elif zone == "stale.":
            delegations += sign(directory, zone, "-i", "20200101", "-e", "20200201")
        else:
            delegations += sign(directory, zone)
    serve["strip."] = file_of("strip.")  # the parent promises signatures that the zone does not have
    with open(os.path.join(directory, serve["bad."])) as f:
        signed = f.read()
    assert "192.0.2.20" in signed
    write(directory, serve["bad."], signed.replace("192.0.2.20", "192.0.2.66"))
    write(directory, file_of("."), "$ORIGIN .\n" + delegations)
    anchor = sign(directory, ".")
    serve["."] = file_of(".") + ".signed"
    write(directory, "anchor", anchor)
    return os.path.join(directory, "anchor"), serve


def nsd_conf(directory, port, serve):
    zones = "".join(f'zone:\n  name: "{zone}"\n  zonefile: "{name}"\n' for zone, name in serve.items())
    return f"""server:
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{directory}"
  pidfile: "{directory}/nsd.pid"
  xfrdfile: "{directory}/xfrd.state"
  zonelistfile: "{directory}/zone.list"
  xfrdir: "{directory}"
  ip-address: {HOST}@{port}
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
{zones}"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("nsd"))
    anchor, serve = make_zones(directory)
    port = free_port(HOST)
    write(directory, "nsd.conf", nsd_conf(directory, port, serve))
    with Process(["/usr/sbin/nsd", "-d", "-c", os.path.join(directory, "nsd.conf")], os.path.join(directory, "log")) as nsd:
        wait_port(HOST, port, nsd)
        yield f"{HOST}@{port}", anchor


def ask(resolver, anchor, *questions, timeout=8):
    """[(name, type), …] → list of answers, all by one resolver in this order."""
    words = [word for question in questions for word in question]
    done = subprocess.run([program("src", "dns", "dns_query"), "--resolver", resolver, "--anchor", anchor,
                           "--timeout", str(timeout), *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


CASES = [
    # name, type, outcome, secure, records
    ("www.good", "A", "found", True, ["192.0.2.10"]),
    ("WWW.Good.", "A", "found", True, ["192.0.2.10"]),
    ("good", "MX", "found", True, [[10, "mx1.good"], [20, "mx2.good"]]),
    ("null.good", "MX", "found", True, [[0, ""]]),
    ("alias.good", "A", "found", True, ["192.0.2.10"]),
    ("outside.good", "A", "found", False, ["192.0.2.50"]),
    ("x.wild.good", "A", "found", True, ["192.0.2.11"]),
    ("long.good", "TXT", "found", True, ["x" * 5000]),
    ("_25._tcp.mx1.good", "TLSA", "found", True, [[3, 1, 1, "ab" * 32]]),
    ("nobody.good", "A", "nxdomain", True, []),
    ("www.good", "MX", "nodata", True, []),
    ("www.nowhere", "A", "nxdomain", True, []),
    ("www.bad", "A", "bogus", False, []),
    ("honest.bad", "A", "found", True, ["192.0.2.21"]),
    ("www.stale", "A", "bogus", False, []),
    ("www.strip", "A", "bogus", False, []),
    ("nobody.strip", "A", "bogus", False, []),
    ("www.open", "A", "found", False, ["192.0.2.50"]),
    ("nobody.open", "A", "nxdomain", False, []),
    ("www.open", "AAAA", "nodata", False, []),
    ("1.0.0.10.in-addr.arpa", "PTR", "found", False, ["www.open"]),
]


def test_verdicts(world):
    answers = ask(*world, *[case[:2] for case in CASES])
    got = [(a["outcome"], a["secure"], a["records"]) for a in answers]
    assert [(case[0], *g) for case, g in zip(CASES, got)] == [(case[0], *case[2:]) for case in CASES]


def test_times_to_live(world):
    alias, missing = ask(*world, ("alias.good", "A"), ("nobody.good", "A"))
    assert 85 <= alias["ttl"] <= 90  # the lowest on the way
    assert alias["canonical"] == "www.good"
    assert 55 <= missing["ttl"] <= 60  # RFC 2308: the zone's minimum, not its SOA's own


def test_bogus_says_why(world):
    (answer,) = ask(*world, ("www.bad", "A"))
    assert "signature" in answer["why"] and "www.bad" in answer["why"]


def test_more_records_than_we_keep(world):
    (answer,) = ask(*world, ("many.good", "A"))
    assert answer["outcome"] == "found" and answer["cut"] and len(answer["records"]) == 100


def test_without_an_anchor_nothing_is_secure_or_forged(world):
    good, bad, stale = ask(world[0], "none", ("www.good", "A"), ("www.bad", "A"), ("www.stale", "A"))
    assert [a["outcome"] for a in (good, bad, stale)] == ["found"] * 3
    assert not any(a["secure"] for a in (good, bad, stale))
    assert bad["records"] == ["192.0.2.66"]


def test_a_foreign_anchor_makes_all_bogus(world, tmp_path):
    run(tmp_path, "ldns-keygen", "-a", "ECDSAP256SHA256", "-k", ".")
    (ds,) = glob.glob(os.path.join(tmp_path, "*.ds"))
    (answer,) = ask(world[0], ds, ("www.good", "A"))
    assert answer["outcome"] == "bogus"


class Silent:
    """A UDP server that says nothing, and from a moment on answers every A question with 192.0.2.99."""

    def __init__(self, silent_for):
        self.answer_from = time.monotonic() + silent_for
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.54", 0))
        self.socket.settimeout(0.1)
        self.at = "127.0.0.54@%d" % self.socket.getsockname()[1]
        self.is_ending = False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.is_ending:
            try:
                query, peer = self.socket.recvfrom(4096)
            except socket.timeout:
                continue
            if time.monotonic() < self.answer_from:
                continue
            end = query.index(b"\0", 12) + 5
            answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + bytes([192, 0, 2, 99])
            is_a = query[end - 4:end - 2] == b"\0\x01"
            head = query[:2] + b"\x81\x80\0\x01" + (b"\0\x01" if is_a else b"\0\0") + b"\0\0\0\0"
            self.socket.sendto(head + query[12:end] + (answer if is_a else b""), peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_ending = True
        self.thread.join()
        self.socket.close()


def test_a_dead_server_is_bounded_by_our_own_deadline():
    with Silent(1000) as dead:
        (answer,) = ask(dead.at, "none", ("www.example.org", "A"), timeout=1.5)
    assert answer["outcome"] == "temporary" and answer["why"].startswith("timed out")
    assert 1400 <= answer["took_ms"] <= 2500


def test_nobody_there():
    (answer,) = ask("127.0.0.54@%d" % free_port("127.0.0.54"), "none", ("www.example.org", "A"), timeout=3)
    assert answer["outcome"] == "temporary"
    assert answer["took_ms"] <= 4000


def test_a_forwarder_that_comes_back_is_used_again():
    with Silent(12) as late:
        answers = ask(late.at, "none", *[(f"n{i}.example.org", "A") for i in range(40)], timeout=1)
    outcomes = [a["outcome"] for a in answers]
    assert outcomes[:8] == ["temporary"] * 8
    assert outcomes[-1] == "found", outcomes

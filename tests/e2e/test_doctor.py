"""`postern doctor`: a machine where everything is fine, and then one thing after the other that is not.

What the kernel tells stands in a directory of our own (--proc), the DNS in a script (--dns), the daemon is a socket that
answers as it would; the clock and lost packets come from a small library in front of libc.
"""
import datetime
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import free_port
from world import RELEASE

POSTERN = os.path.join(RELEASE, "src", "postern")
HERE = os.path.dirname(os.path.abspath(__file__))
OWN = "203.0.113.25"
SIGNED = {"ttl": 60, "secure": True}
SOA = "a.example. b.example. 1 7200 900 1209600 86400"
DNS = [[zone, "SOA", SOA, SIGNED] for zone in ("org", "com", "net")] + [
    ["gate.here.example", "A", OWN], ["25.113.0.203.in-addr.arpa", "PTR", "gate.here.example"],
    ["here.example", "MX", [10, "gate.here.example"]],
    ["2.0.0.127.zen.spamhaus.org", "A", "127.0.0.2"], ["2.0.0.127.ips.backscatterer.org", "A", "127.0.0.2"]]
STATS = {"mode": "enforce", "queue": 3, "kept": 0, "oldest_s": 60, "metrics": []}


@pytest.fixture(scope="module")
def shim():
    directory = tempfile.mkdtemp(prefix="postern-shim-")
    library = os.path.join(directory, "shim.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, os.path.join(HERE, "shim.c"), "-ldl"], check=True)
    yield library
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def certificates():
    """A root, and a certificate of it for gate.here.example that ends in 90 days."""
    directory = tempfile.mkdtemp(prefix="postern-ca-")

    def run(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=directory)

    for name in ("ca", "gate", "other"):
        run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
    run("req", "-x509", "-new", "-key", "ca.key", "-days", "3650", "-subj", "/CN=A root", "-out", "ca.pem")
    for name, host in (("gate", "gate.here.example"), ("elsewhere", "mail.elsewhere.example")):
        with open(os.path.join(directory, f"{name}.ext"), "w") as f:
            f.write(f"subjectAltName=DNS:{host}\n")
        run("req", "-new", "-key", "gate.key", "-subj", f"/CN={host}", "-out", f"{name}.csr")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "90", "-extfile", f"{name}.ext",
            "-out", f"{name}.pem")
    yield directory
    shutil.rmtree(directory)


class Daemon:
    """The control socket as a daemon would have it: one line of a question, `stats` as the answer."""

    def __init__(self, path, stats):
        self.stats = stats
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with client:
                if client.makefile().readline():
                    body = json.dumps(self.stats) if isinstance(self.stats, dict) else self.stats
                    client.sendall(f'{{"status":0,"bytes":{len(body)}}}\n{body}'.encode())

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Greeter:
    """A mail server as far as its greeting."""

    def __init__(self, greeting=b"220 hop.example ESMTP\r\n"):
        self.said = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.greeting = greeting
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with client:
                client.settimeout(5)
                client.sendall(self.greeting)
                self.said.append(client.recv(1000))

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Machine:
    def __init__(self, shim, certificates):
        self.directory = tempfile.mkdtemp(prefix="postern-doctor-")
        self.certificates = certificates
        self.shim = shim
        self.hop = Greeter()
        self.port = free_port()
        self.dns = [list(row) for row in DNS]
        self.conf = {
            "daemon": f'state_directory = "{self.directory}" run_directory = "{self.directory}" own_addresses = {{"{OWN}"}}',
            "gate": f'host = "gate.here.example" listen = {{"127.0.0.1:{self.port}"}} sessions = 1000 tls_certificate = "{certificates}/gate.pem" '
                    f'tls_key = "{certificates}/gate.key"',
            'route "here.example"': f'local = yes kind = smtp next_hop = "127.0.0.1:{self.hop.port}"',
            "spool": f'directory = "{self.directory}" free_min = 1M inodes_min = 10', "queue": "", "dns": "", "verify": "",
        }
        self.pid = os.getpid()
        self.proc("meminfo", "MemTotal: 8000000 kB\nMemAvailable:    4000000 kB\n")
        self.proc("net/tcp", self.tcp_line("0100007F", self.port, 999))
        self.proc("net/route", "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
                               "eth0 00000000 0900007F 0003 0 0 0 00000000 0 0 0\n")
        self.proc("net/dev", "Inter-| Receive | Transmit\n  eth0: 9000 1000 0 0 0 0 0 0 9000 1000 0 0 0 0 0 0\n")
        self.proc("sys/fs/file-nr", "1000 0 100000\n")
        self.process(self.pid, "postern", [999])
        self.proc(f"{self.pid}/limits", "Max open files            20000                20000                files     \n")
        self.daemon = Daemon(os.path.join(self.directory, "control.sock"), dict(STATS, metrics=[]))

    @staticmethod
    def tcp_line(address, port, inode, state="0A"):
        return f"   0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0\n"

    def proc(self, name, text):
        path = os.path.join(self.directory, "proc", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)

    def process(self, pid, comm, inodes):
        self.proc(f"{pid}/comm", comm + "\n")
        fds = os.path.join(self.directory, "proc", str(pid), "fd")
        os.makedirs(fds, exist_ok=True)
        for i, inode in enumerate(inodes):
            os.symlink(f"socket:[{inode}]", os.path.join(fds, str(3 + i)))

    def look(self, *words, env=None, json_form=True, netns=False):
        config, dns = (os.path.join(self.directory, name) for name in ("postern.conf", "dns.json"))
        with open(config, "w") as f:
            f.write("".join(f"{name} {{ {rows} }}\n" for name, rows in self.conf.items()))
        with open(dns, "w") as f:
            json.dump(self.dns, f)
        command = [POSTERN, "doctor", "-c", config, "--proc", os.path.join(self.directory, "proc"), *(["--json"] if json_form else []), *words]
        if "--resolver" not in words:
            command += ["--dns", dns]
        if netns:
            command = ["unshare", "-n", "sh", "-c", 'ip link set lo up; [ -z "$DEAF" ] || echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all; exec "$@"',
                       "sh", *command]
        around = dict(os.environ, LD_PRELOAD=self.shim, SSL_CERT_FILE=os.path.join(self.certificates, "ca.pem"))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(around, **(env or {})))
        if not json_form:
            return done.returncode, done.stdout + done.stderr
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise AssertionError(done.stdout + done.stderr) from None
        assert answer["status"] == done.returncode
        return done.returncode, answer["checks"]

    def close(self):
        self.daemon.close()
        self.hop.close()
        shutil.rmtree(self.directory)


@pytest.fixture
def machine(shim, certificates):
    m = Machine(shim, certificates)
    yield m
    m.close()


def test_everything_is_fine(machine):
    status, checks = machine.look("--mx", "127.0.0.1", "--port", str(machine.hop.port))
    assert [c for c in checks if c["state"] not in ("pass", "na")] == [] and status == 0
    assert {c["id"] for c in checks} == {
        "config", "daemon", "mode", "queue", "spool", "listen", "disk", "inodes", "memory", "files", "clock", "certificate", "certificate_dates",
        "certificate_name", "certificate_chain", "resolver", "dns", "dnssec", "dns_truth", "host", "ptr", "spamhaus", "backscatterer", "next_hop",
        "port_25", "gateway"}
    assert all(c["fix"] is None for c in checks if c["state"] == "pass")
    assert set(machine.hop.said) == {b"QUIT\r\n"}, "nobody is asked anything"
    status, text = machine.look(json_form=False)
    assert status == 0 and "✓ clock" in text and "✖" not in text and "\033" not in text


# id, state, exit status, a word of the text, a word of the fix; what is done to the machine; arguments; environment
def rows():
    def conf(section, text):
        return lambda m: m.conf.__setitem__(section, m.conf[section] + " " + text)

    def swap(old, new):
        return lambda m: m.conf.__setitem__("spool", m.conf["spool"].replace(old, new))

    def stats(**more):
        return lambda m: m.daemon.stats.update(more)

    def metric(name, value):
        return lambda m: m.daemon.stats["metrics"].append({"name": name, "value": value})

    def proc(name, text):
        return lambda m: m.proc(name.format(pid=m.pid), text)

    def dns(*rows_added, without=()):
        def change(m):
            m.dns = [row for row in m.dns if row[0] not in without] + [list(row) for row in rows_added]
        return change

    def both(*changes):
        return lambda m: [change(m) for change in changes]

    def other_owner(m):
        shutil.rmtree(os.path.join(m.directory, "proc", str(m.pid), "fd"))
        os.mkdir(os.path.join(m.directory, "proc", str(m.pid), "fd"))
        m.process(812, "exim4", [999])

    def stop(m):
        m.daemon.close()
        os.unlink(os.path.join(m.directory, "control.sock"))
        m.daemon = Daemon(os.path.join(m.directory, "unused"), {})

    def tls(certificate, key="gate.key"):
        def change(m):
            m.conf["gate"] = m.conf["gate"].replace("/gate.pem", f"/{certificate}").replace("/gate.key", f"/{key}")
        return change

    def now(days):
        return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def nothing(m):
        pass

    route = "Iface Destination Gateway Flags\neth0 00000000 0900007F 0003\n"
    arp = "IP address HW type Flags HW address Mask Device\n127.0.0.9 0x1 {} 52:54:00:12:34:56 * eth0\n"
    return {
        "daemon down": ("daemon", "fail", 2, "no daemon answers", "systemctl start", stop, [], {}),
        "daemon of another version": ("daemon", "unknown", 3, "not in the form", "postern version", lambda m: setattr(m.daemon, "stats", "[]"), [], {}),
        "limits are not known": ("files", "na", 2, "no daemon", "", stop, [], {}),
        "port free": ("listen", "na", 2, "is free", "", both(stop, proc("net/tcp", "")), [], {}),
        "mode off": ("mode", "warn", 1, "off", "mode observe", stats(mode="off"), [], {}),
        "queue slow": ("queue", "warn", 1, "5 h", "queue list", stats(oldest_s=5 * 3600), [], {}),
        "queue stuck": ("queue", "fail", 2, "goes back to its sender", "queue show", stats(oldest_s=4 * 86400), [], {}),
        "kept": ("kept", "warn", 1, "7 messages", "postern failures", stats(kept=7), [], {}),
        "spool unwritable": ("spool", "fail", 2, "cannot be written", "451", metric("postern_spool_read_only", 1), [], {}),
        "spool damaged": ("spool", "fail", 2, "2 damaged", "spool check", metric("postern_spool_damaged_total", 2), [], {}),
        "port of another": ("listen", "fail", 2, "exim4 (process 812)", "another port", other_owner, [], {}),
        "port of the manager": ("listen", "pass", 0, "manager", "", both(
            lambda m: shutil.rmtree(os.path.join(m.directory, "proc", str(m.pid), "fd")), lambda m: m.process(1, "systemd", [999])), [], {}),
        "port of the unseen": ("listen", "unknown", 3, "not visible", "root", lambda m: shutil.rmtree(
            os.path.join(m.directory, "proc", str(m.pid), "fd")), [], {}),
        "nobody listens": ("listen", "fail", 2, "nobody listens", "reload", proc("net/tcp", ""), [], {}),
        "wildcard of another": ("listen", "fail", 2, "master", "another port", lambda m: (
            m.proc("net/tcp", ""), m.proc("net/tcp6", m.tcp_line("0" * 32, m.port, 998)), m.process(700, "master", [998])), [], {}),
        "connections are no listeners": ("listen", "fail", 2, "nobody listens", "", lambda m: m.proc(
            "net/tcp", m.tcp_line("0100007F", m.port, 999, state="01")), [], {}),
        "policy door missing": ("listen", "fail", 2, "unix:/", "reload", lambda m: m.conf.__setitem__(
            "policy_door", f'listen = {{"unix:{m.directory}/nobody"}}'), [], {}),
        "metrics port missing": ("listen", "fail", 2, "(metrics)", "", lambda m: m.conf.__setitem__("metrics", "listen = 127.0.0.1:1"), [], {}),
        "disk full": ("disk", "fail", 2, "452", "make room", swap("free_min = 1M", "free_min = 900000G"), [], {}),
        "disk missing": ("disk", "warn", 1, "No such file", "first start", lambda m: m.conf.__setitem__("spool", f'directory = "{m.directory}/none"'), [], {}),
        "inodes": ("inodes", "fail", 2, "452", "delete", swap("inodes_min = 10", "inodes_min = 900000000000000000"), [], {}),
        "memory short": ("memory", "warn", 1, "may take", "gate.memory", proc("meminfo", "MemAvailable: 300000 kB\n"), [], {}),
        "memory gone": ("memory", "fail", 2, "available", "kernel", proc("meminfo", "MemAvailable: 30000 kB\n"), [], {}),
        "memory unknown": ("memory", "unknown", 3, "meminfo", "", proc("meminfo", "MemTotal: 8000000 kB\n"), [], {}),
        "few descriptors": ("files", "warn", 1, "1024", "LimitNOFILE", proc("{pid}/limits", "Max open files            1024    4096    files\n"), [], {}),
        "descriptors used up": ("files", "fail", 2, "in use", "LimitNOFILE", proc("{pid}/limits", "Max open files   1   4   files\n"), [], {}),
        "descriptors of the system": ("files_system", "fail", 2, "whole system", "file-max", proc("sys/fs/file-nr", "99000 0 100000\n"), [], {}),
        "clock unkept": ("clock", "warn", 1, "nothing keeps it", "chrony", nothing, [], {"SHIM_CLOCK": "unkept"}),
        "clock off": ("clock", "warn", 1, "900 ms", "chronyc", nothing, [], {"SHIM_CLOCK": "off"}),
        "no certificate": ("certificate", "warn", 1, "self-signed", "tls_certificate", lambda m: m.conf.__setitem__(
            "gate", m.conf["gate"].split("tls_certificate")[0]), [], {}),
        "another key": ("certificate", "fail", 2, "other.key", "key that was made", tls("gate.pem", "other.key"), [], {}),
        "no such file": ("certificate_dates", "fail", 2, "nothing.pem", "", tls("nothing.pem"), [], {}),
        "certificate ends soon": ("certificate_dates", "warn", 1, "it ends on", "renew", nothing, ["--now", now(80)], {}),
        "certificate over": ("certificate_dates", "fail", 2, "it ended on", "renew", nothing, ["--now", now(91)], {}),
        "certificate too early": ("certificate_dates", "fail", 2, "not valid yet", "clock", nothing, ["--now", now(-2)], {}),
        "certificate of another": ("certificate_name", "warn", 1, "mail.elsewhere.example", "MX record", tls("elsewhere.pem"), [], {}),
        "chain": ("certificate_chain", "warn", 1, "", "fullchain", nothing, [], {"SSL_CERT_FILE": "/dev/null"}),
        "dns dead": ("dns", "fail", 2, "nothing answers", "port 53", dns(*[[z, "SOA", "TIMEOUT"] for z in ("org", "com", "net")],
                                                                          without=("org", "com", "net")), [], {}),
        "names without dns": ("names", "unknown", 2, "without the DNS", "", dns(*[[z, "SOA", "SERVFAIL"] for z in ("org", "com", "net")],
                                                                               without=("org", "com", "net")), [], {}),
        "dns fails at times": ("dns", "warn", 1, "1 of 3", "overloaded", dns(["net", "SOA", "SERVFAIL"], without=("net",)), [], {}),
        "forged": ("dns", "fail", 2, "DNSSEC does not hold", "clock", dns(["net", "SOA", "BOGUS"], without=("net",)), [], {}),
        "unsigned": ("dnssec", "warn", 1, "without signatures", "passes signatures", dns(
            *[[z, "SOA", SOA] for z in ("org", "com", "net")], without=("org", "com", "net")), [], {}),
        "validation off": ("dnssec", "warn", 1, "switched off", "trust_anchor", conf("dns", 'trust_anchor = "none"'), [], {}),
        "host without address": ("host", "fail", 2, "no A or AAAA", "publish", dns(without=("gate.here.example",)), [], {}),
        "host short": ("host", "fail", 2, "not a full name", "`host`", lambda m: m.conf.__setitem__(
            "gate", m.conf["gate"].replace("gate.here.example", "gate")), [], {}),
        "no PTR": ("ptr", "fail", 2, "no PTR", "ask whoever", dns(without=("25.113.0.203.in-addr.arpa",)), [], {}),
        "PTR of another name": ("ptr", "warn", 1, "we say HELO gate.here.example", "same name", dns(
            ["25.113.0.203.in-addr.arpa", "PTR", "x.provider.example"], ["x.provider.example", "A", OWN], without=("25.113.0.203.in-addr.arpa",)), [], {}),
        "PTR that leads elsewhere": ("ptr", "fail", 2, "no PTR that leads back", "", dns(
            ["25.113.0.203.in-addr.arpa", "PTR", "gate.here.example"], ["gate.here.example", "A", "203.0.113.26"], without=("gate.here.example",)), [], {}),
        "PTR unknown": ("ptr", "unknown", 3, "could not be looked up", "", dns(
            ["25.113.0.203.in-addr.arpa", "PTR", "SERVFAIL"], without=("25.113.0.203.in-addr.arpa",)), [], {}),
        "list refuses the resolver": ("spamhaus", "warn", 1, "public or open resolver", "recursive", dns(
            ["2.0.0.127.zen.spamhaus.org", "A", "127.255.255.254"], without=("2.0.0.127.zen.spamhaus.org",)), [], {}),
        "list says too many": ("spamhaus", "warn", 1, "too many", "recursive", dns(
            ["2.0.0.127.zen.spamhaus.org", "A", "127.255.255.255"], without=("2.0.0.127.zen.spamhaus.org",)), [], {}),
        "list is filtered": ("spamhaus", "warn", 1, "test entry", "truthfully", dns(without=("2.0.0.127.zen.spamhaus.org",)), [], {}),
        "list does not answer": ("backscatterer", "unknown", 3, "backscatterer", "", dns(
            ["2.0.0.127.ips.backscatterer.org", "A", "SERVFAIL"], without=("2.0.0.127.ips.backscatterer.org",)), [], {}),
        "listed": ("spamhaus", "fail", 2, "203.0.113.25 is listed (127.0.0.4)", "check.spamhaus.org", dns(
            ["25.113.0.203.zen.spamhaus.org", "A", "127.0.0.4"]), [], {}),
        "in a range of customers": ("spamhaus", "warn", 1, "(127.0.0.10)", "check.spamhaus.org", dns(
            ["25.113.0.203.zen.spamhaus.org", "A", "127.0.0.10"]), [], {}),
        "listed for probes": ("backscatterer", "fail", 2, "is listed", "backscatterer.org", dns(
            ["25.113.0.203.ips.backscatterer.org", "A", "127.0.0.2"]), [], {}),
        "next hop down": ("next_hop", "fail", 2, "refused", "start it", lambda m: m.conf.__setitem__(
            'route "here.example"', 'local = yes kind = smtp next_hop = "127.0.0.1:1"'), [], {}),
        "next hop unwilling": ("next_hop", "fail", 2, "554 no", "connections from us", lambda m: setattr(m.hop, "greeting", b"554 no\r\n"), [], {}),
        "next hop without a name": ("next_hop", "fail", 2, "cannot be looked up", "address", lambda m: m.conf.__setitem__(
            'route "here.example"', 'local = yes kind = smtp next_hop = "store.nowhere.example:24"'), [], {}),
        "port 25 not tried": ("port_25", "na", 0, "strangers are not bothered", "--mx", nothing, [], {}),
        "port 25 by probes": ("port_25", "pass", 0, "95 of 100", "", both(
            metric("postern_verify_sessions_total", 95), metric("postern_verify_unreachable_total", 5)), [], {}),
        "port 25 closed, as probes see it": ("port_25", "fail", 2, "98 of 100", "provider", both(
            metric("postern_verify_sessions_total", 2), metric("postern_verify_unreachable_total", 98)), [], {}),
        "port 25 closed": ("port_25", "fail", 2, "127.0.0.1 port 1", "provider", nothing, ["--mx", "127.0.0.1", "--port", "1"], {}),
        "no such mail server": ("port_25", "unknown", 3, "no mail server", "", nothing, ["--mx", "nowhere.example"], {}),
        "no gateway": ("gateway", "na", 0, "no default route", "", proc("net/route", "Iface\n"), [], {}),
        "packets lost": ("gateway", "fail", 2, "echoes lost", "cable", nothing, [], {"SHIM_LOST": "3"}),
        "a packet lost": ("gateway", "warn", 1, "1 of 20", "chance", nothing, [], {"SHIM_LOST": "15"}),
        "gateway by counters": ("gateway", "pass", 0, "0 of 2000", "", nothing, [], {"SHIM_NO_ECHO": "1"}),
        "gateway with errors": ("gateway", "warn", 1, "100 of 2000", "ethtool", proc(
            "net/dev", "  eth0: 9000 1000 60 40 0 0 0 0 9000 1000 0 0 0 0 0 0\n"), [], {"SHIM_NO_ECHO": "1"}),
        "gateway silent": ("gateway", "na", 0, "does not answer echo", "", both(
            proc("net/route", route), proc("net/arp", arp.format("0x2"))), [], {"DEAF": "1"}),
        "gateway gone": ("gateway", "fail", 2, "does not answer", "cable", both(
            proc("net/route", route), proc("net/arp", arp.format("0x0"))), [], {"DEAF": "1"}),
        "no way to the gateway": ("gateway", "fail", 2, "cannot be reached", "ip route", proc(
            "net/route", "Iface Destination Gateway Flags\neth0 00000000 017100CB 0003\n"), [], {"DEAF": "1"}),
        "public resolver": ("resolver", "warn", 2, "8.8.8.8", "recursive", nothing, ["--resolver", "8.8.8.8", "--timeout", "1"], {"DEAF": "1"}),
        "forwarder": ("resolver", "pass", 2, "192.0.2.53", "", nothing, ["--resolver", "192.0.2.53", "--timeout", "1"], {"DEAF": "1"}),
        "recursive": ("resolver", "pass", 2, "root servers", "", nothing, ["--resolver", "recursive", "--timeout", "1"], {"DEAF": "1"}),
    }


ROWS = rows()


@pytest.mark.parametrize("name", ROWS)
def test_finding(machine, name):
    which, state, status, text, fix, change, words, env = ROWS[name]
    if which != "gateway":
        machine.proc("net/route", "Iface\n")   # echoes take half a second
    change(machine)
    # In a network of its own nothing is lost to the world, and deaf means deaf.
    alone = "DEAF" in env
    if alone and which == "gateway":
        machine.conf['route "here.example"'] = "local = yes kind = maildir maildir = /nowhere"
    got, checks = machine.look(*words, env=env, netns=alone)
    hits = [c for c in checks if c["id"] == which and c["state"] == state and text in c["text"] and fix in (c["fix"] or "")]
    assert hits, [c for c in checks if c["id"] == which or c["state"] not in ("pass", "na")]
    assert got == status, [c for c in checks if c["state"] not in ("pass", "na")]


def test_lying_resolver(machine):
    """Who answers what does not exist, and takes two seconds for it."""
    class Liar(threading.Thread):
        def __init__(self):
            super().__init__(daemon=True)
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]

        def run(self):
            import dns.message
            import dns.rrset
            while True:
                try:
                    data, to = self.udp.recvfrom(4096)
                except OSError:
                    return
                query = dns.message.from_wire(data)
                answer = dns.message.make_response(query)
                question = query.question[0]
                if question.rdtype == 1:
                    answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", "192.0.2.80"))
                elif question.rdtype == 6:
                    answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "SOA", SOA))
                threading.Timer(1.2 if question.rdtype == 6 else 0, self.udp.sendto, (answer.to_wire(), to)).start()

    liar = Liar()
    liar.start()
    machine.conf["dns"] = 'trust_anchor = "none"'
    status, checks = machine.look("--resolver", f"127.0.0.1@{liar.port}")
    found = {c["id"]: c for c in checks}
    assert status == 2 and found["dns_truth"]["state"] == "fail" and "do not exist" in found["dns_truth"]["text"]
    assert found["dns"]["state"] == "warn" and "nearer by" in found["dns"]["fix"], found["dns"]
    liar.udp.close()


def test_usage(machine):
    assert machine.look("everything", json_form=False)[0] == 64
    assert machine.look("--now", "noon", json_form=False)[0] == 64
    machine.conf["gate"] = "nonsense = 1"
    assert machine.look(json_form=False)[0] == 2

"""The Debian package: built, judged by lintian, installed into a clean Debian 12, run as its unit would run it, upgraded
with mail in the queue, purged.

Warm, this takes about a minute. The first time adds what the caches cost: debootstrap and the packages that postern
depends on (about a minute and 60 MB), and a compiler cache that is empty (two minutes).
"""
import ctypes
import glob
import os
import re
import signal
import smtplib
import socket
import socketserver
import subprocess
import sys
import threading
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for place in (HERE, os.path.dirname(HERE)):
    if place not in sys.path:
        sys.path.insert(0, place)

from debian_root import Namespaces, Root, run  # noqa: E402
from support import TOP, wait_until  # noqa: E402

OUT = os.environ.get("POSTERN_PACKAGE", os.path.join(TOP, "build-package"))
UNIT = "/lib/systemd/system/postern.service"
SOCKET = "/lib/systemd/system/postern.socket"
EXPOSURE = 2.5
FINE, WARNING = 0, 1


@pytest.fixture(scope="module")
def deb():
    run(os.path.join(TOP, "tools", "build-package"), "--to", OUT, timeout=900)
    found = glob.glob(os.path.join(OUT, "postern_*.deb"))
    assert len(found) == 1, found
    return found[0]


@pytest.fixture(scope="module")
def namespaces():
    n = Namespaces()
    n.enter_mounts()
    yield n
    n.leave()


@pytest.fixture(scope="module")
def root(deb, namespaces):
    """The package installed; from here on on a network of our own."""
    r = Root()
    try:
        r.install_with_dependencies(deb)
        namespaces.enter_network()
        yield r
    finally:
        r.close()


# --- what is in it ---

def test_lintian_finds_no_error(deb):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0",
                           glob.glob(os.path.join(OUT, "postern_*.changes"))[0]], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_account_directories_and_files(root):
    assert re.search(r"^postern:x:\d+:\d+:Postern mail gate[,]*:/var/lib/postern:/usr/sbin/nologin$", root.read("/etc/passwd"), re.M)
    for path, mode in (("/var/spool/postern", "700"), ("/var/lib/postern", "750")):
        assert root.ok("stat", "-c", "%a %U %G", path).split() == [mode, "postern", "postern"]
    assert root.ok("stat", "-c", "%U", "/etc/postern").strip() == "root"
    for path in ("/usr/lib/postern/postern-lab", "/usr/share/postern/replies.rules", "/usr/share/man/man1/postern.1.gz",
                 "/usr/share/man/man5/postern.conf.5.gz"):
        assert root.exists(path), path
    manuals = {os.path.basename(f) for pattern in ("*.1", "*.5") for f in glob.glob(os.path.join(TOP, "man", pattern))}
    installed = {os.path.basename(f)[:-3] for f in glob.glob(root.file("/usr/share/man/man?/postern*.gz"))}
    assert manuals == installed


def test_rules_file_is_read(root):
    said = root.chroot("postern", "explain", "--json", "--rules", "/usr/share/postern/replies.rules",
                       "451 4.7.1 Greylisting in action, please come back in 00:05:00").stdout
    assert '"greylist' in said, said


def quick_dns(text):
    """Nobody answers here: not for long."""
    if "#timeout = 10s" in text:
        return text.replace("#timeout = 10s", "timeout = 100ms")
    return text + "\ndns { timeout = 100ms }\n"


def test_configurations_are_accepted(root):
    """The one in force and each example; there is no DNS here, which is the only fault that may be found."""
    examples = [f[len(root.path):] for f in glob.glob(root.file("/usr/share/doc/postern/examples/*.conf*"))]
    assert len(examples) >= 3, examples
    for path in ["/etc/postern/postern.conf", *examples]:
        text = root.ok("zcat", "-f", path)
        root.write("/var/tmp/postern.conf", quick_dns(text))
        done = root.chroot("postern", "check-config", "-c", "/var/tmp/postern.conf", "--resolver", "127.0.0.1@9")
        faults = [line for line in done.stdout.splitlines() if line.startswith("✖") and not re.match("✖ (host|ptr) ", line)]
        assert done.returncode < 64 and done.stderr == "" and faults == [], path + done.stdout + done.stderr


def test_first_configuration_is_the_sample_but_for_three_lines(root):
    mine = [line for line in root.read("/etc/postern/postern.conf").splitlines()]
    sample = root.ok("postern", "check-config", "--print-sample").splitlines()
    changed = [line for line in mine if line not in sample and not line.startswith("#")]
    assert sorted(line.strip() for line in changed) == ["listen = {\"127.0.0.1:10040\"}", "listen = {}", "mode = observe"]


def completion_table(root):
    return re.findall(r"^\t\['([^']+)'\]=", root.read("/usr/share/bash-completion/completions/postern"), re.M)


def test_completion_knows_every_verb(root):
    table, said = completion_table(root), root.ok("postern", "--help")
    assert len(table) > 30 and len(re.findall(r"^  [a-z]", said, re.M)) == len(table)
    for verb in table:
        assert f"\n  {verb} " in said, verb


def test_completion_offers(root):
    script = root.file("/usr/share/bash-completion/completions/postern")
    ask = 'source "$1"; COMP_WORDS=(postern $2 "$3"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _postern; printf "%s\\n" "${COMPREPLY[@]}"'

    def offered(before, begun=""):
        return set(run("bash", "-c", ask, "bash", script, before, begun).split())

    table = completion_table(root)
    assert offered("") == {verb.split()[0] for verb in table}
    for noun in {verb.split()[0] for verb in table if " " in verb}:
        assert offered(noun) >= {verb.split()[1] for verb in table if verb.startswith(noun + " ")}
    assert {"--apply", "--remove", "--config-dir"} <= offered("setup postfix", "--")
    assert offered("-c /etc/x queue", "rel") == {"release"}


def test_exposure_is_low(root):
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", root.file(UNIT))
    level = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", said).group(1))
    assert level <= EXPOSURE, said
    # Each point that is left is explained.
    with open(os.path.join(TOP, "packaging", "README.md")) as f:
        explained = f.read()
    for name in re.findall(r"^✗ (\S+)", said, re.M):
        assert f"`{name}`" in explained, f"packaging/README.md does not say why {name} stays open"


# --- running as the unit ---

class Sink(socketserver.ThreadingTCPServer):
    """A next hop that takes everything and keeps the subjects."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port):
        self.subjects = []
        super().__init__(("127.0.0.1", port), SinkSession)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class SinkSession(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 sink.test")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.say("354 go")
                for text in iter(self.rfile.readline, b".\r\n"):
                    if text.startswith(b"Subject: "):
                        self.server.subjects.append(text[9:].strip().decode())
                self.say("250 taken")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")


class Service:
    """The daemon as its unit describes it; the sockets of the socket unit stay open between two of its lives."""

    def __init__(self, root, with_sockets):
        self.root = root
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(root.file("/run/manager.sock"))
        os.chmod(root.file("/run/manager.sock"), 0o666)
        self.notify.settimeout(0.2)
        addresses = re.findall(r"^ListenStream=([0-9.]+):(\d+)$", root.read(SOCKET), re.M) if with_sockets else []
        self.listening = [self.listen(host, int(port)) for host, port in addresses]
        self.child, self.said = None, []

    @staticmethod
    def listen(host, port):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, port))
        s.listen(128)
        return s

    def argv(self, *command):
        words = [sys.executable, os.path.join(HERE, "as_unit.py"), self.root.path, self.root.file(UNIT), "--notify", "/run/manager.sock"]
        if self.listening:
            words += ["--listen", str(len(self.listening))]
        return words + (["--", *command] if command else [])

    def start(self):
        log = os.path.join(self.root.place, "log")
        # The sockets must be 3, 4 … in the child; a shell puts them there.
        places = " ".join(f"{n}<&{s.fileno()}" for n, s in enumerate(self.listening, 3))
        with open(log, "ab") as out:
            self.child = subprocess.Popen(["bash", "-c", f'exec "$@" {places}', "bash", *self.argv()], stdout=out, stderr=out,
                                          stdin=subprocess.DEVNULL, pass_fds=[s.fileno() for s in self.listening])
        self.wait_for("READY=1")
        return self

    def wait_for(self, word):
        self.said, until = [], time.monotonic() + 60
        while not self.said or word not in self.said[-1]:
            assert time.monotonic() < until and self.child.poll() is None, f"the service never said {word}: {self.said}\n{self.log()}"
            try:
                self.said.append(self.notify.recv(4096).decode())
            except socket.timeout:
                pass

    def log(self):
        with open(os.path.join(self.root.place, "log"), errors="replace") as f:
            return f.read()[-6000:]

    def status(self, name):
        with open(f"/proc/{self.child.pid}/status") as f:
            return re.search(rf"^{name}:\s*(.*)$", f.read(), re.M).group(1)

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        assert self.child.wait(60) == 0, self.log()
        self.child = None

    def close(self):
        if self.child:
            self.child.kill()
            self.child.wait()
        for s in [self.notify, *self.listening]:
            s.close()
        os.unlink(self.root.file("/run/manager.sock"))


@pytest.fixture
def service(root):
    made = []

    def make(with_sockets):
        made.append(Service(root, with_sockets))
        return made[-1]

    yield make
    for s in made:
        s.close()


GATE = """
gate { host = "gate.test" listen = {"0.0.0.0:25"} }
route "example.org" { kind = smtp next_hop = "127.0.0.1:10025" recipients = any }
verify { mode = observe }
dns { resolver = "127.0.0.1@9" trust_anchor = none timeout = 1s }
queue { retry_first = 1h }
"""


def send(subject):
    with smtplib.SMTP("127.0.0.1", 25, timeout=30) as client:
        client.sendmail("anna@example.org", ["joe@example.org"], f"Subject: {subject}\r\n\r\nhello\r\n")


def queue(root):
    return re.findall(r"<anna@example\.org>", root.ok("postern", "queue", "list"))


def kernel_has_landlock():
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0   # landlock_create_ruleset: the version


def test_starts_as_installed_beside_postfix(root, service):
    """No port 25, a policy door, no privilege."""
    s = service(with_sockets=False).start()
    assert "WATCHDOG=1" in s.said
    parts = ["seccomp", "Landlock"] if kernel_has_landlock() else ["seccomp"]
    assert not [part for part in parts if f"part={part}" in s.log()], "the unit leaves no room for the sandbox inside\n" + s.log()
    assert s.status("NoNewPrivs") == "1" and s.status("Seccomp") == "2" and int(s.status("CapBnd"), 16) == 0
    assert s.status("Uid").split()[1] == root.ok("id", "-u", "postern").strip()
    with socket.create_connection(("127.0.0.1", 10040), timeout=10):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 25), timeout=10)
    assert "observe" in root.ok("postern", "mode")
    # ExecReload, in its place.
    done = subprocess.run(s.argv("/usr/bin/postern", "reload"), capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    s.stop()


def test_the_unit_keeps_it_in(root, service):
    """That the restrictions of the tests around this one are there: what the service must not, it cannot."""
    argv = service(with_sockets=False).argv
    for command in ("echo x > /etc/postern/new", "echo x > /usr/x", "mkdir /var/lib/other", "ls /root/", "mount -t tmpfs none /tmp",
                    "unshare -U true", "chmod 4755 /tmp/x", "ls /proc/sys", "nice -n -5 true 2>&1 | grep -v . "):
        done = subprocess.run(argv("/bin/sh", "-c", "touch /tmp/x; " + command), capture_output=True, text=True, timeout=30)
        assert done.returncode != 0, command
    done = subprocess.run(argv("/bin/sh", "-c", "touch /tmp/x /var/spool/postern/x /var/lib/postern/x /run/postern/x && "
                               "rm /var/spool/postern/x /var/lib/postern/x /run/postern/x"), capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_the_tour_passes_from_there(root, service):
    done = subprocess.run(service(with_sockets=False).argv("/usr/bin/postern", "lab", "--once"), capture_output=True, text=True,
                          timeout=240)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "All stories ended as they should." in done.stdout and done.stdout.count("✓") >= 14


def newer(deb, tmp_path):
    """The same package with a later version: what an upgrade brings."""
    tree, out = tmp_path / "tree", tmp_path / "postern_newer.deb"
    run("dpkg-deb", "-R", deb, str(tree))
    control = (tree / "DEBIAN" / "control").read_text()
    (tree / "DEBIAN" / "control").write_text(re.sub(r"^Version: (.*)$", r"Version: \1+later", control, flags=re.M))
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", str(tree), str(out))
    return str(out)


def test_upgrade_with_mail_in_the_queue(root, service, deb, tmp_path):
    root.write("/etc/postern/postern.conf", GATE)
    os.makedirs(root.file("/etc/systemd/system/sockets.target.wants"), exist_ok=True)   # systemctl enable postern.socket
    os.symlink(SOCKET, root.file("/etc/systemd/system/sockets.target.wants/postern.socket"))
    root.ok("postern", "exempt", "add", "domain", "partner.example", "accept", "--why", "test")
    s = service(with_sockets=True).start()
    for n in range(3):
        send(f"before {n}")
    assert len(queue(root)) == 3

    root.ok("dpkg", "--force-confold", "-i", root.copy_in(newer(deb, tmp_path)))
    assert "+later" in root.ok("dpkg-query", "-W", "postern")
    assert root.read("/etc/postern/postern.conf") == GATE, "the administrator's file is his"
    assert len(queue(root)) == 3, "the old process goes on"

    # As systemd restarts it: the socket is open all the time, and who comes meanwhile waits.
    s.stop()
    with socket.create_connection(("127.0.0.1", 25), timeout=30) as early:
        s.start()
        assert early.recv(4) == b"220 "
    assert len(queue(root)) == 3 and "partner.example" in root.ok("postern", "exempt", "list")
    sink = Sink(10025)
    try:
        root.ok("postern", "queue", "retry", "all")
        wait_until(lambda: len(sink.subjects) == 3, "three mails delivered after the upgrade", story=s.log)
    finally:
        sink.close()
    assert sorted(sink.subjects) == ["before 0", "before 1", "before 2"]
    wait_until(lambda: queue(root) == [], "an empty queue")
    s.stop()


def test_a_socket_that_nothing_listens_for_is_told(root, service):
    root.write("/etc/postern/postern.conf", GATE.replace('"0.0.0.0:25"', ""))
    s = service(with_sockets=True).start()
    assert "socket_unused" in s.log() and "0.0.0.0" in s.log()
    s.stop()


def leftovers(root):
    found = root.chroot("find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path", "/var/cache/apt/archives", "-o", "-path",
                        "/var/tmp", ")", "-prune", "-o", "(", "-name", "*postern*", "-o", "-user", "postern", ")", "-print").stdout.split()
    return sorted(found)


def test_purge_keeps_mail_until_asked(root, service, deb):
    root.write("/etc/postern/postern.conf", GATE)
    s = service(with_sockets=True).start()
    send("left behind")
    s.stop()
    root.ok("dpkg", "--remove", "postern")
    assert root.exists("/etc/postern/postern.conf") and root.exists("/var/lib/postern/postern.db")
    said = root.ok("dpkg", "--purge", "postern")
    assert "/var/spool/postern holds mail" in said and "account postern stays" in said
    left = [path for path in leftovers(root) if not path.startswith("/var/spool/postern")]
    assert left == [] and root.exists("/var/spool/postern") and not root.exists("/etc/postern")

    # Installed again, it delivers what was left.
    root.ok("dpkg", "-i", root.copy_in(deb))
    root.write("/etc/postern/postern.conf", GATE)
    sink = Sink(10025)
    try:
        s.start()
        root.ok("postern", "queue", "retry", "all")
        wait_until(lambda: sink.subjects == ["left behind"], "the mail of before the purge", story=s.log)
    finally:
        sink.close()
    wait_until(lambda: queue(root) == [], "an empty queue")
    s.stop()


def test_purge_leaves_nothing_but_the_account(root):
    said = root.ok("dpkg", "--purge", "postern")
    assert "holds mail" not in said
    assert leftovers(root) == [] and "postern:" in root.read("/etc/passwd")


def test_purge_takes_the_mail_when_asked(root, service, deb):
    root.ok("dpkg", "-i", root.copy_in(deb))
    root.write("/etc/postern/postern.conf", GATE)
    s = service(with_sockets=True).start()
    send("not wanted any more")
    s.stop()
    root.ok("dpkg", "--purge", "postern", POSTERN_PURGE_SPOOL="yes")
    assert leftovers(root) == []

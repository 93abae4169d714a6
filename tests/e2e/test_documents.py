"""The operator's documents: every command in them runs as written, in their order, on a machine of its own.

The machine is a mount and network namespace over this one: its own /etc, /usr, /var and /run, a real Postfix, the lab's mail
servers as "the Internet", Postern installed by the package's own scripts. `systemctl` and `apt` are stand-ins (fake_manager.py)
that run the lines of the package's unit and postinst; tests/package holds the real package to the same.

Fences: `sh run` is run, status 0 unless `exit=` says which others are right; `sh form` names a program of the sources; `conf` is a
piece of postern.conf; `text` is no command. There is no other kind, so that none is passed over.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import TOP, wait_until
from lone import Lone
from world import RELEASE

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(TOP, "build-peers", "root")
DOCS = os.path.join(TOP, "docs")
ORDER = ["install", "first-week-in-observe", "switching-on", "reading-why", "polite-verifier", "moving-from-exim-and-postfix"]
FENCE = re.compile(r"(?ms)^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$")
CLIENT, OWN, PROBES = "198.51.100.7", "192.0.2.25", "192.0.2.26"
SOA = "a.example. b.example. 1 7200 900 1209600 86400"
ZONES = [["org", "SOA", SOA], ["com", "SOA", SOA], ["net", "SOA", SOA],
         ["mx.example.org", "A", OWN], ["mx.example.org", "A", PROBES],
         ["25.2.0.192.in-addr.arpa", "PTR", "mx.example.org."], ["26.2.0.192.in-addr.arpa", "PTR", "mx.example.org."],
         ["example.net", "MX", "10 mx.example.net."], ["mx.example.net", "A", "127.9.1.1"],
         ["2.0.0.127.zen.spamhaus.org", "A", "127.0.0.2"], ["2.0.0.127.ips.backscatterer.org", "A", "127.0.0.2"]]
MAIN_CF = """compatibility_level = 3.6
myhostname = mx.example.org
mydestination = example.org
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1, 192.0.2.25
inet_protocols = ipv4
local_recipient_maps =
local_transport = discard:
alias_maps =
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
maillog_file = /var/log/postfix.log
meta_directory = /etc/postfix
shlib_directory = /usr/lib/postfix
"""
MAKE = r"""
set -euo pipefail
ip link set lo up
for address in 198.51.100.7 192.0.2.25 192.0.2.26; do ip addr add $address/32 dev lo; done
mount -t tmpfs tmpfs "$W/t"
for place in etc usr var; do
	mkdir -p "$W/t/$place" "$W/t/$place.work"
	below=/$place
	[ $place != usr ] || below="$PEERS/usr:/usr"
	mount -t overlay overlay -o "lowerdir=$below,upperdir=$W/t/$place,workdir=$W/t/$place.work" /$place
done
mount -t tmpfs -o mode=755 tmpfs /run
rm -rf /etc/postern /var/lib/postern /var/spool/postern /etc/postfix
cp -a "$PEERS/etc/postfix" /etc/postfix
cp "$W/main.cf" /etc/postfix/main.cf
cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
touch /etc/postfix/dynamicmaps.cf
for name in systemctl apt; do install -m 755 "$HERE/fake_manager.py" /usr/local/bin/$name; done
getent group postdrop >/dev/null || groupadd --system postdrop
getent passwd postfix >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin postfix
mkdir -p /var/spool/postfix /var/lib/postfix
chown postfix: /var/lib/postfix
echo made > "$W/made"
exec sleep 600
"""
SEND = """
import smtplib, sys
s = smtplib.SMTP("192.0.2.25", 25, "mail.example.net", timeout=30, source_address=("198.51.100.7", 0))
s.ehlo()
for sender in sys.argv[1:]:
    try:
        s.sendmail(sender, ["joe@example.org"], "Subject: x\\r\\n\\r\\n")
        print(sender, 250)
    except smtplib.SMTPRecipientsRefused as no:
        print(sender, *no.recipients["joe@example.org"])
"""


class Machine:
    def __init__(self):
        assert os.geteuid() == 0, "a machine of one's own needs root, as CI has it"
        self.directory = tempfile.mkdtemp(prefix="postern-documents-")
        os.chmod(self.directory, 0o755)
        os.mkdir(os.path.join(self.directory, "t"))
        self.children = []
        self.env = dict(os.environ, W=self.directory, PEERS=PEERS, HERE=HERE, POSTERN_TOP=TOP, POSTERN_BINARY=os.path.join(RELEASE, "src", "postern"),
                        PATH="/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        self.write("main.cf", MAIN_CF)
        self.write("zones.json", json.dumps(ZONES))
        self.holder = self.child(["unshare", "-m", "-n", "--propagation", "private", "bash", "-c", MAKE])
        wait_until(lambda: os.path.exists(os.path.join(self.directory, "made")) or self.holder.poll() is not None, "the machine")
        assert self.holder.poll() is None, self.log()
        self.child(self.inside("/usr/bin/python3", os.path.join(HERE, "small_dns.py"), "5353", os.path.join(self.directory, "zones.json")))
        os.mkdir(os.path.join(self.directory, "lab"))
        lab = self.child(self.inside(os.path.join(RELEASE, "lab", "postern-lab"), "serve", os.path.join(self.directory, "lab")), stdout=subprocess.PIPE)
        assert lab.stdout.readline().startswith(b"ready")
        self.ok("postfix start")

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w") as f:
            f.write(text)

    def child(self, argv, stdout=None):
        out = open(os.path.join(self.directory, "out"), "ab")
        child = subprocess.Popen(argv, env=self.env, stdin=subprocess.DEVNULL, stdout=stdout or out, stderr=out, start_new_session=True)
        self.children.append(child)
        return child

    def inside(self, *argv):
        return ["nsenter", "-t", str(self.holder.pid), "-m", "-n", *argv]

    def run(self, script):
        """The lines as somebody at a prompt of root's would type them; the first that fails ends it."""
        with open(os.path.join(self.directory, "block"), "w+") as out:
            status = subprocess.run(self.inside("bash", "-eu", "-o", "pipefail", "-c", script), env=self.env, cwd=self.directory, timeout=60, check=False,
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=out).returncode
            out.seek(0)
            return status, out.read()

    def ok(self, script):
        status, said = self.run(script)
        assert status == 0, said + self.log()
        return said

    def send(self, *senders):
        """What Postfix says to a mail from outside: sender → code and text."""
        done = subprocess.run(self.inside("/usr/bin/python3", "-c", SEND, *senders), env=self.env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr + self.log()
        return [line.split(" ", 1)[1] for line in done.stdout.splitlines()]

    def log(self):
        texts = [self.run(f"tail -30 {path}")[1] for path in ("/var/log/postern.log", "/var/log/postfix.log")] if self.holder.poll() is None else []
        with open(os.path.join(self.directory, "out"), errors="replace") as f:
            return "\n".join([f.read()[-3000:], *texts])

    def close(self):
        if self.holder.poll() is None:
            self.run("systemctl stop postern; postfix stop 2>/dev/null")
        for child in reversed(self.children):
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait(20)
            if child.stdout:
                child.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="module")
def machine():
    m = Machine()
    try:
        yield m
    finally:
        m.close()


def document(name):
    with open(os.path.join(DOCS, name + ".md"), encoding="utf-8") as f:
        return f.read()


def fences(name):
    return [(m["info"], m["body"]) for m in FENCE.finditer(document(name))]


def statuses(info):
    given = re.fullmatch(r"sh run(?: exit=([0-9,]+))?", info)
    assert given, f"a fence of no known kind: {info}"
    return {int(n) for n in (given[1] or "0").split(",")}


def check_form(body):
    """A command of the source tree: it is there, and can be run."""
    for line in body.splitlines():
        program = os.path.join(TOP, line.split()[0])
        assert os.path.isfile(program) and os.access(program, os.X_OK), line


def check_conf(body, tmp_path):
    path = tmp_path / "piece.conf"
    path.write_text(body)
    done = subprocess.run([os.path.join(RELEASE, "src", "postern"), "exempt", "list", "-c", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, body + done.stderr


# What the world looks like behind a block, where that can be seen from outside. A part of the block → what must be so.
def asked_and_let_through(m):
    assert m.send("anna@example.net", "nosuchuser@example.net", "nosuchuser@example.net") == ["250"] * 3
    # Trails are written behind, and those of Postfix' mails when no more can come for them.
    wait_until(lambda: "absent" in m.run("postern why nosuchuser@example.net")[1], "the story of the forged mail", story=m.log)


def refused(m):
    yes, no = m.send("anna@example.net", "nosuchuser@example.net")
    # Postfix renumbers a sender's 5.1.7 in a restriction about recipients (reading-why.md).
    assert yes == "250" and re.match(r"550 b'5\.1\.[37] ", no) and "<nosuchuser@example.net>: Sender verify failed" in no, no


def let_through(m):
    assert m.send("nosuchuser@example.net") == ["250"]


BEHIND = {
    "setup postfix --apply\nsystemctl reload": asked_and_let_through,
    "mode = tag/\\tmode = enforce": refused, "mode = observe/\\tmode = tag": let_through, "postern mode observe\n": let_through,
    "postern mode off": let_through,
}
SEEN = set()


@pytest.mark.parametrize("name", ORDER)
def test_document(machine, name, tmp_path):
    blocks = fences(name)
    assert len(blocks) >= 4
    for info, body in blocks:
        if info == "sh form":
            check_form(body)
        elif info == "conf":
            check_conf(body, tmp_path)
        elif info == "text":
            assert not re.search(r"(?m)^(\$ |# |postern |apt |systemctl )", body), "a command in a block that is not run"
        else:
            right = statuses(info)
            status, said = machine.run(body)
            assert status in right, f"{name}.md: status {status}\n{body}\n{said}\n{machine.log()}"
            for part, check in BEHIND.items():
                if part in body:
                    check(machine)
                    SEEN.add(part)
    if name == ORDER[-1]:
        assert SEEN == set(BEHIND), set(BEHIND) - SEEN
        assert "reject_unverified_sender" not in machine.ok("postconf -h smtpd_recipient_restrictions")
        assert "policy_context=postern" in machine.ok("postconf -h smtpd_recipient_restrictions")


# --- what they say ---

def test_every_fence_is_of_a_known_kind():
    for name in ORDER:
        text = document(name)
        assert text.count("```") == 2 * len(fences(name)), name
        for info, _ in fences(name):
            assert info in ("sh form", "conf", "text") or statuses(info)


def test_names_in_the_text_exist():
    """Verbs, keys, metrics, alerts and files that the text between the fences names."""
    verbs = re.findall(r"(?m)^  ([a-z-]+(?: [a-z]+)?) ", subprocess.run([os.path.join(RELEASE, "src", "postern"), "--help"], capture_output=True, text=True,
                                                                        check=True).stdout)
    sample = subprocess.run([os.path.join(RELEASE, "src", "postern"), "check-config", "--print-sample"], capture_output=True, text=True, check=True).stdout
    keys, section = set(), None
    for line in sample.splitlines():
        if m := re.match(r'#?([a-z_]+)(?: "[^"]*")? \{$', line):
            section = m[1]
        elif m := re.match(r"\t#?([a-z0-9_]+) = ", line):
            keys |= {m[1], f"{section}.{m[1]}"}
    with Lone() as gate:
        metrics = gate.start().ask("metrics")[1]
    with open(os.path.join(TOP, "packaging", "prometheus", "postern.rules.yml")) as f:
        rules = f.read()
    for name in ORDER:
        prose = FENCE.sub("", document(name))
        for words in re.findall(r"`postern ([a-z][a-z -]*)", prose):
            words = words.split()
            is_noun = len(words) == 1 and any(verb.startswith(words[0] + " ") for verb in verbs)
            assert words[0] in verbs or " ".join(words[:2]) in verbs or is_noun, (name, words)
        for key in re.findall(r"`((?:verify|gate|daemon|queue|dns|spool|policy_door|metrics)\.[a-z0-9_]+)", prose):
            assert key in keys, (name, key)
        for metric in re.findall(r"`(postern_[a-z_]+)`", prose):
            assert f"# TYPE {metric} " in metrics, (name, metric)
        for alert in re.findall(r"`(Postern[A-Z]\w+)`", prose):
            assert f"alert: {alert}\n" in rules, (name, alert)
        for link in re.findall(r"\]\(([^)#:]+)\)", prose):
            assert os.path.exists(os.path.join(DOCS, link)), (name, link)


def test_readme_leads_to_them():
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as f:
        text = f.read()
    assert all(f"docs/{name}.md" in text for name in ORDER)


def test_our_column_of_the_tables_exists():
    """In the tables of moving-from-…: what stands in code in our column is a key, a verb or a value of ours."""
    sample = subprocess.run([os.path.join(RELEASE, "src", "postern"), "check-config", "--print-sample"], capture_output=True, text=True, check=True).stdout
    keys = set(re.findall(r"(?m)^\t#?([a-z0-9_]+) = ", sample))
    rows = [line.split("|") for line in document("moving-from-exim-and-postfix").splitlines() if line.startswith("| ") and "---" not in line]
    checked = 0
    for row in rows:
        assert len(row) == 5, row
        for code in re.findall(r"`([^`]+)`", row[2]):
            word = re.sub(r"^[a-z_]+\.", "", code.split(" =")[0])
            if code.startswith("postern ") or code in ("<>", "careful", "random-first", "observe", "tag", "tag`", "postern.db", "check_policy_service", "defer_if_permit"):
                continue
            assert word in keys, (row[1], code)
            checked += 1
    assert checked > 30

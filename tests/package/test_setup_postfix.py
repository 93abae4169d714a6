"""`postern setup postfix` on a real Postfix: what it prints, writes, takes back, and refuses to leave broken."""
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for place in (os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "interop")):
    if place not in sys.path:
        sys.path.insert(0, place)

import postfix as postfix_peer  # noqa: E402
from places import PEERS, Site, peer_file  # noqa: E402
from support import program  # noqa: E402

LIST = "smtpd_recipient_restrictions"
OURS = "policy_context=postern"
FINE, WARNING, FAULT, USAGE, NO_INPUT = 0, 1, 2, 64, 66


@pytest.fixture
def site():
    s = Site()
    yield s
    s.close()


class Tree:
    """A Postfix with its own configuration directory, and the verb told to work on it."""

    def __init__(self, site):
        self.postfix = postfix_peer.Postfix(site, "127.0.0.1:1")
        self.home = self.postfix.home
        self.main_cf = os.path.join(self.home, "main.cf")
        # What postfix check reads beside main.cf and master.cf.
        for name in ("postfix-files", "postfix-script", "post-install", "dynamicmaps.cf"):
            for where in ("etc/postfix", "usr/lib/postfix", "usr/lib/postfix/sbin"):
                source = os.path.join(PEERS, where, name)
                if os.path.exists(source):
                    shutil.copy(source, os.path.join(self.home, name))
        # The peer's services for other tests have lists of their own, which is told; here only where a test wants it.
        with open(os.path.join(self.home, "master.cf")) as f:
            services = f.read().replace(" -o smtpd_recipient_restrictions=$greylist", "")
        with open(os.path.join(self.home, "master.cf"), "w") as f:
            f.write(services)
        self.config = site.write("postern.conf", "gate { host = \"gate.test\" }\n")
        self.age()
        self.door = socket.socket()
        self.door.bind(("127.0.0.1", 0))
        self.door.listen(16)
        self.at = "inet:127.0.0.1:%d" % self.door.getsockname()[1]

    def text(self):
        with open(self.main_cf, newline="") as f:
            return f.read()

    def write(self, text):
        with open(self.main_cf, "w", newline="") as f:
            f.write(text)
        self.age()

    def age(self):
        """Postfix' programs wait for a second or two before they read a main.cf that is so new."""
        an_hour_ago = time.time() - 3600
        os.utime(self.main_cf, (an_hour_ago, an_hour_ago))

    def append(self, text):
        self.write(self.text() + text)

    def env(self):
        return dict(os.environ, **self.postfix.env, PATH=os.path.join(PEERS, "usr", "sbin") + ":" + os.environ["PATH"])

    def postconf(self, name):
        done = subprocess.run([peer_file("usr/sbin/postconf"), "-c", self.home, "-x", "-h", name], env=self.env(),
                              capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def setup(self, *words, status=FINE, to=True):
        argv = [program("src", "postern"), "setup", "postfix", "-c", self.config, "--config-dir", self.home, *words]
        done = subprocess.run(argv + (["--to", self.at] if to is True else []), env=self.env(), capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        self.age()
        return done

    def backups(self):
        return sorted(f for f in os.listdir(self.home) if f.startswith("main.cf.postern"))


@pytest.fixture
def tree(site):
    t = Tree(site)
    yield t
    t.door.close()


def test_prints_and_writes_nothing(tree):
    before = tree.text()
    said = tree.setup().stdout
    assert OURS in said and tree.at in said and "timeout=15s" in said and "default_action=DUNNO" in said
    assert "Postern stopped, hanging or broken" in said and "Nothing was written" in said
    assert tree.text() == before and tree.backups() == []
    assert [name for name in os.listdir(tree.home) if "postern" in name] == []


def test_applies_once_and_takes_it_back(tree):
    before = tree.text()
    os.chmod(tree.main_cf, 0o640)
    said = tree.setup("--apply").stdout
    assert "postfix check finds nothing wrong" in said and "postfix reload" in said
    value = tree.postconf(LIST)
    assert value.count("check_policy_service") == 1 and OURS in value
    assert os.stat(tree.main_cf).st_mode & 0o777 == 0o640
    backups = tree.backups()
    with open(os.path.join(tree.home, backups[0]), newline="") as f:
        assert len(backups) == 1 and f.read() == before
    applied = tree.text()
    assert applied.startswith(before), "only something at the end was added"

    assert "already" in tree.setup("--apply").stdout
    assert tree.text() == applied and tree.backups() == backups

    os.unlink(os.path.join(tree.home, backups[0]))   # the next one may come in the same second
    tree.setup("--remove", "--apply")
    assert tree.text() == before
    assert "nothing of ours" in tree.setup("--remove", "--apply").stdout


def test_permits_come_from_the_relay_list(tree):
    tree.append("smtpd_relay_restrictions = permit_mynetworks, permit_tls_clientcerts, reject_unauth_destination\n")
    tree.setup("--apply")
    assert tree.postconf(LIST).startswith("permit_mynetworks, permit_tls_clientcerts, check_policy_service")


@pytest.mark.parametrize("given, wanted", [
    ("reject_unauth_destination, reject_unknown_recipient_domain", "reject_unknown_recipient_domain,check_policy_service{}"),
    ("\n\treject_unauth_destination,\n# ours since 2019\n\treject_non_fqdn_sender\n\tpermit",
     "reject_non_fqdn_sendercheck_policy_service{},permit"),
    ("$early check_policy_service { inet:127.0.0.1:9, timeout=3s }",
     "check_policy_service{inet:127.0.0.1:9,timeout=3s},check_policy_service{}"),
])
def test_lists_of_the_administrator_are_left_as_they_are(tree, given, wanted):
    tree.append("early = reject_unauth_destination\n" + LIST + " = " + given + "\n# the end\nsmtpd_banner = $myhostname\n")
    before = tree.text()
    tree.setup("--apply")
    value = "".join(tree.postconf(LIST).split())
    inside = value[value.index("{inet:127.0.0.1:%d" % tree.door.getsockname()[1]):]
    inside = inside[:inside.index("}") + 1]
    assert value.replace(inside, "{}").endswith(wanted), value
    assert tree.postconf("smtpd_banner") == "postfix.test"
    # Put in and taken out again byte for byte: src/cmd/main_cf_test.c. Here, that nothing else was touched.
    start = before.index(LIST)
    assert tree.text().startswith(before[:start]) and tree.text().endswith(before[before.index("\n# the end"):])


def test_defer_on_failure_and_back_changes_in_place(tree):
    tree.setup("--apply", "--on-failure", "defer")
    assert "default_action={DEFER_IF_PERMIT 4.3.0 " in tree.postconf(LIST)
    for name in tree.backups():
        os.unlink(os.path.join(tree.home, name))
    tree.setup("--apply", "--on-failure", "accept")
    value = tree.postconf(LIST)
    assert "default_action=DUNNO" in value and value.count("check_policy_service") == 1
    tree.setup("--on-failure", "maybe", status=USAGE)


def test_rolls_back_when_postfix_check_fails(tree):
    """What it objects to was there before us; nothing of the change stays all the same, and the reason is said."""
    tree.append("mail_owner = nobody-of-this-name\n")
    before = tree.text()
    said = tree.setup("--apply", status=FAULT).stderr
    assert "main.cf is as it was" in said and "the mail log says why" in said
    assert tree.text() == before and tree.backups() == []


def test_rolls_back_what_postfix_would_never_reach(tree):
    tree.append("mine = permit\n" + LIST + " = reject_unauth_destination, $mine\n")
    before = tree.text()
    assert "place it by hand" in tree.setup("--apply", status=FAULT).stderr
    assert tree.text() == before and tree.backups() == []


def test_tells_of_services_with_a_list_of_their_own(tree):
    said = tree.setup(status=FINE).stdout
    assert "list of its own" not in said
    with open(os.path.join(tree.home, "master.cf"), "a") as f:
        f.write("127.8.2.9:2526 inet n - n - - smtpd -o smtpd_recipient_restrictions=permit_mynetworks\n")
    assert "127.8.2.9:2526/inet/smtpd_recipient_restrictions has a list of its own" in tree.setup(status=WARNING).stdout


def test_says_when_nobody_answers_at_the_door(tree):
    tree.door.close()
    assert "nobody answers at " + tree.at in tree.setup(status=WARNING).stdout


def test_json(tree):
    answer = json.loads(tree.setup("--json").stdout)
    assert answer["changed"] and not answer["applied"] and answer["backup"] is None and answer["file"] == tree.main_cf
    assert answer["parameter"] == LIST and OURS in answer["restriction"] and answer["restriction"] in answer["lines"]
    assert {e["part"] for e in answer["explained"]} == {"check_policy_service", "timeout", "default_action=DUNNO", OURS}
    assert answer["notes"] == []


def test_refuses_what_it_cannot_do(tree):
    assert "no such file" in tree.setup("--config-dir", "/nonexistent", status=NO_INPUT).stderr.lower()
    assert "inet:HOST:PORT" in tree.setup("--to", "127.0.0.1:7", status=FAULT, to=False).stderr
    tree.setup("--to", "inet:127.0.0.1:7,permit", status=FAULT, to=False)
    assert "policy" in tree.setup(status=FAULT, to=False).stderr


def policy_config(tree, *listen):
    with open(tree.config, "w") as f:
        f.write("gate { host = \"gate.test\" }\npolicy_door { listen = {%s} }\n" % ", ".join('"%s"' % at for at in listen))


def test_finds_the_door_in_our_own_configuration(tree):
    policy_config(tree, tree.at[len("inet:"):])
    assert tree.at in tree.setup(to=False).stdout


def test_a_chroot_reaches_sockets_of_the_queue_directory_only(tree):
    policy_config(tree, "unix:/run/postern/policy")
    assert "unix:/run/postern/policy," in tree.setup(to=False, status=WARNING).stdout
    with open(os.path.join(tree.home, "master.cf"), "a") as f:
        f.write("127.8.2.9:2526 inet n - y - - smtpd\n")
    assert "chroot" in tree.setup(to=False, status=FAULT).stderr
    policy_config(tree, "unix:/run/postern/policy", "unix:" + tree.postconf("queue_directory") + "/private/postern")
    assert " unix:private/postern," in tree.setup(to=False).stdout


def test_postfix_asks_the_door(tree):
    """The line does what it says: a running smtpd asks at RCPT, and goes on without us once the door is gone."""
    import smtplib
    import threading
    asked = []

    def answer():
        while True:
            try:
                peer, _ = tree.door.accept()
            except OSError:
                return
            with peer, peer.makefile("rwb") as stream:
                request = {}
                for line in stream:
                    name, _, value = line.decode().rstrip("\n").partition("=")
                    if name:
                        request[name] = value
                        continue
                    asked.append(request)
                    stream.write(b"action=550 5.1.8 Not this one\n\n")
                    stream.flush()
                    request = {}

    threading.Thread(target=answer, daemon=True).start()
    tree.setup("--apply")
    tree.postfix.start()
    try:
        with smtplib.SMTP(postfix_peer.HOST, tree.postfix.site.port, timeout=20) as client:
            client.ehlo("client.test")
            assert client.mail("a@sender.test")[0] == 250
            code, text = client.rcpt("joe@users.postfix.test")
            assert code == 550 and b"Not this one" in text
        assert asked[0]["sender"] == "a@sender.test" and asked[0]["protocol_state"] == "RCPT"
        assert asked[0]["policy_context"] == "postern"
    finally:
        tree.postfix.stop()

"""Signals, reload and restart of the running daemon: no session is lost that need not be, and no message."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from smtp_talk import Talk
from world import GATE

RCPT = "joe@here.lab"


def edit(world, *changes):
    """Replaces each (old, new) in the configuration file; every one must be there."""
    with open(world.config) as f:
        text = f.read()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    with open(world.config, "w") as f:
        f.write(text)


def logged(world, word):
    with open(os.path.join(world.directory, "postern.log")) as f:
        return sum(f" {word} " in line for line in f)


def wait_for(claim, what, world, timeout=20):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if claim():
            return
        time.sleep(0.02)
    raise AssertionError(f"{what}: {world.log()}")


def marks(world):
    """Subjects of what lies in the mailboxes."""
    found = []
    for path in world.delivered():
        with open(path, "rb") as f:
            found += re.findall(rb"(?m)^Subject: (\S+)\r?$", f.read(8192))[:1]
    return [m.decode() for m in found]


def size_offered(port=GATE[1]):
    with Talk(port=port) as t:
        return int(re.search(r"SIZE (\d+)", t.ehlo.text).group(1))


def test_a_signal_right_after_ready_is_caught(world):
    """systemd may stop or reload us the moment we have said that we are there."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(os.path.join(world.directory, "manager"))
    os.chmod(os.path.join(world.directory, "manager"), 0o666)
    manager.settimeout(30)
    for _ in range(5):
        gate = subprocess.Popen([world.postern, "run", "-c", world.config],
                                env=dict(os.environ, NOTIFY_SOCKET=os.path.join(world.directory, "manager")))
        while b"MAINPID=%d" % gate.pid not in manager.recv(4096):
            pass
        gate.send_signal(signal.SIGHUP)
        gate.send_signal(signal.SIGTERM)
        assert gate.wait(timeout=60) == 0, world.log()
    manager.close()


def test_reload_keeps_sessions(world):
    world.start_gate()
    with Talk() as idle, Talk() as open_one:
        assert open_one.begin("", RCPT) is None
        edit(world, ("message_size = 64M", "message_size = 30M"), ('"127.0.0.1:2525"', '"127.0.0.1:2525", "127.0.0.1:2526"'))
        world.gate.send_signal(signal.SIGHUP)
        wait_for(lambda: size_offered() == 30 << 20, "the new configuration holds for new sessions", world)
        assert size_offered(2526) == 30 << 20, "a listener that the new file names is open"
        # What was promised to them before still holds.
        assert open_one.data(b"Subject: through\r\n\r\n" + b"x" * 70 + b"\r\n").code == 250
        assert idle.mail("", RCPT, b"Subject: large\r\n\r\n" + (b"y" * 70 + b"\r\n") * 500000).code == 250
        edit(world, (', "127.0.0.1:2526"', ""))
        assert world.ask("reload")[0] == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", 2526), 5)
        assert idle.command("NOOP").code == 250
    wait_for(lambda: sorted(marks(world)) == ["large", "through"], "both were delivered", world)
    assert logged(world, "reloaded") == 2


BROKEN = [
    ("message_size = 64M", "message_size = 64M\n\tmesage_size = 1M", "mesage_size"),
    ("message_size = 64M", "message_size = lots", "message_size"),
    ("message_size = 64M", "message_size = 12", "message_size"),
    ('"gate.here.lab"', '"$HOST"', "$"),
    ("gate {", "gate {{", "postern.conf:"),
    ("message_size = 64M", 'tls_certificate = "/nonexistent/cert.pem"', "/nonexistent/cert.pem"),
    ('"127.0.0.1:2525"', '"192.0.2.77:2525"', "192.0.2.77"),
    ("recipients = file", "recipients = everybody", "everybody"),
]


def test_a_broken_file_leaves_the_old_configuration_in_force(world):
    world.start_gate()
    with open(world.config) as f:
        good = f.read()
    with Talk() as t:
        for n, (old, new, word) in enumerate(BROKEN):
            edit(world, (old, new))
            world.gate.send_signal(signal.SIGHUP)
            wait_for(lambda: logged(world, "reload_refused") > n, f"{new!r} is refused", world)
            status, said = world.ask("reload")
            assert status != 0 and word in said, (new, status, said)
            with open(os.path.join(world.directory, "postern.log")) as f:
                refusal = [line for line in f if " reload_refused " in line][-1]
            assert word in refusal, (new, refusal)
            assert world.gate.poll() is None and size_offered() == 64 << 20
            assert t.mail("", RCPT, b"Subject: n%d\r\n\r\n" % n).code == 250
            with open(world.config, "w") as f:
                f.write(good)
        assert world.ask("reload")[0] == 0
        assert t.command("NOOP").code == 250
    wait_for(lambda: len(marks(world)) == len(BROKEN), "all were delivered", world)


def test_term_drains(world):
    world.start_gate()
    with Talk() as idle, Talk() as open_one, Talk() as sending:
        assert open_one.begin("", RCPT) is None
        assert sending.begin("", RCPT) is None and sending.command("DATA").code == 354
        sending.send(b"Subject: sending\r\n\r\nhalf a")
        world.gate.send_signal(signal.SIGTERM)
        wait_for(lambda: logged(world, "stopping"), "the daemon drains", world)
        r = idle.command("NOOP")
        assert r.code == 421 and r.text.startswith("4.3.2"), r
        assert idle.reply() is None
        sending.send(b" message\r\n.\r\n")
        assert sending.reply().code == 250
        assert open_one.command("RCPT TO:<anna@here.lab>").code == 250
        assert open_one.data(b"Subject: open\r\n\r\n").code == 250
        assert open_one.command("MAIL FROM:<>").code == 421
        assert sending.command("QUIT").code in (221, 421)
    assert world.gate.wait(timeout=20) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(GATE, 5)
    world.start_gate()
    wait_for(lambda: sorted(marks(world)) == ["open", "open", "sending"], "all are delivered", world)


def test_drain_ends(world):
    """A client that never finishes does not keep us for longer than `drain`."""
    edit(world, ("message_size = 64M", "message_size = 64M\n\tdrain = 2s"))
    world.start_gate()
    with Talk() as t:
        assert t.begin("", RCPT) is None and t.command("DATA").code == 354
        t.send(b"Subject: never\r\n\r\nwhole")
        began = time.monotonic()
        world.gate.send_signal(signal.SIGTERM)
        assert world.gate.wait(timeout=20) == 0
        assert 1.5 < time.monotonic() - began < 10
        r = t.reply()
        assert r is None or r.code == 421
    world.start_gate()
    assert marks(world) == []


class Sender(threading.Thread):
    """Sends one message after the other, each in a session of its own, until it is told to stop."""

    def __init__(self, number):
        super().__init__()
        self.number, self.stop = number, threading.Event()
        self.taken, self.put_off, self.faults = [], 0, []

    def run(self):
        while not self.stop.is_set():
            mark = f"m{self.number}-{len(self.taken)}-{self.put_off}"
            try:
                with Talk() as t:
                    r = t.banner if t.banner is None or t.banner.code != 220 else t.mail("", RCPT, f"Subject: {mark}\r\n\r\n".encode())
                if r is None or r.code == 421:
                    self.put_off += 1
                elif r.code == 250:
                    self.taken.append(mark)
                else:
                    self.faults.append(repr(r))
            except OSError as e:
                self.faults.append(repr(e))


def test_take_over(world):
    """A new process takes the listening sockets: nobody is refused, what is open is finished, nothing is lost."""
    world.start_gate()
    senders = [Sender(n) for n in range(4)]
    for s in senders:
        s.start()
    try:
        for _ in range(3):
            with Talk() as open_one:
                assert open_one.begin("", RCPT) is None
                old, before = world.gate, sum(len(s.taken) for s in senders)
                new = subprocess.Popen([world.postern, "run", "--take-over", "-c", world.config], stderr=subprocess.DEVNULL)
                world.gate = new
                wait_for(lambda: logged(world, "handed_over"), "the sockets are handed over", world)
                assert open_one.data(b"Subject: open\r\n\r\n").code == 250
            assert old.wait(timeout=40) == 0
            wait_for(lambda: world.ask("mode")[0] == 0, "the new process answers", world)
            wait_for(lambda: sum(len(s.taken) for s in senders) > before + 20, "mail goes on", world)
            assert new.poll() is None
    finally:
        for s in senders:
            s.stop.set()
        for s in senders:
            s.join()
    assert not [f for s in senders for f in s.faults]
    taken = sorted([m for s in senders for m in s.taken] + ["open"] * 3)
    wait_for(lambda: sorted(marks(world)) == taken, "what was taken is delivered once", world)

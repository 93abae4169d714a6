"""The policy door stopped, hanging, and flooded: Postfix does what its main.cf says, no mail is lost, and honest mail passes as
soon as the door is back."""
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from policy_world import SMTP_DOOR, Session, converse, world_of
from postfix_policy import AT_RCPT, EVERYWHERE, LENIENT
from support import wait_until


@pytest.fixture(scope="module")
def troubled(site):
    yield from world_of(site, "trouble", policy="connections = 30\n", timeout="2s")


HONEST = Session("anna@truthful.lab")


def hear(world, number, host=AT_RCPT, session=HONEST):
    return converse(world.at(host), session, number)


def check_back(world, number):
    """Honest mail passes as soon as the door is back."""
    wait_until(lambda: hear(world, number) == ["2xx"], "honest mail passes again", 15, world.log)


def check_nothing_lost(world, accepted):
    wait_until(lambda: {s for _, s in world.postfix.mails()} >= set(accepted), "all accepted mail came", 10, world.postfix.log)
    assert set(world.postfix.mails().values()) == {1}


def test_stopped(troubled):
    """Killed and gone: 451 or what the administrator set; restarted, the old connections of smtpd do no harm."""
    assert hear(troubled, "before stopped") == ["2xx"]
    troubled.kill_gate(signal.SIGKILL)
    heard, = hear(troubled, "gone stopped")
    assert heard.startswith("4xx") and heard.endswith("Server configuration problem")
    assert hear(troubled, "lenient stopped", LENIENT) == ["2xx"]
    troubled.start_gate()
    check_back(troubled, "back stopped")
    troubled.kill_gate(signal.SIGTERM)
    assert hear(troubled, "ended stopped")[0].startswith("4xx")
    troubled.start_gate()
    check_back(troubled, "again stopped")
    check_nothing_lost(troubled, ["before stopped", "lenient stopped", "back stopped", "again stopped"])


def test_hanging(troubled):
    assert hear(troubled, "before hanging") == ["2xx"]
    troubled.gate.send_signal(signal.SIGSTOP)
    try:
        assert hear(troubled, "hangs hanging")[0].startswith("4xx")
        assert hear(troubled, "lenient hanging", LENIENT) == ["2xx"]
    finally:
        troubled.gate.send_signal(signal.SIGCONT)
    check_back(troubled, "back hanging")
    check_nothing_lost(troubled, ["before hanging", "lenient hanging", "back hanging"])


def test_replaced(troubled):
    """Another process takes the sockets over, the Unix socket under its name too; then the configuration is read again."""
    assert hear(troubled, "before replaced", EVERYWHERE) == ["2xx"]
    old = troubled.gate
    troubled.start_gate("--take-over")
    old.wait(timeout=40)
    wait_until(lambda: troubled.ask("mode")[0] == 0, "the new process answers", 20, troubled.log)
    check_back(troubled, "after replaced")
    assert hear(troubled, "by name replaced", EVERYWHERE) == ["2xx"]
    assert troubled.ask("reload")[0] == 0
    assert hear(troubled, "reloaded replaced", EVERYWHERE) == ["2xx"]
    check_nothing_lost(troubled, [f"{n} replaced" for n in ("before", "after", "by name", "reloaded")])


def flood(port, end, counts):
    """Connections that say nothing, nonsense, or half a request without end, as fast as one thread can."""
    pieces = (b"", b"\0" * 100, b"request=smtpd_access_policy\n", b"x=" + b"y" * 20000, b"EHLO x\r\n\r\n\n\n")
    held = []
    while not end.is_set():
        try:
            s = socket.create_connection(("127.0.0.1", port), 1)
            s.sendall(pieces[counts[0] % len(pieces)])
            held.append(s)
        except OSError:
            pass
        counts[0] += 1
        if len(held) > 200:
            held.pop(0).close()
        time.sleep(0.002)
    for s in held:
        s.close()


def test_flooded(troubled):
    """The flood keeps the door's places taken: bounded, Postfix defers, and nothing is left of it afterwards."""
    assert hear(troubled, "before flooded") == ["2xx"]
    end, counts = threading.Event(), [0]
    with ThreadPoolExecutor(4) as pool:
        floods = [pool.submit(flood, troubled.policy_port, end, counts) for _ in range(3)]
        wait_until(lambda: troubled.metric("postern_policy_closed_total") > 300, "the door turns away")
        assert troubled.metric("postern_policy_connections") <= 31
        # TCP is flooded; who asks at the Unix socket shares the places. Mail that came by SMTP is not troubled at all.
        heard = []
        for i in range(8):
            heard += hear(troubled, f"in the flood {i}")
            time.sleep(0.2)
        assert all(h == "2xx" or h.startswith("4xx") for h in heard)
        assert converse(SMTP_DOOR, HONEST, "by SMTP flooded") == ["2xx"]
        end.set()
        for f in floods:
            f.result()
    check_back(troubled, "back flooded")
    assert troubled.gate.poll() is None
    check_nothing_lost(troubled, ["before flooded", "back flooded"] + [f"in the flood {i}" for i, h in enumerate(heard) if h == "2xx"])

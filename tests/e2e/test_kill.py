"""kill -9 at random moments of a live daemon: whatever was acknowledged is delivered."""
import os
import random
import re
import smtplib
import threading
import time

ROUNDS = int(os.environ.get("POSTERN_KILL_ROUNDS", "200"))


def send_until_dead(world, acknowledged, lock, seed):
    rnd = random.Random(seed)
    try:
        with smtplib.SMTP("127.0.0.1", 2525, timeout=20, source_address=(f"127.9.4.{seed % 250 + 1}", 0)) as s:
            s.ehlo("load.lab")
            while True:
                mark = f"{rnd.getrandbits(64):016x}"
                body = f"Subject: {mark}\r\n\r\n" + "x" * rnd.choice([10, 3000, 60000, 400000]) + "\r\n"
                s.sendmail("", ["joe@here.lab"], body)
                with lock:
                    acknowledged.add(mark)
    except (smtplib.SMTPException, OSError):
        return


def marks_delivered(world):
    found = {}
    for path in world.delivered():
        with open(path, "rb") as f:
            match = re.search(rb"^Subject: ([0-9a-f]{16})\r?$", f.read(4096), re.M)
        if match:
            found.setdefault(match.group(1).decode(), []).append(path)
    return found


def test_kill_nine(world):
    rnd = random.Random(451)
    acknowledged, lock = set(), threading.Lock()
    for n in range(ROUNDS):
        world.start_gate()
        threads = [threading.Thread(target=send_until_dead, args=(world, acknowledged, lock, n * 4 + i)) for i in range(3)]
        for t in threads:
            t.start()
        time.sleep(rnd.random() * 0.15)
        world.kill_gate()
        for t in threads:
            t.join(timeout=30)
    world.start_gate()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and world.ask_json("stats")[1]["queue"] > 0:
        time.sleep(0.5)
    found = marks_delivered(world)
    lost = acknowledged - set(found)
    assert len(acknowledged) > ROUNDS, "the test sent too little to mean anything"
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged messages were lost"
    assert world.ask("spool", "check")[0] in (0, 2)

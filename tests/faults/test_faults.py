"""One broken dependency each: the reply is the one of the table, nothing is lost, and it mends when the fault ends."""
import os
import random
import signal
import smtplib
import time

BODY = "Subject: fault\r\n\r\nhello\r\n"


def send(sender="anna@truthful.lab", to="joe@here.lab", client=None, body=BODY):
    """The deciding reply as (code, text); client: a fresh address, so that nothing remembered decides."""
    client = client or f"127.9.{random.randrange(20, 250)}.{random.randrange(1, 250)}"
    with smtplib.SMTP("127.0.0.1", 2525, timeout=60, source_address=(client, 0)) as s:
        s.ehlo("fault.lab")
        code, text = s.mail(sender)
        if code < 400:
            code, text = s.rcpt(to)
        if code < 400:
            code, text = s.data(body)
        return code, text.decode()


def edit(old, new):
    return lambda text: text.replace(old, new)


def wait_delivered(world, n, within=20):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and len(world.delivered()) < n:
        time.sleep(0.1)
    assert len(world.delivered()) >= n


def test_dns_dies_and_returns(make_world):
    world = make_world()
    world.start_gate()
    assert send()[0] == 250
    world.lab.terminate()
    world.lab.wait(timeout=20)
    code, text = send("anna@plain.lab")
    assert code == 451 and text.startswith("4.4.3 "), text
    assert send()[0] == 250, "what is remembered needs no DNS"


def test_recipient_list_unreadable(make_world):
    world = make_world()
    world.start_gate()
    assert send(to="nobody@here.lab")[0] == 550
    path = os.path.join(world.directory, "recipients")
    os.rename(path, path + ".away")
    time.sleep(1.5)
    code, text = send(to="nobody@here.lab")
    assert code == 451 and text.startswith("4.3.0 Directory lookup failed"), text
    assert send(to="postmaster@here.lab")[0] == 250, "postmaster is always taken"
    os.rename(path + ".away", path)
    time.sleep(1.5)
    assert send(to="nobody@here.lab")[0] == 550
    assert send()[0] == 250


def test_disk_nearly_full(make_world):
    world = make_world(edit("free_min = 1M", "free_min = 900000G"))
    world.start_gate()
    code, text = send()
    assert code == 452 and text.startswith("4.3.1 "), text


def test_spool_directory_closed_to_us(make_world):
    """The segment that is open goes on; when a new one cannot be opened the reply is temporary and the daemon lives."""
    world = make_world(edit("free_min = 1M", "free_min = 1M\n\tsegment_size = 1M"))
    world.start_gate()
    assert send()[0] == 250
    wait_delivered(world, 1)
    spool = os.path.join(world.directory, "spool")
    folders = [folder for folder, _, _ in os.walk(spool)]
    owner = os.stat(spool)
    for folder in folders:
        os.chown(folder, 0, 0)
        os.chmod(folder, 0o555)
    big = "Subject: fault\r\n\r\n" + ("x" * 70 + "\r\n") * 2500
    codes = [send("", body=big)[0] for _ in range(40)]
    assert set(codes) <= {250, 451, 452}, codes
    assert 451 in codes or 452 in codes, codes
    for folder in folders:
        os.chown(folder, owner.st_uid, owner.st_gid)
        os.chmod(folder, 0o700)
    time.sleep(2)
    assert send()[0] == 250
    wait_delivered(world, codes.count(250) + 2)


def test_database_damaged(make_world):
    world = make_world()
    world.start_gate()
    assert send()[0] == 250
    world.kill_gate(signal.SIGTERM)  # a killed one leaves a journal that would repair the damage
    path = os.path.join(world.directory, "state", "postern.db")
    with open(path, "r+b") as f:
        f.write(bytes(random.Random(7).randbytes(4096)))
    world.start_gate()
    assert "damaged" in world.log()
    assert send()[0] == 250


def test_spool_damaged(make_world):
    """Random damage: never a crash loop, never silence, and what is whole is delivered."""
    world = make_world()
    world.start_gate()
    for n in range(5):
        assert send("", body=f"Subject: {n}\r\n\r\nhello\r\n")[0] == 250
    wait_delivered(world, 5)
    world.kill_gate()
    rnd = random.Random(451)
    for folder, _, files in os.walk(os.path.join(world.directory, "spool")):
        for name in files:
            path = os.path.join(folder, name)
            size = os.path.getsize(path)
            if size < 4096 or "lock" in name:
                continue
            with open(path, "r+b") as f:
                data = f.read(65536)
                for mark in (b"Subject: 1", b"Subject: 3"):
                    at = data.find(mark)
                    f.seek(at + rnd.randrange(8))
                    f.write(rnd.randbytes(3))
    status, out = world.ask("spool", "check")
    assert status == 2, out
    world.start_gate()
    assert send("", body=BODY)[0] == 250
    wait_delivered(world, 6)


def test_broken_configuration_is_not_put_in_force(make_world):
    world = make_world()
    world.start_gate()
    with open(world.config, "a") as f:
        f.write("\nno_such_section { x = 1 }\n")
    status, out = world.ask("reload")
    assert status == 64 and "no_such_section" in out and "postern.conf:" in out, out
    world.gate.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert "reload_refused" in world.log()
    assert send()[0] == 250, "the old configuration stays in force"

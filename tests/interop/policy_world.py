"""The lab, its gate with both doors, and a Postfix that asks one of them; and sessions that end the same way at either."""
import os
import re
import shutil
import sys
import tempfile
from collections import namedtuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from gates import MANY, Client, stuffed  # noqa: E402
from postfix_policy import AT_RCPT, USERS, PolicyPostfix  # noqa: E402
from support import build_dir, free_port  # noqa: E402
from world import GATE, World  # noqa: E402

Place = namedtuple("Place", "host port")
SMTP_DOOR = Place(*GATE)
EXCEPTIONS = """sender exempt@truthful.lab never-ask why "an old friend"
domain plain.lab accept why "the bank"
sender banned@truthful.lab refuse why "known to us"
client 127.7.7.0/24 never-ask why "a relay of ours"
recipient abuse@here.lab accept why "reports of abuse"
"""


class DoorWorld(World):
    """The lab, its gate with both doors, and a Postfix beside it."""

    def __init__(self, site, name, policy="", **postfix):
        self.policy_port = free_port()
        directory = tempfile.mkdtemp(prefix="postern-policy-")
        self.unix = os.path.join(directory, "run", "policy.sock")
        policy = f'listen = {{"127.0.0.1:{self.policy_port}", "unix:{self.unix}"}}\n' + policy
        budgets = "".join(f"\t{key} = {MANY}\n" for key in ("per_domain_hour", "per_domain_burst", "per_operator_hour",
                                                           "per_client_minute"))

        def config(text):
            text = text.replace("verify {\n", f"verify {{\n{budgets}\twait = 8s\n")
            # The leak checker of a debug build needs ptrace of its own process.
            text = text.replace("daemon {\n", "daemon {\n\tsandbox = no\n\tlog_level = debug\n")
            return text.replace("local_networks = {}\n", "local_networks = {}\n\tsessions_per_ip = 0\n\tconnects_per_minute = 0\n") + \
                "policy_door {\n" + policy + "}\n"

        super().__init__(directory, build=build_dir(), config=config)
        for name, text in (("exceptions", EXCEPTIONS), ("recipients", "".join(f"{u}@here.lab\n" for u in USERS))):
            with open(os.path.join(directory, name), "w", encoding="ascii") as f:
                f.write(text)
        self.start_gate()
        self.postfix = PolicyPostfix(site, name, free_port("127.8.6.1"), f"127.0.0.1:{self.policy_port}", self.unix, **postfix).start()

    def at(self, host):
        return Place(host, self.postfix.port)

    def metric(self, name, **labels):
        return sum(m["value"] for m in self.ask_json("stats")[1]["metrics"]
                   if m["name"] == name and all(m.get(k) == v for k, v in labels.items()))

    def close(self):
        self.postfix.stop()
        super().close()
        shutil.rmtree(self.directory, ignore_errors=True)


def world_of(site, name, **options):
    w = DoorWorld(site, name, **options)
    try:
        yield w
    finally:
        w.close()


Session = namedtuple("Session", "sender rcpts source pipelined host", defaults=(("joe",), "127.0.0.1", False, AT_RCPT))


def words(reply):
    """The code's class and what we say, without what differs from time to time; Postfix puts its own words in front."""
    text = re.sub(r"\([0-9A-Z]{13}\)|\d\d:\d\d:\d\d", "", reply.text)
    ours = text[text.rindex(">: ", 0, text.index(" verify") if " verify" in text else None) if ">: " in text else 0:]
    return f"{reply.code // 100}xx {ours.lstrip('>: ').strip()}"


def converse(place, session, number):
    """The words that each recipient hears in the end: at RCPT, at DATA, or at the dot."""
    message = f"Subject: {number}\r\n\r\nHello\r\n".encode()
    with Client(place, source=session.source, helo="client.lab") as c:
        lines = [f"MAIL FROM:<{session.sender}>", *(f"RCPT TO:<{r}@here.lab>" for r in session.rcpts), "DATA"]
        if session.pipelined:
            c.send("".join(line + "\r\n" for line in lines).encode())
            replies = [c.reply() for _ in lines]
        else:
            replies = [c.command(line) for line in lines]
        heard = [replies[0] if replies[0].code >= 400 else r for r in replies[1:-1]]
        if replies[-1].code == 354:
            accepts = any(r.code < 400 for r in heard)
            c.send(stuffed(message) if accepts else b".\r\n")
            last = c.reply()
        else:
            last = replies[-1]
        if last.code >= 400:
            heard = [last if r.code < 400 else r for r in heard]
        return ["2xx" if r.code < 400 else words(r) for r in heard]

"""The gate under test as a child process, and the two ends we play ourselves: a raw client, a recording server."""
import json
import os
import re
import socket
import socketserver
import subprocess
import threading
import time

from places import make_directory
from support import free_port, program, start_process, wait_port, wait_until

HOST = "127.0.0.1"
MANY = 1000000
# Strangers by the dozen from one address, on purpose.
NO_BUDGETS = {"per_domain_hour": MANY, "per_domain_burst": MANY, "per_operator_hour": MANY, "per_client_minute": MANY}


def conf_value(v):
    if isinstance(v, (list, tuple)):
        return "{" + ", ".join(conf_value(i) for i in v) + "}"
    return str(v) if isinstance(v, int) else f'"{v}"'


class Gate:
    """`sections`: section → {key: value}, over what is needed to live on loopback; `names`: where DNS is; HOME in a
    route is the gate's directory."""

    def __init__(self, site, name, names, routes, host=HOST, port=None, **sections):
        self.name = name
        self.host, self.port = host, port or free_port(host)
        self.home = site.home(name)
        for part in ("state", "run", "spool", "mail"):
            make_directory(os.path.join(self.home, part))
        self.config = os.path.join(self.home, "postern.conf")
        self.log_path = os.path.join(self.home, "log")
        self.sections = self.defaults(site, names)
        for title, route in routes.items():
            self.sections[f'route "{title}"'] = {"local": "yes", **{k: v.replace("HOME", self.home) for k, v in route.items()}}
        for section, values in sections.items():
            self.sections[section].update(values)
        self.write_config()
        self.process = None

    def defaults(self, site, names):
        return {
            # The leak checker of a debug build needs ptrace of its own process; the sandbox has its run in tests/e2e.
            "daemon": {"user": "root", "sandbox": "no",
                       "state_directory": self.home + "/state", "run_directory": self.home + "/run",
                       "exceptions": self.home + "/exceptions", "log": self.log_path, "log_level": "debug"},
            "gate": {"host": f"{self.name}.test", "listen": [f"{self.host}:{self.port}"], "local_networks": [],
                     "sessions_per_ip": 0, "connects_per_minute": 0, "message_size": "60M"},
            "verify": {"port": site.port, "dial_networks": ["127.0.0.0/8"], "greylist_retry": "3s", **NO_BUDGETS},
            "dns": {"resolver": names.at, "trust_anchor": "none", "timeout": "3s"},
            "spool": {"directory": self.home + "/spool", "free_min": "1M", "inodes_min": 0},
            "queue": {"port": site.port, "dial_networks": ["127.0.0.0/8"], "retry_first": "1s", "retry_max": "2s"},
        }

    def write_config(self):
        with open(self.config, "w") as f:
            for section, values in self.sections.items():
                f.write(section + " {\n" + "".join(f"\t{k} = {conf_value(v)}\n" for k, v in values.items()) + "}\n")

    def start(self):
        self.process = start_process([program("src", "postern"), "run", "-c", self.config], os.path.join(self.home, "stderr"))
        wait_port(self.host, self.port, self.process, 30)
        return self

    def stop(self):
        if self.process:
            status = self.process.stop(40)
            assert status == 0, f"{self.name} ended with {status}: {self.story()}"
        self.process = None

    def ask(self, *words, timeout=60):
        done = subprocess.run([program("src", "postern"), *words, "-c", self.config], capture_output=True, text=True,
                              timeout=timeout)
        return done.returncode, done.stdout + done.stderr

    def ask_json(self, *words, timeout=60):
        return json.loads(self.ask(*words, "--json", timeout=timeout)[1])

    def queue(self):
        return self.ask_json("queue", "list")

    def wait_empty(self, timeout=30):
        wait_until(lambda: not self.queue(), f"the queue of {self.name} is empty", timeout, self.story)

    def story(self, last=6000):
        text = ""
        for path in (os.path.join(self.home, "stderr"), self.log_path):
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    text += f.read()[-last:]
        return text


class Reply:
    def __init__(self, lines):
        self.code = int(lines[0][:3])
        self.text = "\n".join(line[4:].decode("utf-8", "replace") for line in lines)

    def __repr__(self):
        return f"{self.code} {self.text}"


class Client:
    """An SMTP client that writes what it is told, byte by byte."""

    def __init__(self, gate, source="127.0.0.1", timeout=90, helo="client.test"):
        self.socket = socket.create_connection((gate.host, gate.port), timeout, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.banner = self.reply()
        if helo:
            self.ehlo = self.command(f"EHLO {helo}")

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        """The next reply; None at the end of the connection."""
        lines = []
        while not lines or lines[-1][3:4] == b"-":
            line = self.file.readline()
            if not line:
                return None
            lines.append(line.rstrip(b"\r\n"))
        return Reply(lines)

    def command(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def replies(self):
        """All that come until the server ends the connection."""
        found = []
        while True:
            r = self.reply()
            if r is None:
                return found
            found.append(r)

    def begin(self, sender, *rcpts, options=""):
        """MAIL and RCPTs; the first refusal, or None."""
        for line in (f"MAIL FROM:<{sender}>{options}", *[f"RCPT TO:<{r}>" for r in rcpts]):
            r = self.command(line)
            if r.code != 250:
                return r
        return None

    def mail(self, sender, rcpt, message=b"Subject: test\r\n\r\nHello\r\n", options=""):
        """A whole transaction; the reply that decided it."""
        refused = self.begin(sender, rcpt, options=options)
        if refused:
            return refused
        r = self.command("DATA")
        if r.code != 354:
            return r
        self.send(stuffed(message))
        return self.reply()

    def chunks(self, sender, rcpt, *parts, options=" BODY=8BITMIME"):
        """The same with BDAT."""
        refused = self.begin(sender, rcpt, options=options)
        if refused:
            return refused
        for i, part in enumerate(parts):
            last = " LAST" if i + 1 == len(parts) else ""
            self.send(f"BDAT {len(part)}{last}\r\n".encode() + part)
            r = self.reply()
            if r.code != 250:
                return r
        return r

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def stuffed(message):
    """A message as DATA carries it, with the final dot."""
    return re.sub(rb"(?m)^\.", b"..", message) + (b"" if message.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def send_mail(gate, sender, rcpt, message=b"Subject: test\r\n\r\nHello\r\n", **options):
    with Client(gate, **options) as c:
        return c.mail(sender, rcpt, message)


def send_until_final(gate, sender, rcpt, within=20, **options):
    """Comes back while it hears 4xx; all replies."""
    replies = [send_mail(gate, sender, rcpt, **options)]
    deadline = time.monotonic() + within
    while 400 <= replies[-1].code < 500 and time.monotonic() < deadline:
        time.sleep(1)
        replies.append(send_mail(gate, sender, rcpt, **options))
    return replies


class Recorded:
    def __init__(self, sender):
        self.sender = sender
        self.rcpts = []
        self.data = bytearray()


class Recorder:
    """An SMTP server that keeps every byte it is sent. `knows`: which recipients it takes; `at_dot`: its final reply."""

    def __init__(self, host, port, knows=lambda address: True, keywords=("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE"),
                 at_dot=b"250 2.0.0 Ok\r\n"):
        self.knows, self.keywords, self.at_dot = knows, keywords, at_dot
        self.lock = threading.Lock()
        self.wire = []       # bytes of each session
        self.messages = []
        self.commands = []   # without their arguments
        recorder = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    recorder.serve(self.rfile, self.wfile)
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            request_queue_size = 128
            daemon_threads = True

        self.host, self.port = host, port
        self.server = Server((host, port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def serve(self, rfile, wfile):
        wire = bytearray()
        with self.lock:
            self.wire.append(wire)
        now = None
        wfile.write(b"220 recorder.test ESMTP\r\n")
        while True:
            line = self.line(rfile, wire)
            if not line:
                return
            word = line[:4].upper().decode("latin-1")
            with self.lock:
                self.commands.append(word)
            if word == "EHLO":
                words = ["recorder.test", *self.keywords]
                wfile.write(b"".join(f"250{'-' if i + 1 < len(words) else ' '}{w}\r\n".encode() for i, w in enumerate(words)))
            elif word == "MAIL":
                now = Recorded(address_in(line))
                wfile.write(b"250 2.1.0 Ok\r\n")
            elif word == "RCPT" and not self.knows(address_in(line)):
                wfile.write(b"550 5.1.1 No such user\r\n")
            elif word == "RCPT":
                now.rcpts.append(address_in(line))
                wfile.write(b"250 2.1.5 Ok\r\n")
            elif word == "DATA":
                wfile.write(b"354 Go on\r\n")
                while not (line := self.line(rfile, wire)) in (b".\r\n", b""):
                    now.data += line[1:] if line.startswith(b".") else line
                self.take(now, wfile)
            elif word == "BDAT":
                words = line.split()
                chunk = rfile.read(int(words[1]))
                wire += chunk
                now.data += chunk
                if len(words) == 3:
                    self.take(now, wfile)
                else:
                    wfile.write(b"250 2.0.0 Ok\r\n")
            elif word == "QUIT":
                wfile.write(b"221 2.0.0 Bye\r\n")
                return
            else:
                wfile.write(b"250 2.0.0 Ok\r\n")

    @staticmethod
    def line(rfile, wire):
        """Up to CR LF: a bare LF does not end a line here."""
        line = b""
        while not line.endswith(b"\r\n"):
            piece = rfile.readline()
            if not piece:
                break
            line += piece
        wire += line
        return line

    def take(self, message, wfile):
        with self.lock:
            self.messages.append(message)
        wfile.write(self.at_dot)

    def for_rcpt(self, rcpt):
        with self.lock:
            return [m for m in self.messages if rcpt in m.rcpts]

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def address_in(line):
    match = re.search(rb"<([^>]*)>", line)
    return match.group(1).decode("utf-8", "replace") if match else ""

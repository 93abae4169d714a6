"""A daemon of its own, without the lab: no stranger can be reached, and every port is free just now."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import free_port
from world import RELEASE


class Lone:
    def __init__(self, build=RELEASE, **more):
        """more: text that is added to a section, or to the file as "text"."""
        self.directory = tempfile.mkdtemp(prefix="postern-lone-")
        os.chmod(self.directory, 0o755)
        self.postern = os.path.join(build, "src", "postern")
        self.config = os.path.join(self.directory, "postern.conf")
        self.port = free_port()
        self.child = None
        self.write(**more)

    def write(self, **more):
        d = self.directory
        sections = {
            "daemon": f'user = root state_directory = "{d}/state" run_directory = "{d}/run" exceptions = "{d}/exceptions" log = "{d}/log"',
            "gate": f'host = "gate.here.example" listen = {{"127.0.0.1:{self.port}"}}',
            "dns": f'resolver = "127.0.0.1@{free_port()}" trust_anchor = none timeout = 1s',
            "spool": f'directory = "{d}/spool" free_min = 1M', "verify": "",
        }
        with open(self.config, "w") as f:
            for name, rows in sections.items():
                f.write(f"{name} {{ {rows} {more.pop(name, '')} }}\n")
            f.write('route "here.example" { local = yes kind = maildir maildir = "%s/mail" recipients = any }\n' % d)
            f.write(more.pop("text", ""))
        assert not more, more

    def start(self):
        self.child = subprocess.Popen([self.postern, "run", "-c", self.config], stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self.child.poll() is None, self.log() + self.child.stderr.read()
            if self.ask("mode")[0] == 0:
                return self
            time.sleep(0.02)
        raise AssertionError(self.log())

    def run(self, *words, env=None):
        return subprocess.run([self.postern, *words, "-c", self.config], capture_output=True, text=True, timeout=60, check=False,
                              env=dict(os.environ, **(env or {})))

    def ask(self, *words, env=None):
        done = self.run(*words, env=env)
        return done.returncode, done.stdout + done.stderr

    def ask_json(self, *words):
        done = self.run(*words, "--json")
        return done.returncode, json.loads(done.stdout)

    def log(self):
        try:
            with open(os.path.join(self.directory, "log"), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def stop(self):
        if self.child:
            self.child.send_signal(signal.SIGTERM)
            status = self.child.wait(40)
            self.child.stderr.close()
            self.child = None
            return status
        return 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

"""A lab and a gate as child processes, ended by process id. One at a time: the lab's addresses are fixed."""
import json
import os
import signal
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RELEASE = os.environ.get("POSTERN_RELEASE", os.path.join(TOP, "build"))
GATE = ("127.0.0.1", 2525)


class World:
    """`build`: the build directory of the gate; the lab's hosts always come from the release build."""

    def __init__(self, directory, build=RELEASE, config=None):
        self.directory = str(directory)
        self.postern = os.path.join(build, "src", "postern")
        self.lab_binary = os.path.join(RELEASE, "lab", "postern-lab")
        self.config = os.path.join(self.directory, "postern.conf")
        self.gate = None
        os.chmod(self.directory, 0o755)
        self.lab = subprocess.Popen([self.lab_binary, "serve", self.directory], stdout=subprocess.PIPE, text=True)
        line = self.lab.stdout.readline()
        assert line.startswith("ready "), line
        if config:
            with open(self.config) as f:
                text = f.read()
            with open(self.config, "w") as f:
                f.write(config(text))

    def start_gate(self, *extra):
        errors = open(os.path.join(self.directory, "stderr"), "w")
        self.gate = subprocess.Popen([self.postern, "run", "-c", self.config, *extra], stderr=errors)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.gate.poll() is None, self.log()
            if self.ask("mode")[0] == 0:
                return
            time.sleep(0.02)
        raise AssertionError("the gate did not start: " + self.log())

    def ask(self, *words, timeout=60):
        done = subprocess.run([self.postern, *words, "-c", self.config], capture_output=True, text=True, timeout=timeout)
        return done.returncode, done.stdout + done.stderr

    def ask_json(self, *words, timeout=60):
        status, out = self.ask(*words, "--json", timeout=timeout)
        return status, json.loads(out)

    def verify(self, address):
        return self.ask_json("verify", address, timeout=90)[1]

    def log(self):
        text = ""
        for name in ("stderr", "postern.log"):
            path = os.path.join(self.directory, name)
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    text += f.read()[-4000:]
        return text

    def kill_gate(self, sig=signal.SIGKILL):
        self.gate.send_signal(sig)
        self.gate.wait(timeout=60)
        self.gate = None

    def delivered(self):
        """Every file in a Maildir's new/ below mail/."""
        found = []
        for folder, _, files in os.walk(os.path.join(self.directory, "mail")):
            if folder.endswith("/new"):
                found += [os.path.join(folder, f) for f in files]
        return found

    def close(self):
        for child in (self.gate, self.lab):
            if child and child.poll() is None:
                child.terminate()
                try:
                    child.wait(timeout=40)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()

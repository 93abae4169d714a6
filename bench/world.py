# SPDX-License-Identifier: GPL-2.0-or-later
"""What every bench needs: programs started and ended by their pid, load, sink, names, and the tables that are printed."""

import atexit
import json
import os
import signal
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SINK_PORT = 2601      # next hop
MX_PORT = 2602        # the senders' mail servers
NAMES_PORT = 2653
GATE_PORT = 2610
PEER_PORT = 2620
SOURCES = "127.0.1.1/200"


class Fault(Exception):
    """The bench could not be run; the text says why."""


class World:
    """The directory of one run and the processes in it."""

    def __init__(self, build, directory):
        self.build = build
        self.directory = directory
        self.processes = []
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        os.chmod(directory, 0o755)
        atexit.register(self.end_all)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def tool(self, name):
        path = os.path.join(self.build, "bench", name)
        if not os.path.exists(path):
            raise Fault(f"{path} is missing: run tools/build")
        return path

    def start(self, argv, name, env=None, **more):
        log = open(self.path(name + ".out"), "ab")
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                   process_group=0, **more)
        process.name = name
        self.processes.append(process)
        return process

    def end(self, process, wait=15):
        """Ends a process and, should it have made a family, its group; by id, never by name."""
        if process in self.processes:
            self.processes.remove(process)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(wait)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def end_all(self):
        for process in reversed(list(self.processes)):
            self.end(process, 5)

    def wait_port(self, process, port, seconds=20, host="127.0.0.1"):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if process.poll() is not None:
                break
            try:
                with socket.create_connection((host, port), 1) as s:
                    s.settimeout(5)
                    if s.recv(3) == b"220":
                        s.sendall(b"QUIT\r\n")
                        return
            except OSError:
                time.sleep(0.05)
        with open(self.path(process.name + ".out"), errors="replace") as f:
            said = f.read()[-500:].strip()
        raise Fault(f"{process.name} does not answer on port {port}: {said or 'it says nothing'}")

    def load(self, port, **flags):
        return json.loads(subprocess.run(self.load_argv(port, flags), check=True, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, timeout=600).stdout)

    def load_argv(self, port, flags):
        argv = [self.tool("load"), "--to", f"127.0.0.1:{port}"]
        flags.setdefault("source", SOURCES)
        for key, value in flags.items():
            argv.append("--" + key.replace("_", "-"))
            if value is not True:
                argv.append(str(value))
        return argv

    def load_start(self, port, **flags):
        """A load that runs beside; its standard error announces milestones, load_end gives its figures."""
        process = subprocess.Popen(self.load_argv(port, flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, process_group=0)
        process.name = "load"
        self.processes.append(process)
        return process

    def load_end(self, process, stop=False):
        if stop and process.poll() is None:
            process.terminate()
        out, _ = process.communicate(timeout=300)
        self.processes.remove(process)
        return json.loads(out)


class Sink:
    """bench/sink, and what it has counted so far."""

    def __init__(self, world, port=SINK_PORT, *flags):
        self.file = world.path(f"sink-{port}.count")
        host = "127.0.0.1" if port == SINK_PORT else "0.0.0.0"
        self.process = world.start([world.tool("sink"), "--listen", f"{host}:{port}", "--count", self.file, *flags],
                                   f"sink-{port}")
        world.wait_port(self.process, port)

    def counts(self):
        with open(self.file, "rb") as f:
            values = struct.unpack("5Q", f.read(40))
        return dict(zip(("messages", "sessions", "rcpts", "bytes", "last_ns"), values))

    def wait_messages(self, wanted, seconds=120):
        """Time of the last arrival once `wanted` messages are in; gives up when nothing has come for 20 s."""
        end = time.monotonic() + seconds
        seen, since = -1, time.monotonic()
        while time.monotonic() < end:
            counts = self.counts()
            if counts["messages"] >= wanted:
                return counts["last_ns"]
            if counts["messages"] != seen:
                seen, since = counts["messages"], time.monotonic()
            if time.monotonic() - since > 20:
                break
            time.sleep(0.02)
        raise Fault(f"only {seen} of {wanted} messages reached the sink")


def start_names(world, hosts=250, port=NAMES_PORT):
    """Every domain exists; its MX is one of `hosts` addresses from 127.8.0.1 on."""
    return world.start([world.tool("names"), f"127.0.0.1:{port}", "127.8.0.1", str(hosts)], "names")


class Gate:
    """postern run, with a configuration of its own."""

    DEFAULTS = {
        "gate": {"host": "gate.example.org", "sessions": 19000, "sessions_per_ip": 0, "connects_per_minute": 0,
                 "local_networks": ["127.255.0.0/16"]},
        "verify": {"mode": "off", "port": MX_PORT, "dial_networks": ["127.8.0.0/16"]},
        "dns": {"resolver": f"127.0.0.1@{NAMES_PORT}", "trust_anchor": "none"},
        "queue": {"dial_networks": ["127.0.0.0/8"]},
        "spool": {"free_min": "1M"},
    }
    # Strangers by the thousand, on purpose.
    NO_BUDGETS = {"per_domain_hour": 1000000, "per_domain_burst": 1000000, "per_operator_hour": 1000000,
                  "per_client_minute": 1000000, "per_second": 100000}

    def __init__(self, world, **sections):
        self.world = world
        self.home = world.path("gate")
        shutil.rmtree(self.home, ignore_errors=True)
        os.mkdir(self.home)
        os.chmod(self.home, 0o777)
        self.config = os.path.join(self.home, "postern.conf")
        with open(self.config, "w") as f:
            f.write(self.text(sections))
        postern = os.path.join(world.build, "src", "postern")
        if not os.path.exists(postern):
            raise Fault(f"{postern} is missing: run tools/build")
        self.postern = postern
        self.process = world.start([postern, "run", "-c", self.config], "gate")
        world.wait_port(self.process, GATE_PORT)

    def text(self, sections):
        user = "nobody" if os.geteuid() == 0 else "root"
        conf = {"daemon": {"user": user, "state_directory": self.home + "/state", "run_directory": self.home + "/run",
                           "exceptions": self.home + "/exceptions", "log": self.home + "/postern.log"},
                'route "example.org"': {"kind": "smtp", "next_hop": f"127.0.0.1:{SINK_PORT}", "recipients": "any"}}
        for name, values in self.DEFAULTS.items():
            conf[name] = dict(values)
        conf["gate"]["listen"] = [f"127.0.0.1:{GATE_PORT}"]
        conf["spool"]["directory"] = self.home + "/spool"
        for name, values in sections.items():
            conf.setdefault(name, {}).update(values)
        return "".join(f"{name} {{\n" + "".join(f"\t{k} = {value(v)}\n" for k, v in values.items()) + "}\n"
                       for name, values in conf.items())

    def rss_kb(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        raise Fault("the gate has ended")

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, *words):
        """A control verb's JSON answer."""
        done = subprocess.run([self.postern, *words, "--json", "-c", self.config], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=30)
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            raise Fault(f"postern {' '.join(words)}: {done.stdout}{done.stderr}") from None

    def end(self):
        self.world.end(self.process, 40)


def value(v):
    if isinstance(v, list):
        return "{" + ", ".join(value(i) for i in v) + "}"
    return str(v) if isinstance(v, int) else f'"{v}"'


def bare_sync(world, seconds=3):
    """The disk alone: one write and one fdatasync after the other."""
    done = subprocess.run([world.tool("fdatasync_bench"), world.directory, str(seconds)], check=True,
                          stdout=subprocess.PIPE, timeout=60)
    return json.loads(done.stdout)["ms"]


def sync_beside(world, seconds):
    """The same at 100 a second beside a load; load_end gives the figures."""
    process = subprocess.Popen([world.tool("fdatasync_bench"), world.directory, str(seconds), "100"],
                               stdout=subprocess.PIPE, text=True, process_group=0)
    process.name = "fdatasync"
    world.processes.append(process)
    return process


def median(values):
    return statistics.median(values) if values else 0


def spread(values):
    return f"{min(values):,.0f} … {max(values):,.0f}"


def table(title, rows):
    print(f"\n{title}")
    width = max(len(r[0]) for r in rows)
    for name, *cells in rows:
        print("  " + name.ljust(width) + "  " + "  ".join(str(c).rjust(14) for c in cells).rstrip())
    sys.stdout.flush()


def machine():
    """What the figures were measured on."""
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "?")
    commit = subprocess.run(["git", "-C", TOP, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True,
                            check=False).stdout.strip()
    return {"cpus": os.cpu_count(), "cpu": model, "kernel": os.uname().release, "commit": commit}


def finish(name, figures):
    """The line for programs, after the table for people."""
    print(json.dumps({"bench": name, **figures, "machine": machine()}))
    sys.stdout.flush()

"""What tests against other programs share: free ports, child processes that end with the test, places.

Use from a test file in a folder below:

    sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
    from support import Process, free_port, program, wait_port
"""
import os
import signal
import socket
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def build_dir():
    """The build under test: POSTERN_BUILD, else `build-test`, else `build`."""
    given = os.environ.get("POSTERN_BUILD")
    if given:
        return given
    for name in ("build-test", "build"):
        if os.path.exists(os.path.join(TOP, name, "build.ninja")):
            return os.path.join(TOP, name)
    raise AssertionError("no build directory; run tools/build or set POSTERN_BUILD")


def program(*parts):
    """The path of a built program, for instance program("src", "dns", "dns_query")."""
    path = os.path.join(build_dir(), *parts)
    assert os.path.exists(path), f"{path} is not built"
    return path


def free_port(host="127.0.0.1"):
    """A port that is free for TCP and UDP on `host` just now; start the server soon."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(100):
        with socket.socket(family, socket.SOCK_STREAM) as tcp, socket.socket(family, socket.SOCK_DGRAM) as udp:
            tcp.bind((host, 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind((host, port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port on {host}")


class Process:
    """A child process, its output in a file, ended by its own process group id when the scope ends."""

    def __init__(self, argv, log, env=None, cwd=None, stdin=subprocess.DEVNULL):
        self.argv = [str(a) for a in argv]
        self.log_path = str(log)
        with open(self.log_path, "ab") as out:
            self.child = subprocess.Popen(self.argv, stdin=stdin, stdout=out, stderr=subprocess.STDOUT, cwd=cwd,
                                          env=dict(os.environ, **(env or {})), start_new_session=True)

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child.poll() is None

    def log(self, last=4000):
        with open(self.log_path, errors="replace") as f:
            return f.read()[-last:]

    def wait_log(self, text, timeout=20):
        """Until `text` stands in the output."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if text in self.log(1 << 20):
                return
            assert self.is_running(), f"{self.argv[0]} ended: {self.log()}"
            time.sleep(0.02)
        raise AssertionError(f"{self.argv[0]} never said {text!r}: {self.log()}")

    def stop(self, timeout=10):
        """Asks, then kills; the whole group, so that helpers of a server go with it."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.child.pid, sign)
            except ProcessLookupError:
                pass
            try:
                self.child.wait(timeout)
                break
            except subprocess.TimeoutExpired:
                continue
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.child.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def start_process(argv, log, **options):
    return Process(argv, log, **options)


def wait_port(host, port, process=None, timeout=20):
    """Until something accepts TCP connections there, or `process` has ended."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        assert process is None or process.is_running(), f"{process.argv[0]} ended: {process.log()}"
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing listens on {host}:{port}" + (f": {process.log()}" if process else ""))


def wait_until(claim, what, timeout=20, story=lambda: ""):
    """Until claim() is true; `what` names it when it never is, story() tells more."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if claim():
            return
        time.sleep(0.02)
    raise AssertionError(f"never became true: {what}\n{story()}")

#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""systemctl and apt for a place without either: they do with the package's own files what the real ones would do.

    systemctl start|stop|restart|reload UNIT …     the commands of packaging/debian's unit; Postfix by its own command
    apt install ./postern_VERSION_ARCH.deb         the files' places, first-conf, postinst, start

POSTERN_TOP is the source tree, POSTERN_BINARY what was built.
"""
import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time

TOP = os.environ["POSTERN_TOP"]
DEBIAN = os.path.join(TOP, "packaging", "debian")
PID = "/run/postern.test-pid"


def unit(key):
    with open(os.path.join(DEBIAN, "postern.service"), encoding="utf-8") as f:
        return re.findall(rf"(?m)^{key}=(.*)$", f.read())


def start():
    who = pwd.getpwnam(unit("User")[0])
    for parent, name in (("/run/", unit("RuntimeDirectory")[0]), ("/var/lib/", unit("StateDirectory")[0])):
        os.makedirs(parent + name, exist_ok=True)
        os.chown(parent + name, who.pw_uid, who.pw_gid)
    with open("/var/log/postern.log", "ab") as log:
        child = subprocess.Popen(unit("ExecStart")[0].split(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/")
    with open(PID, "w", encoding="ascii") as f:
        f.write(str(child.pid))
    for _ in range(500):
        if subprocess.run(["/usr/bin/postern", "mode"], capture_output=True, check=False).returncode == 0:
            return 0
        if child.poll() is not None:
            break
        time.sleep(0.02)
    print("postern.service failed; see /var/log/postern.log", file=sys.stderr)
    return 1


def stop():
    if not os.path.exists(PID):
        return 0
    with open(PID, encoding="ascii") as f:
        pid = int(f.read())
    os.unlink(PID)
    try:
        os.kill(pid, signal.SIGTERM)
        for _ in range(2000):
            os.kill(pid, 0)
            if open(f"/proc/{pid}/stat", encoding="ascii").read().split()[2] == "Z":
                return 0
            time.sleep(0.02)
    except (ProcessLookupError, FileNotFoundError):
        return 0
    return 1


def systemctl(verb, *units):
    for name in units:
        name = name.removesuffix(".service")
        if verb not in ("start", "stop", "restart", "reload") or name not in ("postern", "postfix"):
            print(f"Unit {name}: there is no {verb} here", file=sys.stderr)
            return 5
        if name == "postfix":
            running = subprocess.run(["postfix", "status"], capture_output=True, check=False).returncode == 0
            status = subprocess.run(["postfix", {"restart": "reload"}.get(verb, verb) if running else "start"], check=False).returncode
        elif verb == "reload":
            status = subprocess.run(unit("ExecReload")[0].split(), check=False).returncode
        else:
            status = (stop() if verb in ("stop", "restart") else 0) or (start() if verb != "stop" else 0)
        if status:
            return status
    return 0


def apt(verb, package):
    with open(os.path.join(DEBIAN, "changelog"), encoding="utf-8") as f:
        version = re.match(r"postern \(([^)]+)\)", f.readline())[1]
    arch = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    if (verb, package) != ("install", f"./postern_{version}_{arch}.deb"):
        print(f"E: what dpkg-buildpackage makes is postern_{version}_{arch}.deb", file=sys.stderr)
        return 100
    shutil.copy(os.environ["POSTERN_BINARY"], "/usr/bin/postern")
    os.makedirs("/usr/share/doc/postern/examples", exist_ok=True)
    with open(os.path.join(DEBIAN, "postern.examples"), encoding="utf-8") as f:
        for pattern in f.read().split():
            for path in glob.glob(os.path.join(TOP, pattern)):
                shutil.copy(path, "/usr/share/doc/postern/examples")
    sample = subprocess.run(["/usr/bin/postern", "check-config", "--print-sample"], capture_output=True, check=True).stdout
    conf = subprocess.run(["sh", os.path.join(DEBIAN, "first-conf")], input=sample, capture_output=True, check=True).stdout.decode()
    # The world of the test in place of the Internet: its name server, and mail servers on loopback at another port.
    for key, value in (("resolver", '"127.0.0.1@5353"'), ("trust_anchor", "none"), ("dial_networks", '{"127.9.0.0/16"}'), ("port", "2525")):
        conf = re.sub(rf"(?m)^\t#{key} = .*$", f"\t{key} = {value}", conf, count=1)
    os.makedirs("/etc/postern", exist_ok=True)
    with open("/etc/postern/postern.conf", "w", encoding="utf-8") as f:
        f.write(conf)
    subprocess.run(["sh", os.path.join(DEBIAN, "postern.postinst"), "configure"], check=True)
    return start()


sys.exit({"systemctl": systemctl, "apt": apt}[os.path.basename(sys.argv[0])](*sys.argv[1:]))

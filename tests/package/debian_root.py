# SPDX-License-Identifier: GPL-2.0-or-later
"""A clean Debian 12 to install into: made once by debootstrap and kept in build-peers/, used through an overlay.

The first time costs about a minute and 50 MB from the network, and the packages that postern depends on a few MB more;
from then on nothing is fetched.
"""
import ctypes
import os
import shutil
import subprocess
import tempfile

from support import TOP

MIRROR = os.environ.get("POSTERN_MIRROR", "http://deb.debian.org/debian")
KEPT = os.path.join(TOP, "build-peers", "debian12")
ARCHIVES = os.path.join(TOP, "build-peers", "debian12-archives")
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"}


def run(*argv, timeout=600, **options):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, **options)
    assert done.returncode == 0, f"{' '.join(argv)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def keep_root():
    """build-peers/debian12; made when it is not there."""
    if os.path.exists(KEPT):
        return
    assert shutil.which("debootstrap"), "debootstrap is missing: tools/install-packages test installs it"
    os.makedirs(ARCHIVES, exist_ok=True)
    making = KEPT + ".making"
    shutil.rmtree(making, ignore_errors=True)
    try:
        run("debootstrap", "--variant=minbase", "bookworm", making, MIRROR)
    except AssertionError as trouble:
        raise AssertionError(f"no clean Debian 12 could be made from {MIRROR} (POSTERN_MIRROR names another):\n{trouble}") from None
    shutil.rmtree(os.path.join(making, "var/cache/apt/archives"))
    os.makedirs(os.path.join(making, "var/cache/apt/archives"))
    os.rename(making, KEPT)


class Namespaces:
    """Mounts and network of our own for as long as this lasts; port 25 is free there, and nothing is left behind."""

    def __init__(self):
        assert os.geteuid() == 0, "a root directory can be used by root only: run the package tests as root, as CI does"
        self.before = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in ("mnt", "net")]

    def enter_mounts(self):
        assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
        run("mount", "--make-rprivate", "/")

    def enter_network(self):
        assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        run("ip", "link", "set", "lo", "up")

    def leave(self):
        here = os.getcwd()
        for fd in self.before:
            assert libc.setns(fd, 0) == 0, os.strerror(ctypes.get_errno())
            os.close(fd)
        os.chdir(here)


class Root:
    """An overlay over the kept root; call from inside Namespaces. The network is needed only while packages come."""

    def __init__(self):
        keep_root()
        self.place = tempfile.mkdtemp(prefix="postern-root-")
        os.chmod(self.place, 0o755)
        run("mount", "-t", "tmpfs", "tmpfs", self.place)
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(self.place, name))
        self.path = os.path.join(self.place, "root")
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={KEPT},upperdir={self.place}/upper,workdir={self.place}/work", self.path)
        os.makedirs(ARCHIVES, exist_ok=True)
        run("mount", "--bind", ARCHIVES, self.file("/var/cache/apt/archives"))
        run("mount", "-t", "proc", "proc", self.file("/proc"))
        run("mount", "--bind", "/dev/null", self.file("/dev/null"))

    def file(self, path):
        return self.path + path

    def read(self, path):
        with open(self.file(path)) as f:
            return f.read()

    def write(self, path, text):
        with open(self.file(path), "w") as f:
            f.write(text)

    def exists(self, path):
        return os.path.exists(self.file(path))

    def chroot(self, *argv, timeout=300, **env):
        return subprocess.run(["chroot", self.path, *argv], capture_output=True, text=True, timeout=timeout, env={**ENV, **env},
                              stdin=subprocess.DEVNULL)

    def ok(self, *argv, **env):
        done = self.chroot(*argv, **env)
        assert done.returncode == 0, f"{' '.join(argv)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def copy_in(self, path):
        shutil.copy(path, self.file("/var/tmp/"))
        return "/var/tmp/" + os.path.basename(path)

    def install_with_dependencies(self, deb):
        """apt-get from what was kept; from the network, with fresh lists, what was not."""
        wanted = ("apt-get", "install", "-y", "--no-install-recommends", self.copy_in(deb))
        done = self.chroot(*wanted)
        if done.returncode != 0:
            shutil.copy("/etc/resolv.conf", self.file("/etc/resolv.conf"))
            fresh = self.chroot("apt-get", "update")
            done = self.chroot(*wanted)
            assert done.returncode == 0, ("the package does not install into a clean Debian 12, or what it depends on cannot be "
                                          f"fetched:\n{fresh.stderr[-1500:]}{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout + done.stderr

    def close(self):
        subprocess.run(["umount", "-R", "-l", self.place], check=False)
        os.rmdir(self.place)

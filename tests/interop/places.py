"""Where the tests of this folder live: one directory, one port for all mail hosts, an address for each habit."""
import os
import pwd
import grp
import shutil
import subprocess
import tempfile

from support import TOP, free_port

PEERS = os.path.join(TOP, "build-peers", "root")
SHARED = os.environ.get("POSTERN_SHARED", os.path.join(os.path.dirname(TOP), "shared"))
GATE_USER = "nobody"


class Site:
    """A directory that the peers' accounts can reach, the port of every mail host in it, and the one gate that they relay to."""

    def __init__(self):
        assert os.geteuid() == 0, "mail servers change accounts: run the interop tests as root, as CI does"
        self.directory = tempfile.mkdtemp(prefix="postern-interop-")
        os.chmod(self.directory, 0o755)
        self.port = free_port("127.8.0.1")
        self.relay_port = free_port()   # where Exim and Postfix send mail for here.test

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def home(self, name, owner=None, mode=0o755):
        path = self.path(name)
        make_directory(path, mode, owner)
        return path

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)


def account(name, group=None):
    """A system account of that name; made when it is missing, as the package would."""
    if group:
        subprocess.run(["groupadd", "--system", "--force", group], check=True)
    try:
        return pwd.getpwnam(name)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name], check=True)
        return pwd.getpwnam(name)


def make_directory(path, mode=0o755, owner=None, group=None):
    os.makedirs(path, exist_ok=True)
    if owner:
        who = pwd.getpwnam(owner)
        os.chown(path, who.pw_uid, grp.getgrnam(group).gr_gid if group else who.pw_gid)
    os.chmod(path, mode)


def peer_file(*parts):
    """A file of an unpacked package."""
    path = os.path.join(PEERS, *parts)
    assert os.path.exists(path), f"{path} is missing: tools/install-packages test unpacks it"
    return path


def maildir(path):
    """The messages in a Maildir, as bytes."""
    new = os.path.join(path, "new")
    found = []
    for name in sorted(os.listdir(new)) if os.path.isdir(new) else []:
        with open(os.path.join(new, name), "rb") as f:
            found.append(f.read())
    return found

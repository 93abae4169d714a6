# SPDX-License-Identifier: GPL-2.0-or-later
"""The peers beside us: Postfix 3.7 as a relay and Exim 4.96 as a gate that verifies, both unpacked, not installed."""

import os
import pwd
import shutil
import subprocess
import time

from world import Fault, MX_PORT, PEER_PORT, SINK_PORT, TOP

ROOT = os.path.join(TOP, "build-peers", "root")

POSTFIX_MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {root}/etc/postfix
mail_owner = postfix
setgid_group = postdrop
import_environment = LD_LIBRARY_PATH MAIL_CONFIG TZ
myhostname = postfix.example.org
mydestination =
mynetworks = 127.0.0.0/8
relay_domains = example.org
relay_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
# What slows it down and has nothing to do with taking mail durably is switched off.
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = none
smtp_tls_security_level = none
default_process_limit = {processes}
relayhost = [127.0.0.1]:{sink}
relay_transport = relay:[127.0.0.1]:{sink}
maximal_backoff_time = 300s
minimal_backoff_time = 300s
"""

POSTFIX_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


def account(name, group=None):
    """A system account of that name; made when it is missing, as the package would."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        pass
    if os.geteuid() != 0:
        raise Fault(f"account {name} is missing and only root can make it")
    if group:
        subprocess.run(["groupadd", "--system", "--force", group], check=True)
    subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name], check=True)
    return pwd.getpwnam(name)


class Postfix:
    """A relay with a queue of its own on the same disk as the gate's spool."""

    # Addresses are asked about at the senders' mail servers, and remembered.
    VERIFY = f"address_verify_default_transport = smtp:[127.0.0.1]:{MX_PORT}\naddress_verify_relayhost =\n"

    def __init__(self, world, processes=100, more="", home=None):
        """more: further lines of main.cf, which win over those above."""
        if not os.path.exists(ROOT + "/usr/lib/postfix/sbin/master"):
            subprocess.run([os.path.join(TOP, "tools", "install-packages"), "bench"], check=True)
        self.world = world
        self.home = home or world.path("postfix")
        shutil.rmtree(self.home, ignore_errors=True)
        who = account("postfix", "postdrop")
        self.make_directories(who)
        names = {"home": self.home, "root": ROOT, "sink": SINK_PORT, "port": PEER_PORT, "processes": processes}
        for name, text in (("main.cf", POSTFIX_MAIN), ("master.cf", POSTFIX_MASTER)):
            with open(os.path.join(self.home, name), "w") as f:
                f.write(text.format(**names) + (more if name == "main.cf" else ""))
        env = dict(os.environ, LD_LIBRARY_PATH=ROOT + "/usr/lib/postfix", MAIL_CONFIG=self.home)
        self.process = world.start([ROOT + "/usr/lib/postfix/sbin/master", "-d", "-c", self.home], "postfix", env)
        world.wait_port(self.process, PEER_PORT)

    def make_directories(self, who):
        def make(path, mode, uid, gid):
            os.makedirs(path, exist_ok=True)
            os.chown(path, uid, gid)
            os.chmod(path, mode)

        postdrop = __import__("grp").getgrnam("postdrop").gr_gid
        make(self.home, 0o755, 0, 0)
        make(self.home + "/queue", 0o755, 0, 0)
        make(self.home + "/data", 0o700, who.pw_uid, who.pw_gid)
        for name in "active bounce corrupt defer deferred flush hold incoming private saved trace".split():
            make(f"{self.home}/queue/{name}", 0o700, who.pw_uid, who.pw_gid)
        make(self.home + "/queue/maildrop", 0o730, who.pw_uid, postdrop)
        make(self.home + "/queue/public", 0o710, who.pw_uid, postdrop)
        make(self.home + "/queue/pid", 0o755, 0, 0)

    def end(self):
        self.world.end(self.process)


EXIM_CONF = """
primary_hostname = exim.example.org
exim_user = {user}
exim_group = {user}
spool_directory = {home}
log_file_path = {home}/log-%slog
pid_file_path =
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
smtp_accept_max = 600
smtp_accept_max_per_host = 600
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 1000
queue_only
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
chunking_advertise_hosts =
prdr_enable = false
keep_environment =
acl_smtp_rcpt = check
begin acl
check:
  deny message = Sender verify failed
       !verify = sender/callout=25s,random
  accept
begin routers
all:
  driver = manualroute
  route_list = * 127.8.0.1
  host_find_failed = defer
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = {mx}
"""


class Exim:
    """A gate that verifies each sender by call-out, with its own cache; it takes mail and does not deliver it."""

    def __init__(self, world, conf=EXIM_CONF, home=None, **names):
        binary = next((p for p in ("/usr/sbin/exim4", ROOT + "/usr/sbin/exim4") if os.path.exists(p)), None)
        if not binary:
            subprocess.run([os.path.join(TOP, "tools", "install-packages"), "bench"], check=True)
            binary = ROOT + "/usr/sbin/exim4"
        self.world = world
        self.home = home or world.path("exim")
        shutil.rmtree(self.home, ignore_errors=True)
        os.mkdir(self.home)
        who = account("Debian-exim")
        os.chown(self.home, who.pw_uid, who.pw_gid)
        config = world.path("exim.conf")
        with open(config, "w") as f:
            f.write(conf.format(user="Debian-exim", home=self.home, port=PEER_PORT, mx=MX_PORT, **names))
        os.chmod(config, 0o644)
        self.process = world.start([binary, "-bdf", "-C", config], "exim")
        world.wait_port(self.process, PEER_PORT)

    def end(self):
        self.world.end(self.process)


class Postgrey:
    """A greylister, asked about triplets that it knows."""

    def __init__(self, world):
        binary = next((p for p in ("/usr/sbin/postgrey", ROOT + "/usr/sbin/postgrey") if os.path.exists(p)), None)
        if not binary:
            subprocess.run([os.path.join(TOP, "tools", "install-packages"), "test"], check=True)
            binary = "/usr/sbin/postgrey"
        account("postgrey")
        home = world.path("postgrey")
        shutil.rmtree(home, ignore_errors=True)
        os.mkdir(home)
        shutil.chown(home, "postgrey", "postgrey")
        empty = world.path("postgrey.whitelist")
        with open(empty, "w", encoding="ascii"):
            pass
        self.world = world
        self.to = f"unix:{home}/socket"
        self.process = world.start(
            [binary, f"--unix={home}/socket", f"--dbdir={home}", "--delay=1", "--lookup-by-host", "--auto-whitelist-clients=0",
             f"--whitelist-clients={empty}", f"--whitelist-recipients={empty}", "--user=postgrey", "--group=postgrey",
             f"--pidfile={home}/pid"], "postgrey")
        for _ in range(100):
            if os.path.exists(f"{home}/socket"):
                return
            time.sleep(0.05)
        raise Fault("postgrey did not start")

    def end(self):
        self.world.end(self.process)

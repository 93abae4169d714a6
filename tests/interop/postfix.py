"""Postfix 3.7, unpacked beside the system: an address for each habit, all from one master."""
import os

from places import GATE_USER, PEERS, account, make_directory, maildir, peer_file
from support import start_process, wait_port

HOST = "127.8.2.1"           # users, a catch-all domain; also the next hop
GREYLISTS = "127.8.2.2"
REFUSES_NULL = "127.8.2.3"   # at MAIL
REFUSES_NULL_AT_RCPT = "127.8.2.4"   # Postfix' own default: smtpd_delay_reject
WITHOUT_CHUNKING = "127.8.2.5"

MAIN = """
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
maillog_file = {home}/maillog
maillog_file_prefixes = /tmp, /var
myhostname = postfix.test
mydestination = {destinations}
local_recipient_maps = texthash:{home}/recipients
local_transport = virtual
virtual_mailbox_maps = texthash:{home}/mailboxes
virtual_mailbox_base = {home}/mail
virtual_mailbox_limit = 0
message_size_limit = 60000000
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_alias_domains = all.postfix.test
virtual_alias_maps = texthash:{home}/aliases
alias_maps =
alias_database =
mynetworks =
relay_domains = here.test
relay_recipient_maps =
relay_transport = relay:[127.0.0.1]:{relay_port}
smtp_tls_security_level = may
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
header_checks = regexp:{home}/header_checks
refuse_null = check_sender_access texthash:{home}/senders
greylist = reject_unauth_destination, check_policy_service inet:{policy}
inet_interfaces = all
inet_protocols = ipv4
smtp_dns_support_level = disabled
"""
MASTER = """
{host}:{port} inet n - n - - smtpd
{greylists}:{port} inet n - n - - smtpd -o smtpd_recipient_restrictions=$greylist
{refuses_null}:{port} inet n - n - - smtpd -o smtpd_sender_restrictions=$refuse_null -o smtpd_delay_reject=no
{refuses_null_at_rcpt}:{port} inet n - n - - smtpd -o smtpd_sender_restrictions=$refuse_null
{without_chunking}:{port} inet n - n - - smtpd -o smtpd_discard_ehlo_keywords=chunking
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
postlog unix-dgram n - n - 1 postlogd
"""
# Domain → the address of its MX host; the same users in all but the last.
DOMAINS = {"users.postfix.test": HOST, "grey.postfix.test": GREYLISTS, "null.postfix.test": REFUSES_NULL,
           "late.postfix.test": REFUSES_NULL_AT_RCPT, "all.postfix.test": HOST}
USERS = ("anna", "joe", "postmaster")


class Postfix:
    """Users anna and joe at users.postfix.test; everybody at all.postfix.test."""

    def __init__(self, site, policy):
        self.site = site
        self.home = site.home("postfix")
        self.process = None
        account("postfix", "postdrop")
        nobody = account(GATE_USER)
        self.make_directories()
        self.master = peer_file("usr/lib/postfix/sbin/master")
        self.write("recipients", "".join(f"{u} x\n" for u in USERS))
        self.write("mailboxes", "".join(f"{u}@users.postfix.test {u}/\n" for u in USERS))
        self.write("aliases", "@all.postfix.test anna@users.postfix.test\n")
        self.write("senders", "<> 550 5.7.1 We take no bounces\n")
        self.write("header_checks", "/^X-Refuse: yes/ REJECT 5.7.1 Not of our taste\n")
        self.write("main.cf", MAIN.format(home=self.home, root=PEERS, uid=nobody.pw_uid, gid=nobody.pw_gid, policy=policy,
                                          relay_port=site.relay_port, destinations=", ".join(d for d in DOMAINS if d != "all.postfix.test")))
        self.write("master.cf", MASTER.format(host=HOST, greylists=GREYLISTS, refuses_null=REFUSES_NULL, port=site.port,
                                              refuses_null_at_rcpt=REFUSES_NULL_AT_RCPT, without_chunking=WITHOUT_CHUNKING))
        self.env = {"LD_LIBRARY_PATH": peer_file("usr/lib/postfix"), "MAIL_CONFIG": self.home}

    def write(self, name, text):
        self.site.write(os.path.join("postfix", name), text)

    def make_directories(self):
        for name in ("queue", "queue/pid"):
            make_directory(os.path.join(self.home, name))
        make_directory(os.path.join(self.home, "data"), 0o700, "postfix")
        for name in "active bounce corrupt defer deferred flush hold incoming private saved trace".split():
            make_directory(os.path.join(self.home, "queue", name), 0o700, "postfix")
        make_directory(os.path.join(self.home, "queue/maildrop"), 0o730, "postfix", "postdrop")
        make_directory(os.path.join(self.home, "queue/public"), 0o710, "postfix", "postdrop")
        make_directory(os.path.join(self.home, "mail"), 0o755, GATE_USER)

    def start(self):
        self.process = start_process([self.master, "-d", "-c", self.home], os.path.join(self.home, "out"), env=self.env)
        wait_port(HOST, self.site.port, self.process)
        return self

    def stop(self):
        if self.process:
            self.process.stop()
        self.process = None

    def mail(self, user="joe"):
        return maildir(os.path.join(self.home, "mail", user))

    def log(self):
        with open(os.path.join(self.home, "maillog"), errors="replace") as f:
            return f.read()

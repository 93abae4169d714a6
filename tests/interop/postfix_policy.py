"""A Postfix 3.7 that asks Postern's policy door, on one address for each place in the dialogue where it may ask."""
import os
import pwd

from places import GATE_USER, PEERS, account, make_directory, maildir, peer_file
from postfix import MASTER, Postfix
from support import start_process, wait_port

AT_RCPT, AT_DATA, AT_END, EVERYWHERE, LENIENT = (f"127.8.6.{n}" for n in range(1, 6))
USERS = ("joe", "anna", "postmaster", "abuse")

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
myhostname = mx.here.lab
mydestination = here.lab
local_recipient_maps = texthash:{home}/recipients
local_transport = virtual
virtual_mailbox_maps = texthash:{home}/mailboxes
virtual_mailbox_base = {home}/mail
virtual_mailbox_limit = 0
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
alias_maps =
alias_database =
mynetworks =
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_policy_service_timeout = {timeout}
ask_tcp = check_policy_service inet:{tcp}
ask_unix = check_policy_service unix:{unix}
inet_interfaces = all
inet_protocols = ipv4
smtp_dns_support_level = disabled
"""
AT = "smtpd_{}_restrictions=${}"
SERVICES = {
    AT_RCPT: [AT.format("recipient", "ask_tcp")],
    AT_DATA: [AT.format("data", "ask_unix")],
    AT_END: [AT.format("end_of_data", "ask_tcp")],
    EVERYWHERE: [AT.format("recipient", "ask_unix"), AT.format("data", "ask_unix"), AT.format("end_of_data", "ask_unix")],
    LENIENT: [AT.format("recipient", "ask_tcp"), "smtpd_policy_service_default_action=dunno"],
}


class PolicyPostfix(Postfix):
    """Users joe, anna, postmaster and abuse at here.lab."""

    def __init__(self, site, name, port, tcp, unix, timeout="100s"):
        self.site, self.name, self.port = site, name, port
        self.home = site.home(name)
        self.process = None
        account("postfix", "postdrop")
        nobody = pwd.getpwnam(GATE_USER)
        self.make_directories()
        self.master = peer_file("usr/lib/postfix/sbin/master")
        self.write("recipients", "".join(f"{u} x\n" for u in USERS))
        self.write("mailboxes", "".join(f"{u}@here.lab {u}/\n" for u in USERS))
        self.write("main.cf", MAIN.format(home=self.home, root=PEERS, uid=nobody.pw_uid, gid=nobody.pw_gid, tcp=tcp, unix=unix,
                                          timeout=timeout))
        services = "".join(f"{host}:{port} inet n - n - - smtpd" + "".join(f" -o {o}" for o in options) + "\n"
                           for host, options in SERVICES.items())
        self.write("master.cf", services + MASTER[MASTER.index("pickup "):])
        self.env = {"LD_LIBRARY_PATH": peer_file("usr/lib/postfix"), "MAIL_CONFIG": self.home}

    def write(self, name, text):
        self.site.write(os.path.join(self.name, name), text)

    def make_directories(self):
        super().make_directories()
        for user in USERS:
            make_directory(os.path.join(self.home, "mail", user), 0o755, GATE_USER)

    def start(self):
        self.process = start_process([self.master, "-d", "-c", self.home], os.path.join(self.home, "out"), env=self.env)
        for host in SERVICES:
            wait_port(host, self.port, self.process)
        return self

    def mails(self):
        """How often each message, known by its subject, has come to each user."""
        found = {}
        for user in USERS:
            for mail in maildir(os.path.join(self.home, "mail", user)):
                subject = next(line for line in mail.split(b"\n") if line.startswith(b"Subject: "))[9:].strip().decode()
                found[user, subject] = found.get((user, subject), 0) + 1
        return found

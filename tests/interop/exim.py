"""Exim 4.96, unpacked beside the system: an address for each habit, all from one daemon."""
import os

from places import account, maildir, peer_file
from support import start_process, wait_port

HOST = "127.8.1.1"           # users, a catch-all domain; also the next hop
GREYLISTS = "127.8.1.2"
REFUSES_NULL = "127.8.1.3"
WITHOUT_CHUNKING = "127.8.1.5"

CONF = r"""
primary_hostname = exim.test
exim_user = Debian-exim
exim_group = Debian-exim
deliver_drop_privilege = true
spool_directory = {home}/spool
log_file_path = {home}/%slog
pid_file_path =
local_interfaces = <; {host} ; {greylists} ; {refuses_null} ; {without_chunking}
daemon_smtp_ports = {port}
smtp_accept_max = 200
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
chunking_advertise_hosts = ${{if eq{{$received_ip_address}}{{{without_chunking}}}{{}}{{*}}}}
message_size_limit = 60M
keep_environment =
domainlist local = {domains}
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
mail:
  deny senders = :
       condition = ${{if eq{{$received_ip_address}}{{{refuses_null}}}}}
       message = 5.7.1 We take no bounces
  accept
rcpt:
  deny !domains = +local : here.test
       message = 5.7.1 Relaying denied
  defer condition = ${{if eq{{$received_ip_address}}{{{greylists}}}}}
        set acl_m_grey = ${{readsocket{{inet:{policy}}}{{request=smtpd_access_policy\nprotocol_state=RCPT\n\
            protocol_name=ESMTP\nhelo_name=$sender_helo_name\nclient_address=$sender_host_address\n\
            client_name=unknown\nsender=$sender_address\nrecipient=$local_part@$domain\ninstance=\n\n}}{{5s}}{{}}{{action=DUNNO}}}}
        condition = ${{if match{{$acl_m_grey}}{{\N(?i)^action=defer\N}}}}
        message = 4.2.0 ${{sg{{$acl_m_grey}}{{\N(?i)^action=\w+\s*|\s+$\N}}{{}}}}
  require verify = recipient
  accept
data:
  deny condition = ${{if eq{{$h_X-Refuse:}}{{yes}}}}
       message = 5.7.1 Not of our taste
  accept
begin routers
relay:
  driver = manualroute
  domains = here.test
  route_list = * 127.0.0.1
  self = send
  transport = relay
users:
  driver = accept
  domains = !all.exim.test : +local
  local_parts = anna : joe : postmaster
  transport = mailbox
all:
  driver = accept
  domains = all.exim.test
  local_parts = !postmaster : *
  transport = everybody
begin transports
mailbox:
  driver = appendfile
  maildir_format
  directory = {home}/mail/$local_part_data
  create_directory
everybody:
  driver = appendfile
  maildir_format
  directory = {home}/mail/everybody
  create_directory
relay:
  driver = smtp
  port = {relay_port}
  hosts_try_chunking = *
  message_linelength_limit = 1G
begin retry
* * F,1h,5s
"""


# Domain → the address of its MX host; the same users in all but the last.
DOMAINS = {"users.exim.test": HOST, "grey.exim.test": GREYLISTS, "null.exim.test": REFUSES_NULL, "all.exim.test": HOST}


class Exim:
    """Users anna and joe at users.exim.test; everybody at all.exim.test."""

    def __init__(self, site, policy):
        self.site = site
        account("Debian-exim")
        self.home = site.home("exim", "Debian-exim")
        for name in ("spool", "mail"):
            site.home(os.path.join("exim", name), "Debian-exim", 0o750)
        self.config = site.write("exim.conf", CONF.format(
            domains=" : ".join(DOMAINS), home=self.home, port=site.port, relay_port=site.relay_port,
            policy=policy, host=HOST, greylists=GREYLISTS, refuses_null=REFUSES_NULL, without_chunking=WITHOUT_CHUNKING))
        self.process = None

    def start(self):
        self.process = start_process([peer_file("usr/sbin/exim4"), "-bdf", "-q5s", "-C", self.config],
                                     os.path.join(self.home, "out"))
        wait_port(HOST, self.site.port, self.process)
        return self

    def stop(self):
        if self.process:
            self.process.stop()
        self.process = None

    def mail(self, user="joe"):
        return maildir(os.path.join(self.home, "mail", user))

    def log(self):
        text = ""
        for name in ("mainlog", "rejectlog", "paniclog"):
            path = os.path.join(self.home, name)
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    text += f.read()
        return text

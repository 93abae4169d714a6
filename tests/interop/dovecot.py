"""Dovecot's LMTP server with users in a file and a Maildir for each."""
import os
import pwd

from places import GATE_USER, account, maildir
from support import start_process, wait_port

HOST = "127.8.3.1"
CONF = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = lmtp
ssl = no
default_login_user = dovenull
default_internal_user = dovecot
mail_location = maildir:~/Maildir
first_valid_uid = 1
postmaster_address = postmaster@users.dovecot.test
lmtp_save_to_detail_mailbox = no
recipient_delimiter = +
mail_plugins = quota
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage=1G
}}
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = passwd-file
  args = {home}/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {port}
  }}
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


class Dovecot:
    """Users anna, joe and full at users.dovecot.test; full's quota has no room for any message."""

    def __init__(self, site):
        account("dovecot")
        account("dovenull")
        self.home = site.home("dovecot")
        who = pwd.getpwnam(GATE_USER)
        self.socket = os.path.join(self.home, "run", "lmtp")
        users = ""
        for user in ("anna", "joe", "full"):
            home = site.home(f"dovecot/{user}", GATE_USER, 0o700)
            quota = "userdb_quota_rule=*:bytes=1" if user == "full" else ""
            users += f"{user}@users.dovecot.test:{{PLAIN}}x:{who.pw_uid}:{who.pw_gid}::{home}::{quota}\n"
        site.write("dovecot/users", users)
        config = site.write("dovecot/dovecot.conf", CONF.format(home=self.home, host=HOST, port=site.port))
        self.process = start_process(["/usr/sbin/dovecot", "-F", "-c", config], os.path.join(self.home, "out"))
        wait_port(HOST, site.port, self.process)

    def stop(self):
        self.process.stop()

    def mail(self, user="joe"):
        return maildir(os.path.join(self.home, user, "Maildir"))

"""Postgrey: the policy service behind which Postfix and Exim greylist for two seconds."""
from places import account
from support import free_port, start_process, wait_port

HOST = "127.8.0.23"


class Postgrey:
    def __init__(self, site, name):
        account("postgrey")
        directory = site.home(name, "postgrey", 0o750)
        port = free_port(HOST)
        empty = site.write(name + ".whitelist", "")
        self.at = f"{HOST}:{port}"
        # --exim: one question for each connection, which both mail servers are content with.
        self.process = start_process(
            ["/usr/sbin/postgrey", f"--inet={self.at}", f"--dbdir={directory}", "--delay=2", "--exim", "--lookup-by-host",
             "--auto-whitelist-clients=0", f"--whitelist-clients={empty}", f"--whitelist-recipients={empty}",
             "--user=postgrey", "--group=postgrey", f"--pidfile={directory}/pid"], site.path(name + ".out"))
        wait_port(HOST, port, self.process)

    def stop(self):
        self.process.stop()

"""One SMTP conversation, line by line."""
import re
import socket

from world import GATE


class Reply:
    def __init__(self, lines):
        self.code = int(lines[0][:3])
        self.text = "\n".join(line[4:].decode("utf-8", "replace") for line in lines)

    def __repr__(self):
        return f"{self.code} {self.text}"


class Talk:
    def __init__(self, host=GATE[0], port=GATE[1], source="127.9.4.1", timeout=60):
        self.socket = socket.create_connection((host, port), timeout, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.banner = self.reply()
        self.ehlo = self.command("EHLO client.lab") if self.banner and self.banner.code == 220 else None

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        """The next reply; None at the end of the connection."""
        lines = []
        while not lines or lines[-1][3:4] == b"-":
            try:
                line = self.file.readline()
            except ConnectionResetError:
                line = b""
            if not line:
                return None
            lines.append(line.rstrip(b"\r\n"))
        return Reply(lines)

    def command(self, line):
        try:
            self.send(line.encode() + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self.reply()

    def begin(self, sender, *rcpts):
        """MAIL and RCPTs; the first that is not taken (None inside a Reply's place: the connection ended)."""
        for line in (f"MAIL FROM:<{sender}>", *[f"RCPT TO:<{r}>" for r in rcpts]):
            r = self.command(line)
            if r is None or r.code != 250:
                return r or Reply([b"421 the connection ended"])
        return None

    def data(self, message):
        """DATA and the message; the reply that decided."""
        r = self.command("DATA")
        if r is None or r.code != 354:
            return r
        self.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
        return self.reply()

    def mail(self, sender, rcpt, message):
        return self.begin(sender, rcpt) or self.data(message)

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

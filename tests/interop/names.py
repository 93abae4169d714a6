"""A small authoritative DNS server for the test domains, on UDP and TCP."""
import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

HOST = "127.8.0.53"
TTL = 300


class Names:
    """`records`: {(name, type): [text, …]}, names in lower case without a dot behind; what is not listed is NXDOMAIN."""

    def __init__(self, port):
        self.records = {}
        self.at = f"{HOST}@{port}"
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((HOST, port))
        self.tcp = socket.create_server((HOST, port))
        self.is_ending = False
        self.threads = [threading.Thread(target=serve) for serve in (self.serve_udp, self.serve_tcp)]
        for s in (self.udp, self.tcp):
            s.settimeout(0.2)
        for t in self.threads:
            t.start()

    def add(self, name, kind, *values):
        self.records[name, kind] = list(values)

    def add_mx(self, domain, address):
        """`domain` with one MX host at `address`."""
        self.add(domain, "MX", f"10 mx.{domain}.")
        self.add(f"mx.{domain}", "A", address)

    def answer(self, wire):
        query = dns.message.from_wire(wire)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA | dns.flags.RA
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        values = self.records.get((name, kind))
        if values:
            reply.answer.append(dns.rrset.from_text_list(question.name, TTL, "IN", kind, values))
        else:
            reply.authority.append(dns.rrset.from_text(".", TTL, "IN", "SOA", "ns.test. root.test. 1 3600 600 86400 60"))
            if not any(known == name for known, _ in self.records):
                reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()

    def serve_udp(self):
        while not self.is_ending:
            try:
                wire, peer = self.udp.recvfrom(4096)
            except socket.timeout:
                continue
            self.udp.sendto(self.answer(wire), peer)

    def serve_tcp(self):
        while not self.is_ending:
            try:
                peer, _ = self.tcp.accept()
            except socket.timeout:
                continue
            with peer:
                peer.settimeout(2)
                size = int.from_bytes(peer.recv(2, socket.MSG_WAITALL), "big")
                reply = self.answer(peer.recv(size, socket.MSG_WAITALL))
                peer.sendall(len(reply).to_bytes(2, "big") + reply)

    def close(self):
        self.is_ending = True
        for t in self.threads:
            t.join()
        self.udp.close()
        self.tcp.close()

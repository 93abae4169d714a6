#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A name server for one test: small_dns.py PORT FILE; the file is JSON, [[name, type, text], …]. What is not in it does not exist."""
import json
import socket
import sys

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

with open(sys.argv[2], encoding="ascii") as zones:
    rows = [(name.lower() + ".", kind, text) for name, kind, text in json.load(zones)]
names = {name for name, _, _ in rows}
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", int(sys.argv[1])))
while True:
    data, client = server.recvfrom(4096)
    try:
        query = dns.message.from_wire(data)
        question = query.question[0]
    except Exception:       # whatever it is, it is no question
        continue
    answer = dns.message.make_response(query)
    name = question.name.to_text().lower()
    found = [text for n, kind, text in rows if n == name and kind == dns.rdatatype.to_text(question.rdtype)]
    if found:
        answer.answer.append(dns.rrset.from_text(question.name, 300, "IN", question.rdtype, *found))
    elif not any(n == name or n.endswith("." + name) for n in names):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    server.sendto(answer.to_wire(), client)

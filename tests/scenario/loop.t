# A message that went round too often is refused, and not by asking anybody.
set gate.hops 5
set verify.mode off

send anna@good.example joe@here.example => dot 554 5.4.6 Too many hops: the message seems to go round in a loop (*)
	Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000
	Received: from b by c; Thu, 1 Jan 2026 00:00:00 +0000
	Received: from c by d; Thu, 1 Jan 2026 00:00:00 +0000
	Received: from d by e; Thu, 1 Jan 2026 00:00:00 +0000
	Received: from e by f; Thu, 1 Jan 2026 00:00:00 +0000
	Received: from f by g; Thu, 1 Jan 2026 00:00:00 +0000
	Subject: round

	Round.
send anna@good.example joe@here.example => dot 250*
	Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000
	Subject: once

	Received: this is text
expect delivered joe@here.example 1

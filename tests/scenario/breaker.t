# An operator that says three times that we are blocked is left alone; after its time one probe goes, and its answer closes the breaker.
set verify.per_client_minute 100
set verify.ttl_blocked 1h
dns
	one.example   MX 10 mx1.operator.example
	two.example   MX 10 mx2.operator.example
	three.example MX 10 mx3.operator.example
	four.example  MX 10 mx4.operator.example
	five.example  MX 10 mx5.operator.example
peer mx1.operator.example 192.0.2.11
	RCPT => 550 5.7.1 Your IP 203.0.113.1 is on our block list
peer mx2.operator.example 192.0.2.12
	RCPT => 550 5.7.1 Your IP 203.0.113.1 is on our block list
peer mx3.operator.example 192.0.2.13
	RCPT => 550 5.7.1 Your IP 203.0.113.1 is on our block list
peer mx4.operator.example 192.0.2.14
	mailboxes anna postmaster
peer mx5.operator.example 192.0.2.15
	mailboxes anna postmaster

send anna@one.example a@here.example => dot 250*
expect message a@here.example has X-Postern-Sender: blocked, refused us; ref=*
pass 2m
send anna@two.example a@here.example => dot 250*
pass 2m
expect no log *verify_breaker_open*
send anna@three.example a@here.example => dot 250*
expect log *verify_breaker_open*operator.example*
# All domains behind the operator are spared, not only those that complained.
send anna@four.example b@here.example => dot 250*
expect message b@here.example has X-Postern-Sender: *; ref=*
expect sessions mx4.operator.example 0
pass 70m
send anna@four.example c@here.example => dot 250*
expect message c@here.example lacks X-Postern-Sender:*
expect sessions mx4.operator.example 1
send anna@five.example d@here.example => dot 250*
expect sessions mx5.operator.example 1

# A server that never answers costs a session its 25 s, and the question as a whole a minute; others are not held up by it.
set verify.per_client_minute 100
dns
	tar.example  MX 10 mx.tar.example
	good.example MX 10 mx.good.example
peer mx.tar.example 192.0.2.10
	MAIL => silent
peer mx.good.example 192.0.2.11
	mailboxes anna postmaster

at-once 5 send anna{n}@tar.example joe@here.example => dot 451 4.1.7 *
expect took 24.9..25.1
send anna@good.example joe@here.example => dot 250*
expect took 0

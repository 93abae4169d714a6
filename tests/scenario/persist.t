# What was learned survives a restart: verdicts, first failures, and our own question that was planned.
set verify.per_client_minute 100
dns
	good.example MX 10 mx.good.example
	down.example MX 10 mx.down.example
	grey.example MX 10 mx.grey.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster
peer mx.down.example 192.0.2.11
peer mx.down.example down
peer mx.grey.example 192.0.2.12
	RCPT TO:<anna@grey.example> => greylist 5m 451 4.7.1 Greylisted
	mailboxes anna postmaster

send anna@good.example joe@here.example => dot 250*
send nobody@good.example joe@here.example => dot 550*
send anna@down.example joe@here.example => dot 451*
send anna@grey.example joe@here.example => dot 451*
restart
send anna@good.example joe@here.example => dot 250*
send nobody@good.example joe@here.example => * 550 5.1.7*
expect sessions mx.good.example 2
pass 6m
expect heard mx.grey.example 2 RCPT TO:<anna@grey.example>
send anna@grey.example joe@here.example => dot 250*
pass 4h
send anna@down.example joe@here.example => dot 250*

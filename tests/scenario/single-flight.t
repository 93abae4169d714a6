# A hundred messages at once from one new sender make one question, and a hundred senders of one domain one session at a time.
set gate.sessions_per_ip 0
set verify.per_domain_burst 1000
set verify.per_domain_hour 1000
set verify.per_client_minute 1000
set verify.per_second 1000
dns
	good.example MX 10 mx.good.example
	many.example MX 10 mx.many.example
peer mx.good.example 192.0.2.10
	RCPT TO:<anna@good.example> => after 3s 250 2.1.5 ok
	mailboxes postmaster
peer mx.many.example 192.0.2.11

at-once 100 send anna@good.example joe@here.example => dot 250*
expect delivered joe@here.example 100
expect sessions mx.good.example 1
expect heard mx.good.example 1 RCPT TO:<anna@good.example>
at-once 100 send u{n}@many.example jane@here.example => dot 250*
expect delivered jane@here.example 100
expect heard mx.many.example <=2 RCPT TO:<*@many.example>

# The articles' order: the address that nobody has first, and for a domain that takes it the real one is not asked.
set verify.order random-first
dns
	good.example MX 10 mx.good.example
	all.example  MX 10 mx.all.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster
peer mx.all.example 192.0.2.11

send anna@good.example joe@here.example => dot 250*
expect dialogue mx.good.example
	EHLO mx.here.example
	MAIL FROM:<>
	RCPT TO:<*@good.example>
	RSET
	MAIL FROM:<>
	RCPT TO:<anna@good.example>
	QUIT
send anna@all.example joe@here.example => dot 250*
expect heard mx.all.example 1 RCPT *
expect heard mx.all.example 0 RCPT TO:<anna@all.example>

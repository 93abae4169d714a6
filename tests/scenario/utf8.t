# Addresses beyond ASCII: asked about with SMTPUTF8 at the sender's server, delivered with it, and returned where the next hop has not heard of it.
dns
	xn--bcher-kva.example MX 10 mx.buecher.example
peer mx.buecher.example 192.0.2.10
	RCPT TO:<jörg@* => 250 2.1.5 ok
	mailboxes postmaster

start
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	& 250-SMTPUTF8
	> MAIL FROM:<jörg@bücher.example> SMTPUTF8
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> DATA
	< 354 *
	message
	< 250 *
	> MAIL FROM:<jörg@bücher.example>
	< 5*
expect heard mx.buecher.example 1 MAIL FROM:<> SMTPUTF8
expect heard mx.buecher.example 1 RCPT TO:<jörg@xn--bcher-kva.example>
expect delivered joe@here.example 1
expect heard backend 1 MAIL FROM:<jörg@bücher.example>*SMTPUTF8*
peer backend
	EHLO => 250-backend | 250 PIPELINING
pass 1m
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<jörg@bücher.example> SMTPUTF8
	< 250 *
	> RCPT TO:<jane@here.example>
	< 250 *
	> DATA
	< 354 *
	message
	< 250 *
expect delivered jane@here.example 0
expect queue 0
expect heard mx.buecher.example 1 MAIL FROM:<> *SIZE=*

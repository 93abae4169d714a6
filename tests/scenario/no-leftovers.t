# Transactions lend each other nothing: after a refused message the next begins from nothing.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

start
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<nobody@good.example>
	< 250 *
	> RCPT TO:<postmaster@here.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> DATA
	< 354 *
	message
	< 550 5.1.7 *
	> RCPT TO:<jane@here.example>
	< 503 5.5.1 Send MAIL first
	> DATA
	< 503 5.5.1 Send MAIL first
	> MAIL FROM:<anna@good.example>
	< 250 *
	> DATA
	< 503 5.5.1 No valid recipients
	> RCPT TO:<jane@here.example>
	< 250 *
	> DATA
	< 354 *
	message
	< 250 *
expect delivered jane@here.example 1
expect delivered joe@here.example 0
expect delivered postmaster@here.example 0

# A pipelining client gets each reply in order, and a refused recipient does not put it out of step.
file recipients
	joe
route here.example
	kind = smtp
	next_hop = "192.0.2.200:25"
	recipients = file
	recipients_file = "{dir}/recipients"
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

start
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	& 250-PIPELINING
	> MAIL FROM:<anna@good.example>
	> RCPT TO:<gone@here.example>
	> RCPT TO:<joe@here.example>
	> DATA
	< 250 2.1.0 *
	< 550 5.1.1 *
	< 250 2.1.5 *
	< 354 *
	message
	> MAIL FROM:<anna@good.example>
	> RCPT TO:<gone@here.example>
	> DATA
	> NOOP
	> QUIT
	< 250 2.0.0 Ok: queued as *
	< 250 2.1.0 *
	< 550 5.1.1 *
	< 503 5.5.1 No valid recipients
	< 250 *
	< 221 *
	< closed
expect delivered joe@here.example 1

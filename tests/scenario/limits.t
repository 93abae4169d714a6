# Limits, each with a reply of its own: sessions and connections of a client, recipients, size, line, errors, idleness.
set verify.mode off
set gate.sessions_per_ip 2
set gate.connects_per_minute 8
set gate.recipients 100
set gate.message_size 2000
set gate.errors 3
set gate.messages 3

start
client 198.51.100.7 as a
	< 220 *
client 198.51.100.7 as b
	< 220 *
client 198.51.100.7
	< 421 4.7.0 Too many connections from 198.51.100.7
	< closed
client 198.51.100.8 as other
	< 220 *
	> EHLO c.example
	< 250 HELP
	& 250-SIZE 2000
	& 250-LIMITS RCPTMAX=100 MAILMAX=3
	> MAIL FROM:<anna@good.example> SIZE=2001
	< 552 5.3.4 *
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> DATA
	< 354 *
	lines 40 this is one of forty lines of about seventy bytes each, which is over it
	> .
	< 552 5.3.4 *
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RSET
	< 250 *
	> MAIL FROM:<anna@good.example>
	< 421 *
	< closed
# Five minutes of silence.
client a
	~ 5m
	< 421 4.4.2 Timed out waiting for input, closing
	< closed
close a
close b
# Errors.
client 198.51.100.9
	< 220 *
	> FOO
	< 500 5.5.2 *
	> BAR
	< 500 5.5.2 *
	> MAIL FROM:<a@b.example>
	< 503 5.5.1 *
	> RCPT
	< 50*
	< 421 4.7.0 Too many errors, closing
	< closed
# Too fast: eight connections in a minute, and no ninth.
repeat 8 send anna@good.example joe@here.example from 203.0.113.50 => dot 250*
send anna@good.example joe@here.example from 203.0.113.50 => banner 451 4.7.1 Rate limit exceeded, try again in 00:00:0*
pass 1m
send anna@good.example joe@here.example from 203.0.113.50 => dot 250*

# A message over inline_max goes through a file of its own and arrives whole.
set verify.mode off
set spool.inline_max 4k
set gate.header_size 4096

send anna@good.example joe@here.example => dot 250*
	Subject: long

	.. a line that begins with two dots
	.
	0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
	end
expect delivered joe@here.example 1
expect message joe@here.example has .. a line that begins with two dots
expect message joe@here.example has .
expect message joe@here.example has end
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example> SIZE=20000
	< 250 *
	> RCPT TO:<big@here.example>
	< 250 *
	> DATA
	< 354 *
	> Subject: big
	>
	lines 300 this is one of three hundred lines of about seventy bytes each, so
	> the last line
	> .
	< 250 *
expect delivered big@here.example 1
expect message big@here.example has the last line
expect spool 0

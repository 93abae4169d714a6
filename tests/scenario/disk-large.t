# A disk that fills up under a large message: 452 at the dot, nothing of it is left, and the next small one is taken.
set verify.mode off
set spool.inline_max 64k
set gate.header_size 4096

send anna@good.example one@here.example => dot 250*
disk free 2M
pass 2s
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<big@here.example>
	< 250 *
	> DATA
	< 354 *
	> Subject: big
	>
	lines 60000 this is one of sixty thousand lines of about seventy bytes each, four megabytes
	> .
	< 452 4.3.1 Insufficient system storage
	> MAIL FROM:<anna@good.example> SIZE=4000000
	< 452 4.3.1 *
	> QUIT
	< 221 *
pass 2s
send anna@good.example small@here.example => dot 250*
disk ok
expect delivered small@here.example 1
expect delivered big@here.example 0
expect spool 0
restart
expect spool 0
expect no log *damaged*

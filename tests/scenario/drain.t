# Shutting down: who is idle hears 421 at the next command, who is in the middle of a message may finish it.
set verify.mode off

start
client 198.51.100.7 as busy
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example>
	< 250 *
client 198.51.100.8 as idle
	< 220 *
	> EHLO c.example
	< 250 HELP
stop
client idle
	> MAIL FROM:<anna@good.example>
	< 421 4.3.2 Service shutting down
	< closed
client busy
	> RCPT TO:<joe@here.example>
	< 250 *
	> DATA
	< 354 *
	~ 5s
	message
	< 250 2.0.0 Ok: queued as *
	> NOOP
	< 421 4.3.2 *
	< closed
start
pass 1m
expect delivered joe@here.example 1
# Who does not finish in time is cut, and its message leaves no trace.
client 198.51.100.7 as slow
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example>
	< 250 *
stop
client slow
	~ 31s
	< 421 4.3.2 Service shutting down
	< closed
start
expect spool 0

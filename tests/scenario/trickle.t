# Who sends a message byte by byte runs out of time, and so does who never ends a transaction.
set verify.mode off

start
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> DATA
	< 354 *
	> a
	~ 2m
	> b
	~ 2m
	> c
	~ 2m
	< 421 4.4.2 Message arrives too slowly, closing
	< closed
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example>
	< 250 *
	~ 4m
	> NOOP
	< 250 *
	~ 4m
	> NOOP
	< 250 *
	~ 4m
	> NOOP
	< 250 *
	~ 4m
	> NOOP
	< 250 *
	~ 4m
	> NOOP
	< 250 *
	~ 4m
	> NOOP
	< 250 *
	~ 4m
	> NOOP
	< 250 *
	~ 4m
	< 421 *
	< closed
expect clients 0
expect spool 0

# Only CR LF . CR LF ends a message: nothing that looks like it makes a second message, here or at the next hop.
set verify.mode off

client 198.51.100.7 as s
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> DATA
	< 354 *
	! Subject: one\r\n\r\nfirst\n.\nMAIL FROM:<evil@evil.example>\r\nRCPT TO:<boss@here.example>\r\nDATA\r\nSubject: two\r\n\r\nsecond\r\n.\r\n
	< 550 5.6.11 *
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> DATA
	< 354 *
	! Subject: one\r\n\r\nfirst\n.\r\nMAIL FROM:<evil@evil.example>\r\n.\r\n
	< 550 5.6.11 *
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> DATA
	< 354 *
	! Subject: one\r\n\r\nfirst\r\n.\rMAIL FROM:<evil@evil.example>\r\n.\r\n
	< 550 5.6.11 *
	> QUIT
	< 221 *
close s
expect delivered joe@here.example 0
expect delivered boss@here.example 0
expect spool 0
# By BDAT the bytes arrive as they are; what leaves us has no bare newline, and is one message.
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	bdat-last Subject: x\r\n\r\nfirst\r\n.\r\nMAIL FROM:<e@e.example>\r\nRSET\r\nDATA\r\n.\r\n
	< 250 *
expect delivered joe@here.example 1
expect heard backend 0 *e@e.example*
expect message joe@here.example has MAIL FROM:<e@e.example>

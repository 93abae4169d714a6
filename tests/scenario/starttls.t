# STARTTLS: what was sent in the clear behind it is not read, and nothing said before counts afterwards.
set verify.mode off

client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	& 250-STARTTLS
	> MAIL FROM:<evil@good.example>
	< 250 *
	! STARTTLS\r\nRCPT TO:<joe@here.example>\r\n
	< 220 2.0.0 Ready to start TLS
	tls
	> RCPT TO:<joe@here.example>
	< 503 5.5.1 *
	> MAIL FROM:<anna@good.example>
	< 503 5.5.1 Say EHLO first
	> EHLO c.example
	< 250 HELP
	> STARTTLS
	< 503 5.5.1 TLS is already in use
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> DATA
	< 354 *
	message
	< 250 *
	> QUIT
	< 221 *
expect delivered joe@here.example 1
expect message joe@here.example has *with ESMTPS*
expect metric postern_tls_sessions_total 1

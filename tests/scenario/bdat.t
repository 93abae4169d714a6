# CHUNKING (RFC 3030): chunks make one message, whatever their bytes look like; a failed chunk ends the transaction.
set verify.mode off

client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	& 250-CHUNKING
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	bdat Subject: chunks\r\nX
	< 250 2.0.0 18 octets received
	bdat : y\r\n\r\nbody\r\n.\r\nend\r\n
	! BDAT 0 LAST\r\n
	< 250 2.0.0 21 octets received
	< 250 2.0.0 Ok: queued as *
	> QUIT
	< 221 *
expect delivered joe@here.example 1
expect message joe@here.example has .
expect message joe@here.example has end
# Out of order: the bytes are read and refused, and the session is in step behind them.
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	bdat-last QUIT\r\n
	< 503 *
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	bdat abc\r\n
	< 250 *
	> DATA
	< 503 *
	> RSET
	< 250 *
	> QUIT
	< 221 *
expect delivered joe@here.example 1

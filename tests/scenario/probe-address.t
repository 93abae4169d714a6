# Our own probe sender: taken as a recipient, so that others can verify it, and never asked about as a sender.
dns mx.here.example A 203.0.113.1
start
send postern-probe@mx.here.example joe@here.example => dot 250*
expect metric postern_verify_sessions_total 0
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<>
	< 250 *
	> RCPT TO:<postern-probe@mx.here.example>
	< 250 *
	> RCPT TO:<postmaster@mx.here.example>
	< 250 *
	> RCPT TO:<joe@mx.here.example>
	< 554 5.7.1 *
	> DATA
	< 354 *
	message
	< 250 *
	> QUIT
	< 221 *
# Such mail is the postmaster's, whom our refusals tell people to write to.
expect delivered postmaster@here.example 1

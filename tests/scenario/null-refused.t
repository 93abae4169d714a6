# A server that refuses the null sender is asked once more with the probe sender, and that is remembered for the domain.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	MAIL FROM:<> => 550 5.7.1 we do not take bounces
	mailboxes anna bert postmaster

send anna@good.example joe@here.example => dot 250*
expect dialogue mx.good.example
	EHLO mx.here.example
	MAIL FROM:<>
	RCPT TO:<anna@good.example>
	RSET
	MAIL FROM:<postern-probe@mx.here.example>
	RCPT TO:<anna@good.example>
	RSET
	MAIL FROM:<postern-probe@mx.here.example>
	RCPT TO:<*@good.example>
	QUIT
send bert@good.example joe@here.example => dot 250*
expect heard mx.good.example 1 MAIL FROM:<>
# After three hours they may have changed their mind.
pass 4h
send nobody@good.example joe@here.example => dot 550 5.1.7 *
expect heard mx.good.example 2 MAIL FROM:<>

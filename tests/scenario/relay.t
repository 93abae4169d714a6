# We relay for configured domains and networks only, and no spelling of an address opens the door.
set verify.mode off
dns far.example MX 10 mx.far.example
dns nullmx.example MX 0 .
peer mx.far.example 192.0.2.70

send anna@good.example joe@far.example => rcpt 554 5.7.1 <joe@far.example>: Relay access denied
send anna@good.example joe%far.example@elsewhere.example => rcpt 554 5.7.1 *
send joe@here.example joe@far.example => rcpt 554 5.7.1 *
send <> joe@far.example => rcpt 554 5.7.1 *
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<@here.example:joe@far.example>
	< 554 5.7.1 *
	> RCPT TO:<joe@far.example@here.example>
	< 501 *
	> RCPT TO:<joe@[192.0.2.70]>
	< 554 5.7.1 *
	> VRFY joe
	< 252 *
	> EXPN staff
	< 502 *
	> QUIT
	< 221 *
expect sessions mx.far.example 0
# From a network of ours it goes by MX; what certainly takes no mail is refused at once and not by a bounce.
send anna@here.example joe@far.example from 10.0.0.9 => dot 250*
expect delivered joe@far.example 1
send anna@here.example joe@missing.example from 10.0.0.9 => rcpt 550 5.1.2 *
send anna@here.example joe@nullmx.example from 10.0.0.9 => rcpt 550 5.1.2 *

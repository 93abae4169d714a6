# A 5xx that may mean us as well as the address is settled by asking for postmaster in the same session.
set verify.per_client_minute 100
dns
	vague.example MX 10 mx.vague.example
	hates.example MX 10 mx.hates.example
	early.example MX 10 mx.early.example
peer mx.vague.example 192.0.2.10
	RCPT TO:<postmaster@* => 250 2.1.5 ok
	RCPT TO:<anna@* => 250 2.1.5 ok
	RCPT => 550 Administrative prohibition
peer mx.hates.example 192.0.2.11
	RCPT => 550 Administrative prohibition
peer mx.early.example 192.0.2.12
	banner => 554 5.7.1 no thanks

send nobody@vague.example a@here.example => dot 550 5.1.7 *
expect heard mx.vague.example 1 RCPT TO:<postmaster@vague.example>
send anna@vague.example a@here.example => dot 250*
# Both refused: it is us, so that nothing was learned about the address.
send anna@hates.example b@here.example => dot 250*
expect message b@here.example has X-Postern-Sender: blocked*
# Refused before any address was named: never a 550 for our client.
send anna@early.example c@here.example => dot 250*
expect message c@here.example has X-Postern-Sender: blocked*

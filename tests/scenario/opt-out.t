# One word of "do not probe us" is enough, and is remembered over a restart.
set verify.per_client_minute 100
dns
	polite.example MX 10 mx.polite.example
	other.example  MX 10 mx2.polite.example
peer mx.polite.example 192.0.2.11
	RCPT => 550 5.7.1 callouts are not accepted here, stop probing
peer mx2.polite.example 192.0.2.12

send anna@polite.example a@here.example => dot 250*
expect message a@here.example has X-Postern-Sender: unverifiable*
restart
send bert@polite.example a@here.example => dot 250*
send carl@other.example a@here.example => dot 250*
expect sessions mx.polite.example 1
expect sessions mx2.polite.example 0

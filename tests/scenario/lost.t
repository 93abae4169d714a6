# A connection that breaks after the address was answered keeps the answer; before that it is temporary.
set verify.per_client_minute 100
dns
	after.example  MX 10 mx.after.example
	before.example MX 10 mx.before.example
peer mx.after.example 192.0.2.10
	RCPT TO:<anna@after.example> => drop 250 2.1.5 ok
	RCPT TO:<gone@after.example> => drop 550 5.1.1 no such user
peer mx.before.example 192.0.2.11
	RCPT => drop

send anna@after.example a@here.example => dot 250*
expect message a@here.example has *x-sender-verify=pass (exists)
send gone@after.example a@here.example => dot 550 5.1.7 *
send anna@before.example a@here.example => dot 451 4.1.7 *no answer*

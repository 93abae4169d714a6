# A client that hangs up while its message is held: nothing is stored, the work goes on, the retry finds the answer.
dns slow.example MX 10 mx.slow.example
peer mx.slow.example 192.0.2.10
	RCPT TO:<anna@slow.example> => after 10s 250 2.1.5 ok
	mailboxes postmaster

start
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@slow.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> DATA
	< 354 *
	message
	~ 2s
pass 30s
expect clients 0
send anna@slow.example jane@here.example => dot 250*
expect took 0
expect sessions mx.slow.example 1
# It could not hear a 250, and will send again: stored, the message would be here twice.
expect delivered joe@here.example 0
ask why 198.51.100.7
	< *client left*
	< *Nothing was stored*

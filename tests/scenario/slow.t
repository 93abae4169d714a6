# A slow server: the message is held for 25 s, then 451; the work goes on, and the retry is answered from the cache at once.
dns slow.example MX 10 mx.slow.example
peer mx.slow.example 192.0.2.10
	RCPT TO:<anna@slow.example> => after 35s 250 2.1.5 ok
	mailboxes postmaster

send anna@slow.example joe@here.example => dot 451 4.1.7 *no answer; try again in 00:01:00 (*)
expect took 24.9..25.1
pass 1m
send anna@slow.example joe@here.example => dot 250*
expect took 0
expect sessions mx.slow.example 1

# A sender's server that greylists: 451, our own question again after five and a half minutes, the final answer at the retry.
dns grey.example MX 10 mx.grey.example
peer mx.grey.example 192.0.2.10
	mailboxes anna postmaster
	RCPT TO:<anna@grey.example> => greylist 5m 451 4.7.1 Greylisted, please come back later

send anna@grey.example joe@here.example => dot 451 4.1.7 <anna@grey.example>: Could not complete sender verify callout: deferred; try again in 00:0* (*)
expect spool 0
expect heard mx.grey.example 1 RCPT TO:<anna@grey.example>
# Within the five minutes nobody is asked, whoever comes.
pass 2m
send anna@grey.example joe@here.example => dot 451 4.1.7 *
expect heard mx.grey.example 1 RCPT TO:<anna@grey.example>
pass 3m
expect heard mx.grey.example 1 RCPT TO:<anna@grey.example>
pass 1m
expect heard mx.grey.example 2 RCPT TO:<anna@grey.example>
send anna@grey.example joe@here.example => dot 250*
expect delivered joe@here.example 1
expect heard mx.grey.example 2 RCPT TO:<anna@grey.example>
expect metric postern_sender_refused_then_accepted_total 1

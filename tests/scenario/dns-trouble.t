# A sender's domain whose DNS fails is never called absent: 451 4.4.3 at MAIL, and when patience ends 250 with a tag.
dns
	servfail.example  *   SERVFAIL
	silent.example    *   TIMEOUT
	forged.example    MX  BOGUS
	halfway.example   MX  10 mx.halfway.example
	mx.halfway.example * SERVFAIL

send anna@servfail.example joe@here.example => mail 451 4.4.3 <anna@servfail.example>: Domain of sender address does not resolve (DNS timed out); try again in * (*)
send anna@silent.example joe@here.example => mail 451 4.4.3 *
send anna@forged.example joe@here.example => mail 451 4.4.3 *
send anna@halfway.example joe@here.example => mail 451 4.4.3 *
pass 2h
send anna@servfail.example joe@here.example => mail 451 4.4.3 *
pass 125m
send anna@servfail.example joe@here.example => dot 250*
expect message joe@here.example has X-Postern-Sender: temporary*

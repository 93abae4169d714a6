# What DNS alone says with certainty is said at MAIL, and nobody is dialled.
dns
	nullmx.example  MX 0 .
	loop.example    MX 10 mx.loop.example
	mx.loop.example A 127.0.0.1
	private.example MX 10 mx.private.example
	mx.private.example A 192.168.1.1
	nothing.example TXT v=spf1
	implicit.example A 192.0.2.30
peer implicit 192.0.2.30

send anna@missing.example joe@here.example => mail 550 5.1.8 <anna@missing.example>: Domain of sender address not found (*)
send anna@nothing.example joe@here.example => mail 550 5.1.8 *
send anna@nullmx.example joe@here.example => mail 550 5.7.27 <anna@nullmx.example>: Sender domain accepts no mail (null MX) (*)
send anna@loop.example joe@here.example => mail 550 5.1.8 *
send anna@private.example joe@here.example => mail 550 5.1.8 *
expect metric postern_verify_sessions_total 0
# Without MX the address of the domain itself counts.
send anna@implicit.example joe@here.example => dot 250*
expect sessions implicit 1

# The operator's exceptions: never ask, accept, refuse, each until its time is over.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster
file exceptions
	sender exempt@good.example never-ask why "ticket of the bank"
	sender bad@good.example refuse
	client 198.51.100.66 accept
	recipient trap@here.example refuse
	sender brief@good.example accept until 2026-01-01T02:00:00Z

send exempt@good.example joe@here.example => dot 250*
send bad@good.example joe@here.example => mail 550 5.7.1 <bad@good.example>: Refused by a rule of this server; ask postmaster@mx.here.example (*)
send nobody@good.example joe@here.example from 198.51.100.66 => dot 250*
send anna@good.example trap@here.example => rcpt 550 5.7.1 *
send brief@good.example joe@here.example => dot 250*
expect sessions mx.good.example 0
pass 3h
send brief@good.example joe@here.example => dot 550 5.1.7 *
# Read again when it changes; without a file there are none.
file exceptions gone
pass 5s
send exempt@good.example joe@here.example => dot 550 5.1.7 *

# The row of failures ends with the first answer: a later trouble begins a new one.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna bert postmaster
peer mx.good.example down

send anna@good.example joe@here.example => dot 451 4.1.7 *
pass 3h
peer mx.good.example up
send anna@good.example joe@here.example => dot 250*
# Seven days and more later what was learned is gone, and so is the server.
pass 10d
peer mx.good.example down
send anna@good.example joe@here.example => dot 451 4.1.7 *
pass 2h
send anna@good.example joe@here.example => dot 451 4.1.7 *

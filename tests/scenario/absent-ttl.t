# Absent is remembered for two hours at most, however often it is asked meanwhile: a new mailbox works soon.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

send new@good.example joe@here.example => dot 550 5.1.7 *
pass 50m
send new@good.example joe@here.example => rcpt 550 5.1.7 *
expect sessions mx.good.example 1
peer mx.good.example
	mailboxes anna new postmaster
pass 50m
send new@good.example joe@here.example from 203.0.113.5 => * 550 5.1.7 *
pass 21m
send new@good.example joe@here.example => dot 250*
expect sessions mx.good.example 2

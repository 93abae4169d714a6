# A forged sender is refused at the final dot, the disk is not touched, and the same client hears it earlier next time.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

start
pass 5s
mark disk
send nobody@good.example joe@here.example => dot 550 5.1.7 <nobody@good.example>: Sender verify failed: no such mailbox at its own mail server; use a working return address, or write to postmaster@mx.here.example (*)
expect disk untouched
expect spool 0
expect queue 0
expect delivered joe@here.example 0
# The verdict is the cache's, and costs no second transfer.
send nobody@good.example joe@here.example => rcpt 550 5.1.7 *
expect sessions mx.good.example 1
# Another client network hears it at the dot: no oracle for harvesters.
send nobody@good.example joe@here.example from 203.0.113.77 => dot 550 5.1.7 *
expect sessions mx.good.example 1
expect disk untouched
expect metric postern_sender_refused_total 3
ask failures
	< *nobody@good.example*

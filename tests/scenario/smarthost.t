# Everything that is not ours goes through a smarthost; that makes nobody from outside a relay client.
set verify.mode off
route *
	kind = smtp
	next_hop = "192.0.2.90:587"
	recipients = any
peer smarthost 192.0.2.90:587

send anna@here.example joe@far.example from 10.0.0.1 => dot 250*
expect delivered joe@far.example 1
expect sessions smarthost 1
send anna@here.example joe@far.example => rcpt 554 5.7.1 *

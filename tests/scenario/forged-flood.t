# A flood of forged senders of one domain: the domain is asked as often as its budget says, honest mail is not delayed.
set gate.connects_per_minute 0
set verify.per_client_minute 1000
dns
	victim.example MX 10 mx.victim.example
	good.example   MX 10 mx.good.example
peer mx.victim.example 192.0.2.10
	mailboxes postmaster
peer mx.good.example 192.0.2.11
	mailboxes anna postmaster

repeat 200 send forged{n}@victim.example joe@here.example => dot *
expect heard mx.victim.example <=45 RCPT *
expect sessions mx.victim.example <=21
send anna@good.example jane@here.example => dot 250*
expect took 0
expect delivered jane@here.example 1
expect message jane@here.example lacks X-Postern-Sender:*

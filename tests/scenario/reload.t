# A reload takes effect for the sessions that begin after it; a broken configuration changes nothing.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

send nobody@good.example joe@here.example => dot 550*
set verify.mode observe
set gate.message_size 1024
route new.example
	kind = smtp
	next_hop = "192.0.2.200:25"
	recipients = any
reload
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	& 250-SIZE 1024
	> QUIT
	< 221 *
send anna@good.example joe@new.example => dot 250*
expect delivered joe@new.example 1
file postern.conf
	verify { mode = maybe }
ask reload => 2
	< *mode*
send nobody@good.example joe@new.example => dot 250*
expect delivered joe@new.example 2

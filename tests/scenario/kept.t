# Where no notification may be sent nothing is dropped: the message is kept, listed, survives a restart, and goes when an operator says so.
set verify.mode off
dns
	nullmx.example MX 0 .
peer backend 192.0.2.200
	mailboxes joe

send <> gone@here.example => dot 250*
keep bounce
send anna@nullmx.example gone@here.example => dot 250*
keep nowhere
expect queue 2
expect kept 2
expect delivered anna@nullmx.example 0
ask queue list
	< {bounce} *kept*
	< {nowhere} *kept*
	< *550 5.1.1*
ask failures
	< 2 messages could not be delivered and are kept*
restart
ask queue list
	< {bounce} *kept*
	< {nowhere} *kept*
# Nobody is asked again for what has failed.
pass 1d
expect heard backend 2 RCPT *
ask queue remove {bounce}
expect queue 1
expect spool 1
restart
expect queue 1
# And after its time it goes.
pass 31d
expect queue 0
expect spool 0

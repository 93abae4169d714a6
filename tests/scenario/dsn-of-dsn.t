# A notification that cannot be delivered makes no other: it is kept.
set verify.mode off
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes postmaster
peer backend 192.0.2.200
	mailboxes joe

send nobody@good.example gone@here.example => dot 250*
expect delivered nobody@good.example 0
expect kept 1
ask queue list
	< *<>*
	< *kept*

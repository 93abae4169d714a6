# A 4xx is retried for five days with growing waits; then the sender gets one notification, after one notice of the delay.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster
peer backend 192.0.2.200
	RCPT => 451 4.3.0 come back later

send anna@good.example joe@here.example => dot 250*
expect queue 1
expect heard backend 1 RCPT *
pass 30m
expect heard backend 2..4 RCPT *
expect delivered anna@good.example 0
pass 8h
expect delivered anna@good.example 1
expect message anna@good.example has Action: delayed
expect message anna@good.example has Final-Recipient: rfc822;*joe@here.example
pass 3d
expect queue 1
expect delivered anna@good.example 1
pass 45h
expect heard backend 20..50 RCPT *
expect queue 0
expect spool 0
expect delivered anna@good.example 2
expect message anna@good.example has Action: failed
expect message anna@good.example has Status: 4.4.7
expect message anna@good.example has *451 4.3.0 come back later*
expect heard mx.good.example 2 MAIL FROM:<>*SIZE=*
pass 5d
expect delivered anna@good.example 2

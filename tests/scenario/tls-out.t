# Towards next hops and senders' servers: TLS where it is offered, in clear where it fails, not at all where it is required and missing.
set queue.tls yes
set verify.tls yes
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	EHLO => 250-mx.good.example | 250-STARTTLS | 250 PIPELINING
	STARTTLS => tls
	mailboxes anna postmaster
peer backend 192.0.2.200
	EHLO => 250-backend | 250-STARTTLS | 250 PIPELINING
	STARTTLS => 1x drop 220 go ahead
	STARTTLS => tls
route secret.example
	kind = smtp
	next_hop = "192.0.2.201:25"
	recipients = any
	require_tls = yes
peer plain 192.0.2.201
peer plain 192.0.2.201

send anna@good.example joe@here.example => dot 250*
expect delivered joe@here.example 1
expect heard mx.good.example 1 STARTTLS
expect heard mx.good.example 2 EHLO *
expect sessions mx.good.example 1
expect sessions backend 2
send anna@good.example joe@secret.example => dot 250*
expect delivered joe@secret.example 0
expect queue 1
expect heard plain 0 MAIL*
peer plain 192.0.2.201
	EHLO => 250-plain | 250-STARTTLS | 250 PIPELINING
	STARTTLS => tls
pass 3h
expect delivered joe@secret.example 1

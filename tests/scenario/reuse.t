# Many messages for one next hop share sessions, and one message for many recipients shares a transaction.
set verify.mode off
set gate.sessions_per_ip 0
set queue.per_site 4
route here.example
	kind = smtp
	next_hop = "192.0.2.200:25"
	recipients = any
	concurrency = 4

at-once 100 send anna@good.example user{n}@here.example => dot 250*
expect delivered user1@here.example 1
expect queue 0
expect sessions backend <=8
send anna@good.example a@here.example,b@here.example,c@here.example,d@here.example => dot 250*
expect delivered d@here.example 1
expect heard backend 101 MAIL *

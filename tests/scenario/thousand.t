# A thousand messages from one new sender make one question.
set gate.sessions_per_ip 0
set gate.connects_per_minute 0
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	RCPT TO:<anna@good.example> => after 10s 250 2.1.5 ok
	mailboxes postmaster

at-once 1000 send anna@good.example joe@here.example => dot 250*
expect sessions mx.good.example 1
expect heard mx.good.example 1 RCPT TO:<anna@good.example>
expect delivered joe@here.example 1000
expect queue 0

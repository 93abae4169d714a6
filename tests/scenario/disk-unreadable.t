# A disk that cannot be read just now defers what is on it; a report that cannot be stored is made later, and nothing fails in silence.
set verify.mode off
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna
peer backend 192.0.2.200
	mailboxes joe
peer backend down

send anna@good.example joe@here.example => dot 250*
disk unreadable
peer backend up
pass 20m
expect queue 1
expect delivered joe@here.example 0
disk ok
pass 1h
expect delivered joe@here.example 1
peer backend down
send anna@good.example gone@here.example => dot 250*
disk broken
peer backend up
pass 20m
expect delivered anna@good.example 0
expect queue >=1
expect kept 0
disk ok
pass 1h
expect delivered anna@good.example 1
expect message anna@good.example has Status: 5.1.1
expect queue 0

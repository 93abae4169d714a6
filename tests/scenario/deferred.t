# What was deferred goes out when the next hop is well again, and nobody is told of it.
set verify.mode off
peer backend 192.0.2.200
	RCPT TO:<joe@here.example>* => 3x 450 4.2.0 mailbox busy
	dot => 1x 451 4.3.0 out of disk

send anna@good.example jane@here.example => dot 250*
expect queue 1
pass 20m
expect delivered jane@here.example 1
send anna@good.example joe@here.example,john@here.example => dot 250*
# The one recipient is not held up by the other.
expect delivered john@here.example 1
expect delivered joe@here.example 0
expect queue 1
pass 3h
expect delivered joe@here.example 1
expect delivered john@here.example 1
expect queue 0
expect metric postern_notices_total 0

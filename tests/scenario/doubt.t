# A connection lost after the final dot and before its answer is a doubt: the message is sent again, for a duplicate is better than a loss.
set verify.mode off
peer backend 192.0.2.200
	dot => 1x drop

send anna@good.example joe@here.example => dot 250*
expect queue 1
pass 1h
expect delivered joe@here.example 1
expect queue 0
expect heard backend 2 DATA

# Killed between the next hop's 250 and our record of it: the one window of a duplicate, and none of a loss.
set verify.mode off
peer backend 192.0.2.200
	dot => 1x after 20s 250 2.0.0 taken

send anna@good.example joe@here.example => dot 250*
pass 5s
crash
pass 1h
expect delivered joe@here.example 1..2
expect queue 0
expect spool 0

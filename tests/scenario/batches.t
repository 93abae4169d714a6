# A next hop that takes only some recipients at a time gets the others at once in another transaction; one that closes in the middle is gone on with.
set verify.mode off
peer backend 192.0.2.200
	RCPT => 3x 250 2.1.5 ok
	RCPT => 2x 452 4.5.3 too many recipients
	mailboxes a b c d e f

send anna@good.example a@here.example,b@here.example,c@here.example,d@here.example,e@here.example => dot 250*
expect delivered c@here.example 1
expect delivered d@here.example 1
expect delivered e@here.example 1
expect heard backend 1 RCPT TO:<a@here.example>
expect queue 0
pass 1m
peer backend
	RCPT TO:<f@here.example> => 1x 421 4.3.2 closing now
	mailboxes a f
send anna@good.example f@here.example => dot 250*
pass 40m
expect delivered f@here.example 1
expect queue 0

# Recipients by asking our own next hop: absent is 550, doubt is 451, and what is known is not asked again.
set verify.mode off
route ahead.example
	kind = smtp
	next_hop = "192.0.2.50:25"
	recipients = call-ahead
peer inside 192.0.2.50
	RCPT TO:<late@ahead.example> => 2x 451 4.3.0 directory down
	RCPT TO:<full@ahead.example> => 452 4.2.2 mailbox full
	mailboxes joe late postmaster

send <> joe@ahead.example => dot 250*
expect delivered joe@ahead.example 1
send <> nobody@ahead.example => rcpt 550 5.1.1 <nobody@ahead.example>: No such user here
expect heard inside 1 RCPT TO:<nobody@ahead.example>
send <> nobody@ahead.example => rcpt 550 5.1.1 *
expect heard inside 1 RCPT TO:<nobody@ahead.example>
send <> late@ahead.example => rcpt 451 4.1.1 <late@ahead.example>: Could not verify recipient at this time (*)
pass 30s
send <> late@ahead.example => rcpt 451 4.1.1 *
pass 30s
send <> late@ahead.example => dot 250*
# A mailbox that is full today exists.
send <> full@ahead.example => dot 250*
# postmaster is taken even while nobody can be asked.
peer inside down
send <> new@ahead.example => rcpt 451 4.1.1 *
send <> postmaster@ahead.example => dot 250*

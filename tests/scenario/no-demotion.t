# An address that took mail from us exists; a call-out that fails afterwards does not make it doubtful.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	RCPT TO:<anna@good.example> => 1x after 30s 451 4.3.0 mailbox server down
	mailboxes anna postmaster

# The question is under way; the client is told to come back, and leaves.
send anna@good.example joe@here.example => dot 451 4.1.7 *
expect took 24..26
# Meanwhile a client of ours writes to anna, and her server takes it.
send bob@here.example anna@good.example from 10.0.0.5 => dot 250*
expect delivered anna@good.example 1
pass 1m
# The question has failed, and anna exists all the same.
send anna@good.example joe@here.example => dot 250*
expect message joe@here.example has *x-sender-verify=pass (exists)

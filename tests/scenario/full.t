# A full mailbox, or one that receives too fast, exists.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	RCPT TO:<full@* => 452 4.2.2 Mailbox full
	RCPT TO:<over@* => 552 5.2.2 Over quota
	RCPT TO:<fast@* => 450 4.2.1 The user is receiving mail at a rate that prevents additional messages
	mailboxes postmaster

send full@good.example a@here.example => dot 250*
expect message a@here.example has *x-sender-verify=pass (exists)
send over@good.example b@here.example => dot 250*
expect message b@here.example has *x-sender-verify=pass (exists)
send fast@good.example c@here.example => dot 250*
expect message c@here.example has *x-sender-verify=pass (exists)

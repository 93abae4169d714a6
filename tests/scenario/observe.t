# Observing refuses nobody and changes no message, but records what would have been said.
set verify.mode observe
dns
	good.example MX 10 mx.good.example
	broken.example * SERVFAIL
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

send nobody@good.example joe@here.example => dot 250*
expect delivered joe@here.example 1
expect message joe@here.example lacks X-Postern-Sender:*
expect message joe@here.example lacks Authentication-Results:*
expect metric postern_sender_would_refuse_total 1
ask why {id}
	< *absent*
	< *would refuse*550 5.1.7*
send a@broken.example joe@here.example => dot 250*
send a@missing.example joe@here.example => dot 250*
expect metric postern_sender_would_refuse_total 3
expect metric postern_transactions_total{reject} 0

# The careful profile, row by row: only what is proven absent is refused.
set verify.per_client_minute 100
dns
	exists.example   MX 10 mx.exists.example
	null.example     MX 10 mx.null.example
	all.example      MX 10 mx.all.example
	blocked.example  MX 10 mx.blocked.example
	both.example     MX 10 mx.both.example
	vrfy.example     MX 10 mx.vrfy.example
	never.example    MX 10 mx.never.example
	down.example     MX 10 mx.down.example
set verify.never_ask {"mx.never.example"}
peer mx.exists.example 192.0.2.10
	mailboxes anna postmaster
peer mx.null.example 192.0.2.11
	MAIL FROM:<> => 550 5.7.1 null sender refused here
	mailboxes anna postmaster
peer mx.all.example 192.0.2.12
peer mx.blocked.example 192.0.2.13
	RCPT => 554 5.7.1 your IP address is listed at our blacklist
peer mx.both.example 192.0.2.14
	MAIL => 550 5.7.1 sender refused
peer mx.vrfy.example 192.0.2.15
	RCPT => 252 2.1.5 cannot say
peer mx.never.example 192.0.2.16
peer mx.down.example 192.0.2.17
peer mx.down.example down

send anna@exists.example a@here.example => dot 250*
expect message a@here.example lacks X-Postern-Sender:*
send nobody@exists.example b@here.example => dot 550 5.1.7 *
send anna@null.example c@here.example => dot 250*
expect message c@here.example lacks X-Postern-Sender:*
send any@all.example d@here.example => dot 250*
expect message d@here.example lacks X-Postern-Sender:*
expect message d@here.example has *x-sender-verify=neutral (catch_all)
send anna@blocked.example e@here.example => dot 250*
expect message e@here.example has X-Postern-Sender: blocked, refused us; ref=*
send anna@both.example f@here.example => dot 250*
expect message f@here.example has X-Postern-Sender: blocked*
send anna@vrfy.example g@here.example => dot 250*
expect message g@here.example has X-Postern-Sender: unverifiable*
# Its own mail server is a client that the domain vouches for.
send anna@vrfy.example h@here.example from 192.0.2.15 => dot 250*
expect message h@here.example lacks X-Postern-Sender:*
send anna@never.example i@here.example => dot 250*
expect message i@here.example has X-Postern-Sender: unverifiable*
expect sessions mx.never.example 0
send anna@down.example j@here.example => dot 451 4.1.7 *no answer*

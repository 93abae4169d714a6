# Lists send each mail from an address of its own; after a few that exist the pattern is trusted and nobody is asked.
set verify.per_client_minute 100
dns list.example MX 10 mx.list.example
peer mx.list.example 192.0.2.10
	RCPT TO:<news-bounces+* => 250 2.1.5 ok
	mailboxes postmaster

repeat 12 send news-bounces+u{n}=here.example@list.example joe@here.example => dot 250*
expect delivered joe@here.example 12
expect metric postern_verify_sessions_total 1..5
expect heard mx.list.example 0 RCPT TO:<news-bounces+u12=*

# Every kind of expectation can fail.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

not send nobody@good.example joe@here.example => dot 250*
not send anna@good.example joe@here.example => dot 550*
not send anna@good.example joe@here.example => rcpt 250*
mark disk
expect disk untouched
send anna@good.example joe@here.example => dot 250*
not expect disk untouched
not expect delivered joe@here.example 0
not expect delivered joe@here.example 2
not expect delivered joe@here.example >=2
not expect spool 1
not expect queue 1..5
not expect sessions mx.good.example 2
not expect heard mx.good.example 0 RCPT TO:<anna@good.example>
not expect dialogue mx.good.example
	EHLO mx.here.example
	MAIL FROM:<>
	QUIT
not expect dialogue mx.good.example
	EHLO mx.here.example
not expect message joe@here.example has X-Postern-Sender:*
not expect message joe@here.example lacks Received:*
not expect message jane@here.example lacks Received:*
not expect metric postern_verify_sessions_total 0
not expect metric postern_nothing_total 1
not expect log *nothing like this*
not expect no log *verdict=accept*
not expect took 25..26
not expect clients 1
not ask queue list => 1
not ask queue list
	< *anna*
not ask queue list
	!< The queue is empty.
not expect nonsense 1
not nonsense
not client 198.51.100.7
	< 220 *
	> NOOP
	< 550 *
not client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	& 250-AUTH*
not client 198.51.100.7
	< closed
not peer nobody
not at-once 3 send nobody@good.example joe@here.example => dot 250*

# A fail of SPF refuses in enforce mode only; with spf = evidence it is noted, with spf = off nobody looks.
set verify.mode observe
dns freemail.example MX 10 mx.freemail.example
dns freemail.example TXT v=spf1 ip4:192.0.2.10 -all
peer mx.freemail.example 192.0.2.10
	mailboxes anna joe postmaster

send anna@freemail.example joe@here.example => dot 250*
ask why {id}
	< *spf*fail*-all: noted only*
ask mode enforce
send anna@freemail.example joe@here.example => dot 550 5.7.23*
set gate.spf evidence
reload
ask mode enforce
send anna@freemail.example joe@here.example => dot 250*
ask why {id}
	< *spf*fail*-all: noted only*
set gate.spf off
reload
ask mode enforce
send joe@freemail.example joe@here.example => dot 250*
ask why {id}
	!< *spf*

# What the sender domain's SPF record forbids is refused at the dot, nothing is written, and its mail server hears nothing; what is no fail is asked about as ever.
dns freemail.example MX 10 mx.freemail.example
dns freemail.example TXT v=spf1 ip4:192.0.2.10 -all
dns soft.example MX 10 mx.freemail.example
dns soft.example TXT v=spf1 ip4:192.0.2.10 ~all
dns broken.example MX 10 mx.freemail.example
dns broken.example TXT v=spf1 moo -all
dns sick.example MX 10 mx.freemail.example
dns sick.example TXT SERVFAIL
peer mx.freemail.example 192.0.2.10
	mailboxes anna postmaster

mark disk
send anna@freemail.example joe@here.example => dot 550 5.7.23 <anna@freemail.example>: SPF validation failed*
expect disk untouched
expect sessions mx.freemail.example 0
ask why anna@freemail.example
	< *spf*fail*-all: refused, and nobody was asked*
	< *550 5.7.23*
send anna@freemail.example joe@here.example from 192.0.2.10 => dot 250*
ask why {id}
	< *spf*pass*vouches*
	< *verify*exists*
send anna@soft.example joe@here.example => dot 250*
send anna@broken.example joe@here.example => dot 250*
send anna@sick.example joe@here.example => dot 250*
send nobody@soft.example joe@here.example => dot 550 5.1.7*
send <> joe@here.example => dot 250*

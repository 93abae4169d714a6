# Observing refuses nobody and changes no message, but records what would have been said, deferred, tagged; a sender that
# fails its domain's SPF record is not asked about, as in enforce.
set verify.mode observe
set gate.connects_per_minute 0
dns
	good.example MX 10 mx.good.example
	broken.example * SERVFAIL
	yahoo.example MX 10 mx1.mail.yahoodns.net
	mx1.mail.yahoodns.net A 192.0.2.99
	closed.example MX 10 mx.closed.example
	closed.example TXT v=spf1 ip4:192.0.2.11 -all
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster
peer mx.closed.example 192.0.2.11
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
ask why {id}
	< *would defer*451 4.4.3*
send a@missing.example joe@here.example => dot 250*
expect metric postern_sender_would_refuse_total 3
send a@yahoo.example joe@here.example => dot 250*
expect metric postern_sender_would_refuse_total 3
ask why {id}
	< *would tag*unverifiable*
	!< *would refuse*
send anna@closed.example joe@here.example => dot 250*
expect metric postern_sender_would_refuse_total 4
expect sessions mx.closed.example 0
ask why {id}
	< *would refuse*550 5.7.23*
expect metric postern_transactions_total{reject} 0

# The report tells all of it, the sender domain first that would have lost most.
ask report observe --since=1d
	< *would have been refused: 3*
	< *deferred: 1*
	< *tagged: 1*
	< *good.example*
	< *missing.example*
	< *closed.example*
	< *RCPT TO:<nobody@good.example>*
	< *550 5.1.1*
# One of them proves honest: one of our users writes to it, and its server takes the mail.
peer mx.good.example
	mailboxes anna nobody postmaster
send jane@here.example nobody@good.example from 10.1.2.3 => dot 250*
pass 1m
ask report observe --since=1d
	< *nobody@good.example*replied to*
	< *postern exempt add domain good.example never-ask --for 30d --why *
# In tag mode it is tagged.
ask mode tag
send anna@closed.example joe@here.example => dot 250*
expect message joe@here.example has X-Postern-Sender: skipped, forged*

# In tag mode what enforce would refuse or defer is taken and marked.
set verify.mode tag
dns
	good.example MX 10 mx.good.example
	down.example MX 10 mx.down.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster
peer mx.down.example 192.0.2.11
peer mx.down.example down

send nobody@good.example a@here.example => dot 250*
expect message a@here.example has X-Postern-Sender: absent; ref=*
expect message a@here.example has *x-sender-verify=fail (absent)
send anna@down.example b@here.example => dot 250*
expect message b@here.example has X-Postern-Sender: temporary, no answer; ref=*
send anna@good.example c@here.example => dot 250*
expect message c@here.example lacks X-Postern-Sender:*

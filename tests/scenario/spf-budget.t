# SPF opens the larger budget: a flood from strangers uses up what a domain may be asked, and the hosts that its record names have ten times that beside it.
set verify.per_domain_hour 3
set verify.per_domain_burst 3
set verify.per_client_minute 100
dns good.example MX 10 mx.good.example
dns good.example TXT v=spf1 ip4:192.0.2.77 ?all
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

repeat 3 send forged{n}@good.example joe@here.example => dot 550 5.1.7 *
send forged4@good.example joe@here.example => dot 250*
expect message joe@here.example has X-Postern-Sender: skipped, budget; ref=*
send anna@good.example jane@here.example from 192.0.2.77 => dot 250*
expect message jane@here.example lacks X-Postern-Sender:*
expect metric postern_verify_skipped_total{budget} 1

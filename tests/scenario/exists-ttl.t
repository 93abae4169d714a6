# What exists is not asked about again for about a week, over any number of mails.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

repeat 30 send anna@good.example joe@here.example => dot 250*
pass 5d
repeat 30 send anna@GOOD.example joe@here.example from 203.0.113.9 => dot 250*
expect sessions mx.good.example 1
expect metric postern_verify_cached_total >=59
pass 5d
send anna@good.example joe@here.example => dot 250*
expect sessions mx.good.example 2

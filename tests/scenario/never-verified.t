# The null sender, mail to postmaster and abuse, local networks and our own domains: no stranger is asked.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes postmaster

send <> joe@here.example => dot 250*
expect delivered joe@here.example 1
send forged@good.example postmaster@here.example => dot 250*
send forged@good.example ABUSE@here.example => dot 250*
send forged@good.example postmaster => dot 250*
expect delivered postmaster@here.example 2
send forged@good.example joe@here.example from 10.1.2.3 => dot 250*
send bob@here.example joe@here.example => dot 250*
expect sessions mx.good.example 0
expect metric postern_verify_asked_total 0
# One recipient more than postmaster, and it is asked.
send forged@good.example postmaster@here.example,joe@here.example => dot 550 5.1.7*
expect sessions mx.good.example 1

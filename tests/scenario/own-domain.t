# A sender in our own domain is answered by our own recipients; nobody is dialled.
file recipients
	joe
	bob@here.example
route here.example
	kind = smtp
	next_hop = "192.0.2.200:25"
	recipients = file
	recipients_file = "{dir}/recipients"

send bob@here.example joe@here.example => dot 250*
send nobody@here.example joe@here.example => dot 550 5.1.7 *
expect metric postern_verify_sessions_total 0
# The record of our own domain counts where the operator says that it is complete, and not before.
dns here.example TXT v=spf1 ip4:192.0.2.50 -all
restart
send bob@here.example joe@here.example => dot 250*
set gate.own_spf yes
restart
send bob@here.example joe@here.example => dot 550 5.7.23 <bob@here.example>: SPF *
send bob@here.example joe@here.example from 192.0.2.50 => dot 250*
send nobody@here.example joe@here.example from 192.0.2.50 => dot 550 5.1.7 *
expect metric postern_verify_sessions_total 0

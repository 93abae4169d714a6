# The mode is switched while the daemon runs.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

send a@good.example joe@here.example => dot 550*
ask mode off
	< *off*
send b@good.example joe@here.example => dot 250*
expect sessions mx.good.example 1
ask mode observe
send b@good.example joe@here.example => dot 250*
expect sessions mx.good.example 2
ask mode enforce
send b@good.example joe@here.example => dot 550*

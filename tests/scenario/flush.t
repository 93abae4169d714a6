# An administrator sees and forgets what is known of an address.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

send nobody@good.example joe@here.example => dot 550*
ask cache show nobody@good.example
	< *nobody@good.example*
	< *mx.good.example*
ask cache flush nobody@good.example
	< 1 records forgotten
ask cache flush nobody@good.example => 1
send nobody@good.example joe@here.example => dot 550*
expect sessions mx.good.example 2
ask verify anna@good.example
	< *exists*
ask verify nobody@good.example => 2
	< *absent*

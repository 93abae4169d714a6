# The story of one message, found by its id, an address or the client.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster
peer backend 192.0.2.200
	RCPT TO:<gone@here.example>* => 550 5.1.1 no such user here

send anna@good.example joe@here.example => dot 250*
ask why {id}
	< *anna@good.example*
	< *verify*exists*
	< *deliver*delivered*192.0.2.200: 250 2.0.0 taken
send nobody@good.example joe@here.example => dot 550*
ask why nobody@good.example
	< *absent*
	< *550 5.1.1*
ask why 198.51.100.7
	< *nobody@good.example*
	< *anna@good.example*
ask why good.example
	< *nobody@good.example*
ask stats
	< Queue: 0 messages*
	< *postern_verify_verdicts_total*exists*

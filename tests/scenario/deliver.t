# A message is held, its sender verified at the sender's own server, then it is stored, acknowledged and delivered.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

send anna@good.example joe@here.example => dot 250 2.0.0 Ok: queued as *
expect delivered joe@here.example 1
expect spool 0
expect queue 0
expect message joe@here.example has Received: from client.example ([198.51.100.7])
expect message joe@here.example has *x-sender-verify=pass (exists)
expect message joe@here.example lacks X-Postern-Sender:*
# The real address first, then one that nobody has; never a message.
expect dialogue mx.good.example
	EHLO mx.here.example
	MAIL FROM:<>
	RCPT TO:<anna@good.example>
	RSET
	MAIL FROM:<>
	RCPT TO:<*@good.example>
	QUIT
ask why {id}
	< *anna@good.example*
	< *exists*
	< *RCPT TO:<anna@good.example>*
expect metric postern_verify_verdicts_total{exists} 1

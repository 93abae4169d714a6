# A 5xx at the next hop becomes one notification (RFC 3464) to the sender, for all that failed; what was taken stays taken.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster
peer backend 192.0.2.200
	RCPT TO:<gone@here.example>* => 550 5.1.1 no such user here
	RCPT TO:<left@here.example>* => 551 5.1.6 moved away
	mailboxes joe

send anna@good.example joe@here.example,gone@here.example,left@here.example => dot 250*
	From: <anna@good.example>
	Subject: for three of you
	X-Marker: original

	Hello.
expect delivered joe@here.example 1
expect delivered anna@good.example 1
expect message anna@good.example has Content-Type: multipart/report;*
expect message anna@good.example has Final-Recipient: rfc822;*gone@here.example
expect message anna@good.example has Final-Recipient: rfc822;*left@here.example
expect message anna@good.example lacks Final-Recipient: rfc822;*joe@here.example
expect message anna@good.example has Action: failed
expect message anna@good.example has Status: 5.1.1
expect message anna@good.example has Diagnostic-Code: smtp; 550 5.1.1 no such user here
expect message anna@good.example has X-Marker: original
expect message anna@good.example has Auto-Submitted: auto-*
expect queue 0
expect spool 0
expect heard mx.good.example 1 MAIL FROM:<>*SIZE=*

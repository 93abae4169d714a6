# Notifications as the sender wants them (RFC 3461): NEVER, SUCCESS, ENVID and RET, passed on to a next hop that knows of them.
set verify.mode off
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
peer backend 192.0.2.200
	EHLO => 250-backend | 250 ENHANCEDSTATUSCODES
	mailboxes joe

client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	& 250-DSN
	> MAIL FROM:<anna@good.example> RET=HDRS ENVID=QQ314159
	< 250 *
	> RCPT TO:<joe@here.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Joe@here.example
	< 250 *
	> RCPT TO:<gone@here.example> NOTIFY=NEVER
	< 250 *
	> DATA
	< 354 *
	message
	< 250 *
# The next hop does not know DSN: it is we who tell that it was relayed; of the other nobody is told.
expect delivered anna@good.example 1
expect message anna@good.example has Action: relayed
expect message anna@good.example has Original-Envelope-Id: QQ314159
expect message anna@good.example has Original-Recipient: rfc822;*Joe@here.example
expect message anna@good.example lacks *gone@here.example*
expect message anna@good.example lacks Hello.
expect kept 1
# A next hop that knows DSN tells itself.
peer backend
	mailboxes joe
pass 1m
client 198.51.100.7
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example> RET=FULL ENVID=second
	< 250 *
	> RCPT TO:<joe@here.example> NOTIFY=SUCCESS
	< 250 *
	> DATA
	< 354 *
	message
	< 250 *
expect delivered joe@here.example 2
expect heard backend 1 MAIL FROM:<anna@good.example>*ENVID=second*
expect heard backend 1 RCPT TO:<joe@here.example>*NOTIFY=SUCCESS*
expect delivered anna@good.example 1

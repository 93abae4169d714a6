# Behind a listed proxy the client is whom the proxy names; nobody else may name one.
set gate.proxy_networks {"192.0.2.240/32"}
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna postmaster

start
client 192.0.2.240
	> PROXY TCP4 198.51.100.99 203.0.113.1 4000 25
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> DATA
	< 354 *
	message
	< 250 *
expect message joe@here.example has Received: from c.example ([198.51.100.99])
# The relaying rights are the named client's too.
client 192.0.2.240
	> PROXY TCP4 10.0.0.1 203.0.113.1 4000 25
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<nobody@good.example>
	< 250 *
	> RCPT TO:<joe@good.example>
	< 250 *
client 192.0.2.240
	> EHLO c.example
	< 421 4.3.5 PROXY header missing or malformed, closing
	< closed

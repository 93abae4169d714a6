# LMTP: each recipient has its own answer behind the final dot.
set verify.mode off
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
route box.example
	kind = lmtp
	next_hop = "192.0.2.60:24"
	recipients = any
peer store 192.0.2.60:24
	dot => 1x 250 2.0.0 stored
	dot => 1x 452 4.2.2 quota exceeded
	dot => 1x 550 5.2.0 mailbox broken

send anna@good.example a@box.example,b@box.example,c@box.example => dot 250*
expect heard store 1 LHLO mx.here.example
expect delivered anna@good.example 1
expect message anna@good.example has Final-Recipient: rfc822;*c@box.example
expect message anna@good.example lacks Final-Recipient: rfc822;*b@box.example
expect queue 1
pass 6h
expect queue 0
expect heard store 1 RCPT TO:<a@box.example>*
expect heard store 2..3 RCPT TO:<b@box.example>*
expect heard store 1 RCPT TO:<c@box.example>*

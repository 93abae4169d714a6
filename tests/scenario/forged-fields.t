# Header fields that claim to be ours are taken out before ours are put in; those of others stay.
dns down.example MX 10 mx.down.example
set verify.mode tag
peer mx.down.example 192.0.2.10
peer mx.down.example down

send anna@down.example joe@here.example => dot 250*
	X-Postern-Sender: exists; ref=FORGED
	Authentication-Results: mx.here.example; x-sender-verify=pass
	Authentication-Results: mx.elsewhere.example; spf=pass
	Return-Path: <forged@down.example>
	Subject: trust me

	Hello.
expect message joe@here.example lacks *FORGED*
expect message joe@here.example lacks *x-sender-verify=pass*
expect message joe@here.example lacks Return-Path:*
expect message joe@here.example has Authentication-Results: mx.elsewhere.example; spf=pass
expect message joe@here.example has Authentication-Results: mx.here.example;
expect message joe@here.example has X-Postern-Sender: temporary, no answer; ref=*
expect message joe@here.example has Subject: trust me

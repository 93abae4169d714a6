# Each cell of the table can be set by itself.
set verify.on_absent tag
set verify.on_catch_all refuse
set verify.per_client_minute 100
dns
	exists.example   MX 10 mx.exists.example
	all.example      MX 10 mx.all.example
peer mx.exists.example 192.0.2.10
	mailboxes anna postmaster
peer mx.all.example 192.0.2.12

send nobody@exists.example a@here.example => dot 250*
expect message a@here.example has X-Postern-Sender: absent*
# Whatever it was set to, it is never called an absent mailbox.
send any@all.example b@here.example => dot 550 5.7.1 <any@all.example>: Refused by a rule of this server; *

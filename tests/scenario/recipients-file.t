# Recipients from a file: found, absent, and an unreadable file is never absence.
file recipients
	joe
	jane@list.example
route list.example
	kind = smtp
	next_hop = "192.0.2.200:25"
	recipients = file
	recipients_file = "{dir}/recipients"
set verify.mode off

send <> joe@list.example => dot 250*
send <> jane@list.example => dot 250*
send <> nobody@list.example => rcpt 550 5.1.1 <nobody@list.example>: No such user here
send <> postmaster@list.example => dot 250*
# Read again when it changes.
pass 5s
file recipients
	nobody
pass 5s
send <> nobody@list.example => dot 250*
send <> joe@list.example => rcpt 550 5.1.1 *
file recipients gone
pass 5s
send <> joe@list.example => rcpt 451 4.3.0 Directory lookup failed, try again later (*)
send <> postmaster@list.example => dot 250*
file recipients
	joe
pass 5s
send <> joe@list.example => dot 250*

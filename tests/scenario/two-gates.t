# Two gates that verify each other do not chase each other: the peer holds our probe as we hold its mail, and neither sends DATA.
dns other.example MX 10 gate.other.example
# As we do: it answers RCPT from its own recipients at once, and would verify our sender only at DATA.
peer gate.other.example 192.0.2.10
	mailboxes anna postmaster
	DATA => silent

send anna@other.example joe@here.example from 192.0.2.10 => dot 250*
expect took 0
expect heard gate.other.example 0 DATA
expect heard gate.other.example 0 BDAT*
# And as they ask us: a null sender's RCPT is answered without asking anybody back.
client 192.0.2.10
	< 220 *
	> EHLO gate.other.example
	< 250 HELP
	> MAIL FROM:<>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> QUIT
	< 221 *
# Even with a probe sender of theirs there is nobody to ask before DATA.
client 192.0.2.10
	< 220 *
	> EHLO gate.other.example
	< 250 HELP
	> MAIL FROM:<postern-probe@other.example>
	< 250 *
	> RCPT TO:<joe@here.example>
	< 250 *
	> QUIT
	< 221 *
expect sessions gate.other.example 1

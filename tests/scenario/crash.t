# The process is killed, then the power goes: what was acknowledged is delivered once, what was not leaves no trace.
set verify.mode off
peer backend down

repeat 20 send anna@good.example user{n}@here.example => dot 250*
client 198.51.100.7 as cut
	< 220 *
	> EHLO c.example
	< 250 HELP
	> MAIL FROM:<anna@good.example>
	< 250 *
	> RCPT TO:<never@here.example>
	< 250 *
	> DATA
	< 354 *
	> Subject: half
	~ 1s
crash
expect queue 20
repeat 5 send anna@good.example more{n}@here.example => dot 250*
power-cut
expect queue 25
expect no log *damaged*
peer backend up
pass 6h
expect queue 0
expect delivered user1@here.example 1
expect delivered user20@here.example 1
expect delivered more5@here.example 1
expect delivered never@here.example 0
pass 5s
power-cut
expect queue 0

# Mail servers are asked in strict order of preference, the next one only where the first does not answer at all.
dns
	good.example MX 10 mx1.good.example
	good.example MX 20 mx2.good.example
	grey.example MX 10 mx1.grey.example
	grey.example MX 20 mx2.grey.example
peer mx1.good.example 192.0.2.10
peer mx1.good.example down
peer mx2.good.example 192.0.2.11
	mailboxes anna postmaster
peer mx1.grey.example 192.0.2.12
	RCPT => 451 4.3.0 try again later
peer mx2.grey.example 192.0.2.13

send anna@good.example joe@here.example => dot 250*
send nobody@good.example joe@here.example => dot 550 5.1.7 *
expect sessions mx2.good.example 2
# A 4xx is an answer: nobody goes behind its back to the backup server.
send anna@grey.example joe@here.example => dot 451 4.1.7 *deferred*
expect sessions mx2.grey.example 0

# Over the budget of a client network: the careful profile takes and marks, a line of configuration defers with "busy".
set verify.per_client_minute 2
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10
	mailboxes anna bert carl dora postmaster

send anna@good.example joe@here.example => dot 250*
send bert@good.example joe@here.example => dot 250*
send carl@good.example joe@here.example from 198.51.100.99 => dot 250*
expect message joe@here.example has X-Postern-Sender: skipped, budget; ref=*
# Another network is not touched by it, and what is known costs nothing.
send anna@good.example joe@here.example => dot 250*
expect message joe@here.example lacks X-Postern-Sender:*
send carl@good.example joe@here.example from 203.0.113.9 => dot 250*
expect message joe@here.example lacks X-Postern-Sender:*
set verify.budget_defers yes
reload
send dora@good.example joe@here.example => dot 451 4.1.7 *busy; try again in *
# Our own trouble never ends with patience; it ends with a new token.
pass 2m
send dora@good.example joe@here.example => dot 250*

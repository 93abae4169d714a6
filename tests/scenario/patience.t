# A sender whose server is down hears 451 for four hours; then the mail is taken with a tag.
dns down.example MX 10 mx.down.example
peer mx.down.example 192.0.2.10
peer mx.down.example silent

send anna@down.example joe@here.example => dot 451 4.1.7 *no answer*
pass 1h
send anna@down.example joe@here.example => dot 451 4.1.7 *
pass 2h
send anna@down.example joe@here.example => dot 451 4.1.7 *
pass 65m
send anna@down.example joe@here.example => dot 250*
expect delivered joe@here.example 1
expect message joe@here.example has X-Postern-Sender: temporary, no answer; ref=*
# Another client network begins a patience of its own.
send anna@down.example joe@here.example from 203.0.113.9 => dot 451 4.1.7 *

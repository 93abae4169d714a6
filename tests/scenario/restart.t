# Mail in the queue survives a restart: what waited is tried again at its time, what was delivered is not sent twice.
set verify.mode off
peer backend 192.0.2.200
	RCPT TO:<later@here.example>* => 451 4.2.0 later

send anna@good.example now@here.example,later@here.example => dot 250*
keep one
send anna@good.example later@here.example => dot 250*
expect delivered now@here.example 1
expect queue 2
restart
expect queue 2
expect spool 2
ask queue show {one} --json
	< *"address":"now@here.example","state":"delivered"*
	< *"address":"later@here.example","state":"deferred"*
peer backend 192.0.2.200
pass 1h
expect delivered later@here.example 2
expect delivered now@here.example 1
expect queue 0
restart
expect queue 0
expect spool 0

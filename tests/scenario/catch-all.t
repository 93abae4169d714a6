# A domain that takes every address is found out once, remembered for seven days (± jitter), and asked again afterwards.
set verify.per_domain_burst 100
dns all.example MX 10 mx.all.example
peer mx.all.example 192.0.2.10

send anna@all.example joe@here.example => dot 250*
expect message joe@here.example has *x-sender-verify=neutral (catch_all)
expect sessions mx.all.example 1
repeat 20 send user{n}@all.example joe@here.example => dot 250*
pass 5d
send other@all.example joe@here.example => dot 250*
expect sessions mx.all.example 1
pass 5d
send anna@all.example joe@here.example => dot 250*
expect sessions mx.all.example 2
# The unmasking address is the same for the domain within a week, so that a greylist can let it pass.
ask cache show all.example
	< all.example*takes every address*

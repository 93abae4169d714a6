# Delivery by MX: in order of preference, the next host where one is down or not ready, and never to ourselves.
set verify.mode off
dns
	far.example MX 10 mx1.far.example
	far.example MX 20 mx2.far.example
	self.example MX 10 mx.here.example
	self.example MX 20 mx2.far.example
	mx.here.example A 203.0.113.1
	none.example MX 0 .
peer mx1.far.example 192.0.2.81
peer mx2.far.example 192.0.2.82

send anna@here.example a@far.example from 10.0.0.1 => dot 250*
expect delivered a@far.example 1
expect sessions mx1.far.example 1
expect sessions mx2.far.example 0
pass 1m
peer mx1.far.example
	banner => drop 421 4.3.2 not now
send anna@here.example b@far.example from 10.0.0.1 => dot 250*
expect delivered b@far.example 1
expect sessions mx2.far.example 1
pass 1m
peer mx1.far.example down
send anna@here.example c@far.example from 10.0.0.1 => dot 250*
expect delivered c@far.example 1
# We are the best MX and have no route: that is a loop in the making, and the sender hears of it.
send anna@here.example d@self.example from 10.0.0.1 => dot 250*
pass 1m
expect delivered d@self.example 0
expect delivered anna@here.example 1
expect message anna@here.example has Action: failed

# An operator holds, releases, hurries and removes what is in the queue.
set verify.mode off
peer backend down

send anna@good.example joe@here.example => dot 250*
keep held
send anna@good.example jane@here.example => dot 250*
keep other
ask queue hold {held} --why=suspicious
	< Held until *
peer backend up
ask queue retry all
expect delivered jane@here.example 1
expect delivered joe@here.example 0
expect on_hold 1
ask queue list
	< {held} *on hold*
ask queue show {held}
	< *<joe@here.example>*
pass 6d
expect delivered joe@here.example 0
restart
expect on_hold 1
ask queue show {held} --json
	< *"state":"on hold"*
ask queue release {held}
	< Released.
expect queue 0
send anna@good.example joe@here.example => dot 250*
expect delivered joe@here.example 1..2
peer backend down
send anna@good.example jim@here.example => dot 250*
keep third
ask queue remove {third}
peer backend up
pass 1d
expect delivered jim@here.example 0
expect queue 0
ask queue show {third} => 1

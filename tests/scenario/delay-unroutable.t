# A sender whose domain takes no mail is told of no delay: the notice would only end as a kept message.
set verify.mode off
dns nullmx.example MX 0 .
peer backend down

send anna@nullmx.example joe@here.example => dot 250*
send anna@missing.example joe@here.example => dot 250*
pass 10h
expect queue 2
expect kept 0
peer backend up
pass 5h
expect delivered joe@here.example 2
expect queue 0

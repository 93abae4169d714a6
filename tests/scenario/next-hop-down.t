# A next hop that is down or silent for a day holds nothing up for longer than it is down, and loses nothing.
set verify.mode off
set queue.delay_notice 0
peer backend down

repeat 30 send anna@good.example user{n}@here.example => dot 250*
expect queue 30
pass 6h
peer backend silent
pass 18h
expect queue 30
peer backend up
pass 5h
expect queue 0
expect spool 0
expect delivered user1@here.example 1
expect delivered user30@here.example 1

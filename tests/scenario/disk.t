# A full disk is 452 at MAIL, a broken one 451 at the dot; nothing is acknowledged that is not kept, and both pass.
set verify.mode off
set spool.free_min 1M
peer backend down

send anna@good.example one@here.example => dot 250*
disk full
pass 5s
# What is left of the newest segment may still be used; then MAIL knows.
send anna@good.example seven@here.example => *
pass 2s
send anna@good.example two@here.example => mail 452 4.3.1 Insufficient system storage
expect delivered two@here.example 0
disk ok
# What is known of the disk may be old by one message.
send anna@good.example three@here.example => mail *
pass 5s
send anna@good.example three@here.example => dot 250*
disk broken
send anna@good.example four@here.example => dot 451 4.3.0 Error writing spool (*)
send anna@good.example five@here.example => dot 451 4.3.0 *
disk ok
pass 5s
send anna@good.example six@here.example => dot 250*
expect queue 3..4
power-cut
expect queue 3..4
peer backend up
pass 1h
expect delivered one@here.example 1
expect delivered two@here.example 0
expect delivered three@here.example 1
expect delivered four@here.example 0
expect delivered five@here.example 0
expect delivered six@here.example 1

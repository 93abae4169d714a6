# Who took mail from us lately exists: nobody is asked.
dns good.example MX 10 mx.good.example
peer mx.good.example 192.0.2.10

send bob@here.example anna@good.example from 10.0.0.5 => dot 250*
expect delivered anna@good.example 1
expect sessions mx.good.example 1
send anna@good.example joe@here.example => dot 250*
expect delivered joe@here.example 1
expect sessions mx.good.example 1

# A domain reachable by IPv6 alone, where we do not speak it, is not made to wait: nobody can tell, and waiting does not mend it.
dns
	six.example      MX 10 mx.six.example
	mx.six.example   AAAA 2a00:db9::25
send anna@six.example a@here.example => dot 250*
expect message a@here.example has X-Postern-Sender: unverifiable*

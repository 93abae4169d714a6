# Commands end in CR LF; a NUL or a web browser is no mail client.
start
client 198.51.100.7
	< 220 *
	! NOOP\n
	< 500 5.5.2 Lines end in CR LF
	! NO\rOP\r\n
	< 500 5.5.2 Lines end in CR LF
	> NOOP
	< 250 *
	! NO\0OP\r\n
	< 500 5.5.2 *
	< closed
client 198.51.100.7
	< 220 *
	> GET / HTTP/1.1
	< 500 5.5.2 *
	< closed
client 198.51.100.7
	< 220 *
	> PROXY TCP4 10.0.0.1 203.0.113.1 4000 25
	< 421 4.3.5 *
	< closed

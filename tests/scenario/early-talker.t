# Who talks before the banner is no mail server.
set verify.mode off

start
client 198.51.100.7
	! EHLO c.example\r\n
	< 554 5.5.0 You talked before our greeting*
	< closed

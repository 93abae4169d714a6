# Delivery into Maildirs.
set verify.mode off
route box.example
	kind = maildir
	maildir = "{dir}"
	recipients = any

send anna@good.example joe@box.example => dot 250*
expect queue 0
expect spool 0
expect metric postern_deliveries_total{delivered} 1

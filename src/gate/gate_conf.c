/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings of the SMTP door. */
#include "gate/gate.h"

#define FIELD(member) offsetof(struct gate_conf, member)
#define DAYS(n)       ((n)*USEC_DAY)

const struct conf_row gate_conf_rows[] = {
	{"host", CONF_TEXT, FIELD(host), "", 0, 0, NULL,
	 "Our name in banner, HELO and Received; empty: the name of the machine."},
	{"listen", CONF_TEXTS, FIELD(listen), "0.0.0.0:25", 0, 0, NULL,
	 "Where to listen: address:port, [IPv6]:port or unix:/path."},
	{"local_networks", CONF_NETS, FIELD(local_networks), "127.0.0.0/8, ::1", 0, 0, NULL,
	 "Clients that may relay, are never verified and are not counted against the limits of a client."},
	{"proxy_networks", CONF_NETS, FIELD(proxy_networks), "", 0, 0, NULL,
	 "Peers that must begin with a PROXY header (version 1 or 2); nobody else may."},
	{"tls_certificate", CONF_TEXT, FIELD(tls_certificate), "", 0, 0, NULL,
	 "PEM file of the certificate chain; empty: a self-signed one is made at start."},
	{"tls_key", CONF_TEXT, FIELD(tls_key), "", 0, 0, NULL, "PEM file of the private key."},

	{"message_size", CONF_SIZE, FIELD(message_size), "50M", 1024, INT64_C(1) << 40, NULL,
	 "Largest message; more is read to its end and refused."},
	{"recipients", CONF_INT, FIELD(recipients), "1000", 100, 100000, NULL,
	 "Recipients of one transaction (RFC 5321 4.5.3.1.8: at least 100)."},
	{"messages", CONF_INT, FIELD(messages), "10000", 1, 100000000, NULL, "Transactions of one session."},
	{"line", CONF_SIZE, FIELD(line), "2k", 1000, 16384, NULL, "Longest command line, in bytes."},
	{"text_line", CONF_SIZE, FIELD(text_line), "0", 0, INT64_C(1) << 30, NULL,
	 "Longest line of a message, in bytes; 0: any."},
	{"commands", CONF_INT, FIELD(commands), "100", 10, 1000000, NULL,
	 "Commands in a row that bring no message forward (RSET, NOOP, VRFY …)."},
	{"errors", CONF_INT, FIELD(errors), "20", 1, 1000000, NULL, "Refused commands since the last accepted message."},
	{"hops", CONF_INT, FIELD(hops), "50", 5, 1000, NULL, "Received fields of a message that goes round in a loop."},
	{"header_size", CONF_SIZE, FIELD(header_size), "256k", 4096, 16 << 20, NULL,
	 "Largest header of a message, not over spool's inline_max."},

	{"sessions", CONF_INT, FIELD(sessions), "10000", 1, 10000000, NULL, "Sessions at the same time."},
	{"sessions_per_ip", CONF_INT, FIELD(sessions_per_ip), "50", 0, 10000000, NULL,
	 "Sessions at the same time from one IPv4 address or IPv6 /64; 0: any number."},
	{"connects_per_minute", CONF_INT, FIELD(connects_per_minute), "300", 0, 100000000, NULL,
	 "New sessions a minute from one IPv4 address or IPv6 /64; 0: any number."},
	{"session_memory", CONF_SIZE, FIELD(session_memory), "1M", 65536, INT64_C(1) << 40, NULL,
	 "Memory of one session, the part of a message in memory included."},
	{"memory", CONF_SIZE, FIELD(memory), "512M", 1 << 20, INT64_C(1) << 44, NULL,
	 "Memory of all messages that are being received or held."},

	{"idle", CONF_DURATION, FIELD(idle), "5m", USEC_S, DAYS(1), NULL,
	 "How long to wait for the next command or piece of data (RFC 5321 4.5.3.2.7: 5 minutes)."},
	{"transaction", CONF_DURATION, FIELD(transaction), "30m", USEC_S, DAYS(1), NULL,
	 "How long one transaction may take, from MAIL to the final dot."},
	{"session", CONF_DURATION, FIELD(session), "2h", USEC_S, DAYS(7), NULL, "How long one session may last."},
	{"least_rate", CONF_SIZE, FIELD(least_rate), "100", 0, 1 << 20, NULL,
	 "Bytes a second that a message must come in with on average, once `idle` has passed; 0: any."},
	{"drain", CONF_DURATION, FIELD(drain), "30s", 0, DAYS(1), NULL,
	 "How long open transactions may go on at shutdown."},
	{"spf", CONF_CHOICE, FIELD(spf), "refuse", 0, 0, "off|evidence|refuse",
	 "The sender domain's SPF record: refuse what fails it (verify's mode permitting) without asking anybody; "
	 "evidence: only let a pass vouch for the client."},
	{"own_spf", CONF_BOOL, FIELD(is_own_spf), "no", 0, 0, NULL,
	 "Count the SPF record of our own domains as well: mail from outside in a name of ours is refused when it fails. Only where "
	 "the record names every server that our users send through, mailing lists and forwarders among them."},
	{"check_early_talk", CONF_BOOL, FIELD(is_pipelining_checked), "yes", 0, 0, NULL,
	 "End the session of a client that talks before our banner."},
	CONF_ROWS_END,
};

const struct conf_section gate_section = {
	"gate", "The SMTP door: where mail comes in, and its limits.", gate_conf_rows, sizeof(struct gate_conf), false,
};

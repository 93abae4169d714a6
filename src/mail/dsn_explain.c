/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Status codes of RFC 3463 and its registry, in words for the person who wrote the mail. */
#include "mail/dsn.h"

static const struct words {
	const char *status; /* subject.detail; "7." stands for the whole subject */
	const char *text;
} words[] = {
	{"1.1", "This address does not exist there. Please check it for a typing error."},
	{"1.2", "The part of the address behind the @ does not exist or takes no mail. "
	        "Please check it for a typing error."},
	{"1.3", "The address is not written correctly."},
	{"1.6", "The recipient has moved and left no new address."},
	{"1.7", "The mail server there could not accept your own address as the sender."},
	{"1.8", "The domain of your own address was not accepted as a sender."},
	{"1.10", "The part of the address behind the @ takes no mail at all."},
	{"2.1", "The mailbox exists but is switched off."},
	{"2.2", "The recipient's mailbox is full. Please try again later, or reach them another way."},
	{"2.3", "The message is too large for this mailbox."},
	{"3.4", "The message is too large for the mail server there. "
	        "Please send it in parts, or share large files by a link."},
	{"4.1", "The mail server there could not be reached."},
	{"4.2", "The connection to the mail server there broke off."},
	{"4.3", "The names needed for delivery could not be looked up."},
	{"4.4", "No mail server could be found for this address."},
	{"4.6", "The message was going round in a loop between mail servers."},
	{"4.7", "The message could not be delivered in the time allowed for it."},
	{"5.3", "The message had too many recipients."},
	{"6.7", "The address or the message has characters that the mail server there does not support."},
	{"7.1", "The mail server there refused the message by its own rules."},
	{"7.", "The mail server there refused the message for reasons of security or its own rules."},
	{"6.", "The mail server there could not work with the form of the message."},
	{"5.", "The mail server there did not understand ours."},
	{"4.", "There was trouble on the network on the way to the mail server there."},
	{"3.", "The mail server there has trouble of its own."},
	{"2.", "There is trouble with the recipient's mailbox."},
	{"1.", "There is something wrong with this address."},
};

struct str dsn_explain(struct str status, bool is_delay)
{
	struct str rest = str_skip(status, 2);

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct str key = str_from(words[i].status);
		if (str_ends(key, STR(".")) ? str_starts(rest, key) : str_eq(rest, key))
			return str_from(words[i].text);
	}
	return is_delay ? STR("The mail server there has not accepted the message yet.")
	                : STR("The mail server there did not accept the message.");
}

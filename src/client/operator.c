/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who runs a mail server: a table of the large ones, else the domain that its name was registered under. */
#include "client/mx.h"

/* Names of hosts below `suffix` belong to `operator`; the first match wins, so narrow ones stand first.
 * Consumer and business mail of one company are apart where they judge senders apart. */
static const struct {
	struct str suffix, name;
} operators[] = {
#define OP(suffix, name) {{suffix, sizeof(suffix) - 1}, {name, sizeof(name) - 1}}
#define SELF(suffix) OP(suffix, suffix)
	SELF("olc.protection.outlook.com"), /* outlook.com, hotmail.com, live.com */
	SELF("protection.outlook.com"),     /* tenants of Exchange Online, mail.protection.outlook.com too */
	OP("mx.microsoft", "protection.outlook.com"), /* their names with DNSSEC */
	OP("google.com", "google.com"),
	OP("googlemail.com", "google.com"),
	OP("psmtp.com", "google.com"),
	OP("smtp.goog", "google.com"),
	SELF("yahoodns.net"), /* yahoo.com, aol.com, att.net */
	OP("icloud.com", "icloud.com"),
	OP("apple.com", "icloud.com"),
	SELF("pphosted.com"),
	OP("ppe-hosted.com", "ppe-hosted.com"),
	SELF("mimecast.com"),
	OP("mimecast.co.za", "mimecast.com"),
	OP("mimecast-offshore.com", "mimecast.com"),
	SELF("messagelabs.com"),
	SELF("barracudanetworks.com"),
	SELF("iphmx.com"),
	SELF("mailcontrol.com"),
	OP("hornetsecurity.com", "hornetsecurity.com"),
	OP("antispameurope.com", "hornetsecurity.com"),
	SELF("antispamcloud.com"),
	SELF("trendmicro.com"),
	OP("trendmicro.eu", "trendmicro.com"),
	SELF("sophos.com"),
	SELF("fireeyecloud.com"),
	SELF("mxlogic.net"),
	OP("gmx.net", "gmx.net"),
	OP("gmx.com", "gmx.net"),
	OP("web.de", "gmx.net"),
	OP("mail.com", "gmx.net"),
	OP("kundenserver.de", "ionos.com"),
	OP("1and1.com", "ionos.com"),
	OP("1and1.co.uk", "ionos.com"),
	OP("perfora.net", "ionos.com"),
	OP("ionos.com", "ionos.com"),
	OP("ionos.de", "ionos.com"),
	OP("ionos.co.uk", "ionos.com"),
	SELF("t-online.de"),
	OP("yandex.net", "yandex.net"),
	OP("yandex.ru", "yandex.net"),
	SELF("mail.ru"),
	SELF("qq.com"),
	OP("163.com", "netease.com"),
	OP("126.com", "netease.com"),
	OP("netease.com", "netease.com"),
	OP("aliyun.com", "aliyun.com"),
	OP("mxhichina.com", "aliyun.com"),
	OP("zoho.com", "zoho.com"),
	OP("zoho.eu", "zoho.com"),
	OP("zoho.in", "zoho.com"),
	OP("zohomail.com", "zoho.com"),
	SELF("secureserver.net"),
	SELF("emailsrvr.com"),
	SELF("messagingengine.com"),
	SELF("protonmail.ch"),
	SELF("amazonaws.com"),
	OP("mx.ovh.net", "ovh.net"),
	OP("ovh.net", "ovh.net"),
	SELF("registrar-servers.com"),
	SELF("mailgun.org"),
	SELF("sendgrid.net"),
	SELF("one.com"),
	SELF("strato.de"),
	OP("rzone.de", "strato.de"),
#undef SELF
#undef OP
};

/* Second levels under which country registries sell names. */
static const char *const second_levels[] = {
	"ac", "ad", "co", "com", "ed", "edu", "gob", "go", "gouv", "gov", "govt", "gr", "id", "ind", "info",
	"lg", "ltd", "me", "mil", "ne", "net", "nhs", "nom", "or", "org", "plc", "police", "sch", "web",
};

static bool is_below(struct str host, struct str suffix)
{
	if (!str_iends(host, suffix))
		return false;
	return host.n == suffix.n || host.p[host.n - suffix.n - 1] == '.';
}

static bool is_second_level(struct str label)
{
	for (size_t i = 0; i < sizeof(second_levels) / sizeof(*second_levels); i++)
		if (str_ieq(label, str_from(second_levels[i])))
			return true;
	return false;
}

/* A heuristic and not the public suffix list: a wrong guess makes a budget a little coarser or finer. */
static struct str registered_part(struct str host)
{
	size_t last = str_rfind_char(host, '.');
	if (last == host.n)
		return host;
	struct str head = str_slice(host, 0, last);
	size_t second = str_rfind_char(head, '.');
	if (second == head.n)
		return host;
	struct str label = str_skip(head, second + 1);
	if (host.n - last - 1 != 2 || !is_second_level(label))
		return str_skip(host, second + 1);
	head = str_slice(host, 0, second);
	size_t third = str_rfind_char(head, '.');
	return third == head.n ? host : str_skip(host, third + 1);
}

struct str mx_operator(struct str host)
{
	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
		if (is_below(host, operators[i].suffix))
			return operators[i].name;
	if (host.n && host.p[0] == '[')
		return host;
	return registered_part(host);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of refusals in several languages, and the search for them. */
#include "verify/phrases.h"

struct phrase {
	enum phrase_about about;
	enum cause_id cause;
	const char *words; /* separated by '|' */
};

/* Within a kind the narrower cause stands first. */
static const struct phrase phrases[] = {
	{ABOUT_OPT_OUT, CAUSE_POLICY,
	 "callouts not|callouts are|no callouts|callout not|callout is|call-outs|callbacks not|callbacks are|"
	 "callback verification|address verification is|address verification not|no address verification|"
	 "verification probe|sender verification is|sender verification not allowed|sender verification probe|"
	 "address probing|address probe|probing for|do not probe|do not verify|stop verifying|stop probing|"
	 "directory harvest|address harvest|harvesting|namespace mining|dhap"},
	{ABOUT_GREYLIST, CAUSE_GREYLIST,
	 "greylist|graylist|grey list|gray list|grey-list|gray-list|grey listed|gray listed|postgrey|sqlgrey|"
	 "triplet|first contact|come back in|come back later|liste grise|lista gris"},
	{ABOUT_US, CAUSE_NO_RDNS,
	 "reverse dns|reverse-dns|rdns|ptr|no ptr|reverse hostname|reverse host|reverse lookup|reverse name|"
	 "reverse mapping|reverse record|no reverse|fcrdns|helo|ehlo|cannot find your hostname|find your hostname"},
	{ABOUT_US, CAUSE_AUTH_POLICY, "spf|dmarc|dkim"},
	{ABOUT_US, CAUSE_BLOCKLIST,
	 "blacklist|black list|black-list|blocklist|block list|block-list|denylist|deny list|spamhaus|spamcop|sorbs|"
	 "barracudacentral|barracuda reputation|uceprotect|backscatterer|dnsbl|rbl|surbl|spamrats|invaluement|abusix|mailspike|"
	 "blocked using|listed at|listed by|is listed|are listed|currently listed|found in one or more|[bl21]|550-bl|"
	 "is blocked using|schwarze liste|liste noire|lista negra|lista nera"},
	{ABOUT_US, CAUSE_RATE_LIMIT,
	 "rate limit|rate-limit|ratelimit|unusual rate|too many connections|too many concurrent|too many messages|"
	 "too many mails|too many emails|too many errors|too many invalid|too many unknown|too many bad|"
	 "too many recipients|relay quota|sending quota|sending limit|daily limit|hourly limit|excessive|throttl|sending too fast|connecting too fast"},
	{ABOUT_US, CAUSE_REPUTATION,
	 "reputation|your ip|ip address|ip-address|from ip|this ip|ip is|ip not|ip has|ip blocked|client host|"
	 "client address|client ip|connecting host|connecting ip|connecting server|sending host|sending ip|"
	 "sending server|sending mta|source ip|remote host|your server|your host|your mail server|your mailserver|"
	 "your network|your provider|your system|your domain|mail server is|banned|blocked for|sbrs|senderbase|"
	 "ipcheck|s3140|s3150|as3140|as3150|tss0|vs1|ph01|nemesis|no smtp service|spam|abuse|malicious|dynamic ip|"
	 "dynamic address|dialup|dial-up|residential|geoip|your country|firewall|whitelist|allowlist|not allowed to "
	 "connect|connection refused|connection rejected|connection denied|connections from|mail from your|"
	 "messages from|not accept mail from|not accepting mail from|refused mail from|user complaints|"
	 "ihre ip|gesperrt wegen|votre ip|votre adresse ip|su ip|su direccion ip|seu ip|il tuo ip"},
	{ABOUT_RESTRICTED, CAUSE_TLS_POLICY, "starttls|encryption required|encryption needed|must use tls|requires tls"},
	{ABOUT_RESTRICTED, CAUSE_AUTH_REQUIRED,
	 "authentication required|authentication is required|must authenticate|not authenticated|requires authentication|"
	 "smtp auth|need to authenticate|log in first|resolver.rst|authenticationrequired"},
	{ABOUT_RESTRICTED, CAUSE_POLICY,
	 "not authorized to send|not authorised to send|not permitted to send|not allowed to send|"
	 "not have permission|no permission to|sender not authorized|sender not authorised|restricted|members only|"
	 "internal use|internal only|only accepts mail from|only accept mail from|accepts no external"},
	{ABOUT_SENDER, CAUSE_SENDER_REJECTED,
	 "nullsender|null sender|null-sender|null return|null reverse|null envelope|null address|null from|"
	 "empty sender|empty envelope|empty from|empty return|empty reverse|empty mail from|blank sender|blank from|"
	 "blank return|bounce|batv|prvs|backscatter|sender address|sender rejected|sender denied|sender refused|"
	 "sender blocked|sender not|sender verify|sender verification|sender domain|sender must|sender unknown|"
	 "invalid sender|unknown sender|bad sender|mailer-daemon|mailer daemon|return path|return-path|"
	 "return address|reverse-path|reverse path|envelope from|envelope sender|mail from address|"
	 "delivery status notification|delivery notification|non-delivery|non delivery|absender|expediteur|"
	 "expéditeur|remitente|remetente|mittente"},
	{ABOUT_RELAY, CAUSE_RELAY_DENIED,
	 "relay|rcpthosts|not a gateway|not hosted here|not local domain|not responsible for|no such domain|"
	 "unknown domain|domain not found|domain is not|domain isn't|invalid domain|not our customer"},
	{ABOUT_SYSTEM, CAUSE_STORAGE,
	 "insufficient system|system storage|insufficient disk|disk space|disk full|out of disk|queue file|"
	 "not enough memory|out of memory"},
	{ABOUT_SYSTEM, CAUSE_DIRECTORY,
	 "ldap|database|directory service|lookup fail|lookup error|look-up fail|alias map|user lookup|mysql|"
	 "recipient verif|verification fail|unverified|could not verify|cannot verify|unable to verify|not verify"},
	{ABOUT_SYSTEM, CAUSE_DNS_FAILURE, "dns fail|dns error|dns lookup|dns timeout|dns problem|name service|nameserver"},
	{ABOUT_SYSTEM, CAUSE_CONTENT_FILTER, "content filter|content-filter|virus scan|milter"},
	{ABOUT_SYSTEM, CAUSE_MAINTENANCE, "maintenance|shutting down|going down|being upgraded"},
	{ABOUT_SYSTEM, CAUSE_OVERLOAD,
	 "overload|server busy|system busy|too busy|load too high|high load|load average|system resources|"
	 "resources temporarily|resources unavailable|insufficient resources|server load"},
	{ABOUT_SYSTEM, CAUSE_LOCAL_ERROR,
	 "local problem|local error|local configuration|configuration error|internal error|internal server|"
	 "system error|server error|service unavailable|service not available|processing error"},
	{ABOUT_RATE, CAUSE_RCPT_RATE,
	 "too quickly|at a rate|receiving mail too|receiving messages too|receiving too|receive rate|"
	 "too much mail for|received too many"},
	{ABOUT_FULL, CAUSE_QUOTA,
	 "over quota|overquota|over-quota|quota|mailbox full|mailbox is full|mailbox size|mailbox space|"
	 "mailbox exceed|mailbox has exceeded|mailfolder is full|mailfolder is over|folder is full|inbox is full|"
	 "inbox full|out of storage|storage exceeded|storage limit|exceeded storage|not enough space|"
	 "not enough storage|disk quota|user is over|is over its|too much mail data|postfach voll|"
	 "postfach ist voll|speicherplatz|boite pleine|boîte pleine|boite aux lettres pleine|"
	 "boîte aux lettres pleine|buzon lleno|buzón lleno|casella piena|caixa cheia|skrzynka pelna|"
	 "skrzynka pełna"},
	{ABOUT_DISABLED, CAUSE_MAILBOX_DISABLED,
	 "account disabled|account is disabled|account has been disabled|account that you tried to reach is disabled|"
	 "account you tried to reach is disabled|mailbox disabled|mailbox is disabled|mailbox has been disabled|"
	 "user disabled|user is disabled|address disabled|address is disabled|account inactive|account is inactive|"
	 "mailbox inactive|mailbox is inactive|inactive user|inactive account|user is inactive|user inactive|"
	 "account suspended|account is suspended|account has been suspended|mailbox suspended|user suspended|"
	 "user is suspended|no longer valid|no longer active|no longer available|no longer in use|no longer exist|"
	 "no longer in service|no longer works here|no longer on server|account expired|account has expired|"
	 "mailbox expired|deactivated|account closed|account has been closed|mailbox closed|account is locked|"
	 "mailbox is locked|mailbox locked|account blocked|mailbox blocked|is a deactivated|postfach deaktiviert|"
	 "compte desactive|compte désactivé|cuenta desactivada|conta desativada"},
	{ABOUT_UNKNOWN, CAUSE_NO_MAILBOX,
	 "user unknown|unknown user|unknown local|unknown recipient|recipient unknown|recipient is unknown|"
	 "unknown address|address unknown|unknown mailbox|mailbox unknown|unknown account|unknown email|"
	 "unknown e-mail|unknown or illegal alias|unknown virtual|unknown login|user is unknown|user not known|"
	 "recipient not known|addressee unknown|account unknown|no such user|no such recipient|no such mailbox|"
	 "no such address|no such account|no such person|no such local|no such email|no such e-mail|"
	 "no such alias|no such member|nosuchuser|no mailbox here|no mailbox by that|no mailbox found|"
	 "no mailbox with|no account by that|no account with|no user by|no user with|no user here|no users here|"
	 "no user named|no recipient found|no valid recipient|not a valid user|not a valid mailbox|"
	 "not a valid recipient|not a valid email|not a valid account|not a known user|user not found|"
	 "mailbox not found|recipient not found|account not found|email not found|user was not found|"
	 "user could not be found|recipient could not be found|address could not be found|"
	 "address couldn't be found|user does not exist|user doesn't exist|user not exist|"
	 "mailbox does not exist|mailbox doesn't exist|mailbox not exist|account does not exist|"
	 "account doesn't exist|email address does not exist|recipient does not exist|"
	 "recipient doesn't exist|reach does not exist|doesn't have a yahoo|does not have a yahoo|"
	 "doesn't have an account|does not have an account|does not like recipient|invalid recipient|"
	 "invalid mailbox|invalid user|invalid account|invalid local part|recipient invalid|"
	 "recipient is invalid|mailbox invalid|mailbox is invalid|nonexistent user|nonexistent mailbox|"
	 "nonexistent recipient|non-existent user|non-existent mailbox|non-existent recipient|"
	 "not in our directory|not listed in domino|not listed in public name|not our user|is not a user|"
	 "not a user here|bad destination mailbox|not a local user|recipient not exist|"
	 /* German */
	 "benutzer unbekannt|unbekannter benutzer|empfaenger unbekannt|empfänger unbekannt|"
	 "unbekannter empfaenger|unbekannter empfänger|postfach unbekannt|empfaengeradresse unbekannt|"
	 "empfängeradresse unbekannt|benutzer existiert nicht|postfach existiert nicht|mailbox existiert nicht|"
	 "empfaenger existiert nicht|empfänger existiert nicht|kein benutzer|kein solcher benutzer|"
	 "kein solcher empfaenger|kein solcher empfänger|kein solches postfach|postfach nicht gefunden|"
	 "postfach nicht vorhanden|benutzer nicht vorhanden|ungueltiger empfaenger|ungültiger empfänger|"
	 /* French */
	 "utilisateur inconnu|destinataire inconnu|boite inconnue|boîte inconnue|compte inconnu|"
	 "utilisateur n'existe pas|destinataire n'existe pas|compte n'existe pas|boite n'existe pas|"
	 "boîte n'existe pas|compte inexistant|boite aux lettres inexistante|boîte aux lettres inexistante|"
	 "destinataire invalide|adresse d au moins un destinataire|adresse d'au moins un destinataire|"
	 /* Spanish, Portuguese */
	 "usuario desconocido|destinatario desconocido|usuario no existe|usuario inexistente|buzon inexistente|"
	 "buzón inexistente|cuenta inexistente|cuenta no existe|usuario invalido|usuario inválido|"
	 "usuário desconhecido|usuário inexistente|usuário inválido|destinatário desconhecido|"
	 "destinatário inexistente|conta inexistente|caixa postal inexistente|"
	 /* Italian */
	 "utente sconosciuto|utente non esist|utente non trovato|utente non valido|destinatario sconosciuto|"
	 "casella inesistente|utente inesistente|"
	 /* Dutch, Scandinavian, Finnish */
	 "gebruiker onbekend|onbekende gebruiker|gebruiker bestaat niet|mailbox bestaat niet|onbekende ontvanger|"
	 "ukendt bruger|okänd användare|okänd mottagare|ukjent bruker|ukjent mottaker|tuntematon vastaanottaja|"
	 "tuntematon käyttäjä|"
	 /* Polish, Czech, Slovak, Hungarian */
	 "nieznany uzytkownik|nieznany użytkownik|nieznany odbiorca|nie ma takiego uzytkownika|"
	 "nie ma takiego użytkownika|nie ma takiego konta|konto nie istnieje|podany adres nie istnieje|"
	 "uzivatel neexistuje|uživatel neexistuje|neznamy uzivatel|neznámý uživatel|schranka neexistuje|"
	 "schránka neexistuje|ismeretlen cimzett|ismeretlen címzett|ismeretlen felhaszn|"
	 /* Russian, Ukrainian, Japanese, Chinese, Korean */
	 "пользователь не найден|пользователь не существует|такой пользователь не|нет такого пользователя|"
	 "неизвестный пользователь|ящик не существует|ящик не найден|ユーザーが存在しません|"
	 "メールアドレスが存在しません|宛先不明|收件人不存在|用户不存在|邮箱不存在|账号不存在|找不到用户|"
	 "用户未找到|邮箱未找到|사용자가 존재하지"},
	{ABOUT_LATER, CAUSE_GREYLIST,
	 "try again|try later|retry|temporarily deferred|temporarily rejected|deferred|not yet|postponed|delayed|"
	 "wait|minutes|seconds|spaeter|später|plus tard|mas tarde|más tarde"},
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool has_words(struct str text, struct str words)
{
	for (size_t from = 0; from < text.n;) {
		size_t at = from + str_find(str_skip(text, from), words);
		if (at >= text.n)
			return false;
		if (at == 0 || !is_word(words.p[0]) || !is_word(text.p[at - 1]))
			return true;
		from = at + 1;
	}
	return false;
}

static bool phrase_matches(const struct phrase *p, struct str text)
{
	struct str rest = str_from(p->words), words;
	while (str_cut(&rest, '|', &words))
		if (has_words(text, words))
			return true;
	return false;
}

unsigned phrases_find(struct str text)
{
	unsigned found = 0;
	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++)
		if (!(found & 1u << phrases[i].about) && phrase_matches(&phrases[i], text))
			found |= 1u << phrases[i].about;
	return found;
}

enum cause_id phrases_cause(struct str text, enum phrase_about about)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++)
		if (phrases[i].about == about && phrase_matches(&phrases[i], text))
			return phrases[i].cause;
	return CAUSE_UNKNOWN;
}

struct writer {
	char *p;
	size_t n;
};

/* One word behind a blank; what does not fit is dropped. */
static void add_word(struct writer *w, struct str word)
{
	if (word.n == 0 || w->n + word.n + 1 > PHRASES_TEXT_MAX)
		return;
	if (w->n > 0)
		w->p[w->n++] = ' ';
	for (size_t i = 0; i < word.n; i++)
		w->p[w->n++] = ascii_lower(word.p[i]);
}

static bool is_break(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '<' || c == '>';
}

/* A local part that reads like a refusal ("no-such-user", "bounces") must not speak for the server. Short or
 * plain ones stay, because "user" stands in half of all texts. */
static bool is_misleading(struct str local)
{
	char copy[80];
	if (local.n == 0 || local.n > sizeof(copy))
		return false;
	for (size_t i = 0; i < local.n; i++)
		copy[i] = ascii_lower(local.p[i]);
	return phrases_find((struct str){copy, local.n}) != 0;
}

static struct str without_quotes(struct str word)
{
	while (word.n && strchr("\"'`(:;,.", word.p[0]))
		word = str_skip(word, 1);
	while (word.n && strchr("\"'`):;,.", word.p[word.n - 1]))
		word.n--;
	return word;
}

struct str phrases_normalise(struct str text, struct str local, char out[PHRASES_TEXT_MAX])
{
	struct writer w = {out, 0};
	bool drops_local = is_misleading(local);
	for (size_t i = 0; i < text.n;) {
		if (text.p[i] == '<' && i + 1 < text.n && text.p[i + 1] == '>') {
			add_word(&w, STR("nullsender"));
			i += 2;
			continue;
		}
		if (is_break(text.p[i])) {
			i++;
			continue;
		}
		size_t end = i;
		while (end < text.n && !is_break(text.p[end]))
			end++;
		struct str word = str_slice(text, i, end);
		bool is_echo = str_find_char(word, '@') < word.n ||
		               (drops_local && str_ieq(without_quotes(word), local));
		if (!is_echo)
			add_word(&w, word);
		i = end;
	}
	return (struct str){out, w.n};
}

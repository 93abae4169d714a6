/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making DKIM signatures. */
#include "auth/dkim_sign.h"

#include "base/auto.h"
#include "mail/address.h"

struct dkim_signing {
	const struct dkim_signer *signers;
	int *bodies; /* handle for each signer */
	size_t n;
	struct wall now;
	struct dkim_fields fields;
	struct arena *arena;
};

/* RFC 6376 5.4.1, and what readers are shown or act on today. */
static const char *const recommended[] = {
	"From", "Reply-To", "Subject", "Date", "To", "Cc", "Message-ID", "In-Reply-To", "References", "MIME-Version",
	"Content-Type", "Content-Transfer-Encoding", "Content-ID", "Content-Description", "Resent-Date", "Resent-From",
	"Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Message-ID", "List-Id", "List-Help", "List-Unsubscribe",
	"List-Unsubscribe-Post", "List-Subscribe", "List-Post", "List-Owner", "List-Archive", "Sender", "Feedback-ID", NULL,
};

bool dkim_canonicalization_parse(struct str text, bool *is_header_simple, bool *is_body_simple)
{
	size_t slash = str_find_char(text, '/');
	struct str header = str_slice(text, 0, slash);
	struct str body = slash < text.n ? str_skip(text, slash + 1) : STR("simple"); /* RFC 6376 3.5 c= */

	*is_header_simple = str_eq(header, STR("simple"));
	*is_body_simple = str_eq(body, STR("simple"));
	return (*is_header_simple || str_eq(header, STR("relaxed"))) && (*is_body_simple || str_eq(body, STR("relaxed")));
}

static size_t field_count(const struct dkim_fields *f, struct str name)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += str_ieq(f->field[i].name, name);
	return n;
}

static void name_add(struct buf *list, struct str name)
{
	if (list->n > 0)
		buf_char(list, ':');
	for (size_t i = 0; i < name.n; i++)
		buf_char(list, ascii_lower(name.p[i]));
}

/* The list for h=; From is named until it is named once more than it stands there. */
static void names_choose(const struct dkim_fields *f, struct str wanted, struct buf *list)
{
	size_t present = field_count(f, STR("From")), named = 0;
	struct str rest = wanted, name;

	while (dkim_fields_next(&rest, &name)) {
		name_add(list, name);
		named += str_ieq(name, STR("From"));
	}
	for (size_t i = 0; wanted.n == 0 && recommended[i]; i++) {
		name = str_from(recommended[i]);
		for (size_t k = field_count(f, name); k > 0; k--) {
			name_add(list, name);
			named += i == 0;
		}
	}
	for (; named <= present; named++)
		name_add(list, STR("From"));
}

struct dkim_signing *dkim_sign_new(struct arena *arena, const struct dkim_signer *signers, size_t n, struct wall now,
                                   struct str header, struct dkim_bodies *bodies, struct err *err)
{
	struct dkim_signing *s = arena_new(arena, struct dkim_signing);
	const char *why = "the message has no From field";

	*s = (struct dkim_signing){.signers = signers, .n = n, .now = now, .arena = arena};
	s->bodies = arena_alloc(arena, n * sizeof(*s->bodies));
	bool ok = dkim_fields_init(&s->fields, arena, header, &why) && field_count(&s->fields, STR("From")) > 0;
	for (size_t i = 0; ok && i < n; i++) {
		s->bodies[i] = dkim_bodies_want(bodies, !signers[i].is_body_simple, DKIM_SHA256, false, 0);
		ok = domain_is_valid(signers[i].domain) && domain_is_valid(signers[i].selector) && s->bodies[i] >= 0;
		why = "domain and selector must be names in A-label form, lower case";
	}
	if (ok)
		return s;
	dkim_sign_done(s);
	err_perm(err, CAUSE_LOCAL_ERROR, "%s", why);
	return NULL;
}

static bool sign_one(struct dkim_signing *s, const struct dkim_signer *signer, const struct dkim_digest *body,
                     struct buf *out, struct err *err)
{
	auto_buf struct buf names = {.max = 16384};
	struct dkim_signature signature = {.is_header_relaxed = !signer->is_header_simple, .hash = DKIM_SHA256};
	struct dkim_digest digest;
	struct dkim_writer w;

	names_choose(&s->fields, signer->fields, &names);
	if (!buf_ok(&names))
		return err_perm(err, CAUSE_LOCAL_ERROR, "too many fields to sign");
	signature.fields = buf_view(&names);
	dkim_write_begin(&w, s->arena, STR("DKIM-Signature"));
	dkim_write_tag(&w, "v", STR("1"));
	dkim_write_tag(&w, "a", dkim_private_key_is_ed25519(signer->key) ? STR("ed25519-sha256") : STR("rsa-sha256"));
	dkim_write_tag(&w, "c", arena_printf(s->arena, "%s/%s", signer->is_header_simple ? "simple" : "relaxed",
	                                     signer->is_body_simple ? "simple" : "relaxed"));
	dkim_write_tag(&w, "d", signer->domain);
	dkim_write_tag(&w, "s", signer->selector);
	dkim_write_number(&w, "t", (uint64_t)(s->now.us / USEC_S));
	dkim_write_tag(&w, "h", signature.fields);
	dkim_write_digest(&w, "bh", body);
	dkim_write_b(&w);
	struct header_field own = dkim_write_field(&w);
	bool ok = dkim_fields_digest(&s->fields, &signature, &own, &digest) ||
	          err_perm(err, CAUSE_LOCAL_ERROR, "too many fields to sign");
	ok = ok && dkim_write_sign(&w, signer->key, &digest, out, err);
	dkim_write_done(&w);
	return ok;
}

bool dkim_sign_finish(struct dkim_signing *s, const struct dkim_bodies *bodies, struct buf *out, struct err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		struct dkim_digest body;
		dkim_bodies_result(bodies, s->bodies[i], &body);
		if (!sign_one(s, &s->signers[i], &body, out, err))
			return false;
	}
	return true;
}

void dkim_sign_done(struct dkim_signing *s)
{
	if (s)
		dkim_fields_done(&s->fields);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making an ARC set: results, message signature, seal. */
#include "auth/arc_seal.h"

#include "base/auto.h"
#include "mail/address.h"

int arc_seal_want(const struct arc_sealer *s, struct dkim_bodies *bodies)
{
	return dkim_bodies_want(bodies, !s->signer.is_body_simple, DKIM_SHA256, false, 0);
}

/* Up to the next semicolon outside of comments and quoted strings. */
static struct str result_cut(struct str *rest)
{
	size_t depth = 0, i = 0;
	bool is_quoted = false;

	for (; i < rest->n; i++) {
		char c = rest->p[i];
		if (c == '\\')
			i++;
		else if (c == '"' && depth == 0)
			is_quoted = !is_quoted;
		else if (is_quoted)
			continue;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == ';' && depth == 0)
			break;
	}
	struct str out = str_trim(str_slice(*rest, 0, i));
	*rest = str_skip(*rest, i + 1);
	return out;
}

/* Ours to the letter: what only resembles our name was forged, and must not be sealed as our finding. */
static bool is_our_result(struct arena *arena, const struct header_field *f, struct str authserv_id)
{
	struct str id;

	return str_ieq(f->name, STR("Authentication-Results")) && header_authserv_id(arena, f->value, &id) && str_ieq(id, authserv_id);
}

static void results_of(const struct arc_check *c, struct str authserv_id, struct arena *arena, struct buf *out)
{
	size_t before = out->n;

	for (size_t i = 0; i < c->fields.n; i++) {
		const struct header_field *f = &c->fields.field[i];
		if (!is_our_result(arena, f, authserv_id))
			continue;
		struct str rest = header_unfold(arena, f->value);
		result_cut(&rest); /* our name, and the version */
		while (rest.n > 0) {
			struct str result = result_cut(&rest);
			if (result.n == 0)
				continue;
			buf_str(out, STR(";\r\n\t"));
			buf_str(out, result);
		}
	}
	if (out->n == before)
		buf_str(out, STR("; none")); /* RFC 8601 2.2: nothing was checked */
}

static void names_of(const struct arc_check *c, const struct dkim_signer *signer, struct buf *out)
{
	/* Authentication-Results may be removed on the way and ARC fields have their own cover (4.1.2). */
	static const char *const wanted[] = {"From", "To", "Cc", "Subject", "Date", "Reply-To", "Message-ID", "In-Reply-To",
	                                     "References", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	                                     "List-Id", "List-Unsubscribe", "List-Post", "DKIM-Signature", NULL};

	if (signer->fields.n > 0) {
		buf_str(out, signer->fields);
		return;
	}
	for (size_t k = 0; wanted[k]; k++) {
		for (size_t i = 0; i < c->fields.n; i++) {
			if (!str_ieq(c->fields.field[i].name, str_from(wanted[k])))
				continue;
			buf_str(out, out->n > 0 ? STR(":") : STR_NONE);
			for (const char *p = wanted[k]; *p; p++)
				buf_char(out, ascii_lower(*p));
		}
	}
}

static void tags_common(struct dkim_writer *w, const struct arc_sealer *s, unsigned instance)
{
	dkim_write_number(w, "i", instance);
	dkim_write_tag(w, "s", s->signer.selector);
	dkim_write_number(w, "t", (uint64_t)(s->now.us / USEC_S));
}

static struct str algorithm_of(const struct arc_sealer *s)
{
	return dkim_private_key_is_ed25519(s->signer.key) ? STR("ed25519-sha256") : STR("rsa-sha256");
}

/* Tags in the order of the alphabet, as most sealers write them. */
static bool message_sign(struct arena *arena, const struct arc_sealer *s, struct arc_check *c,
                         const struct dkim_digest *body, unsigned instance, struct buf *out, struct err *err)
{
	auto_buf struct buf names = {.max = 16384};
	struct dkim_signature signature = {.is_header_relaxed = !s->signer.is_header_simple};
	struct dkim_digest digest;
	struct dkim_writer w;

	names_of(c, &s->signer, &names);
	signature.fields = buf_view(&names);
	dkim_write_begin(&w, arena, STR("ARC-Message-Signature"));
	w.is_b_whole = true;
	dkim_write_tag(&w, "a", algorithm_of(s));
	dkim_write_b(&w);
	dkim_write_digest(&w, "bh", body);
	dkim_write_tag(&w, "c", arena_printf(arena, "%s/%s", s->signer.is_header_simple ? "simple" : "relaxed",
	                                     s->signer.is_body_simple ? "simple" : "relaxed"));
	dkim_write_tag(&w, "d", s->signer.domain);
	dkim_write_tag(&w, "h", signature.fields);
	tags_common(&w, s, instance);
	struct header_field own = dkim_write_field(&w);
	bool ok = (buf_ok(&names) && dkim_fields_digest(&c->fields, &signature, &own, &digest)) ||
	          err_perm(err, CAUSE_LOCAL_ERROR, "too many fields to sign");
	ok = ok && dkim_write_sign(&w, s->signer.key, &digest, out, err);
	dkim_write_done(&w);
	return ok;
}

/* 5.1.2: the seal of a chain that failed covers its own set only. */
static bool seal_sign(struct arena *arena, const struct arc_sealer *s, struct arc_check *c, unsigned instance,
                      struct str results, struct str message, struct buf *out, struct err *err)
{
	struct buf *b = &c->fields.scratch;
	struct dkim_digest digest;
	struct dkim_writer w;

	buf_clear(b);
	for (unsigned i = 1; c->cv == ARC_CV_PASS && i <= c->sets; i++) {
		arc_canon_sets(c, i, i, b);
		dkim_canon_field(b, true, c->set[i].seal->name, c->set[i].seal->whole, STR_NONE);
	}
	dkim_canon_field(b, true, dkim_made_field(results).name, results, STR_NONE);
	dkim_canon_field(b, true, dkim_made_field(message).name, message, STR_NONE);
	dkim_write_begin(&w, arena, STR("ARC-Seal"));
	dkim_write_tag(&w, "a", algorithm_of(s));
	dkim_write_b(&w);
	dkim_write_tag(&w, "cv", str_from(arc_cv_name(c->cv)));
	dkim_write_tag(&w, "d", s->signer.domain);
	tags_common(&w, s, instance);
	struct header_field own = dkim_write_field(&w);
	dkim_canon_field(b, true, own.name, own.whole, STR_NONE);
	bool ok = buf_ok(b) || err_perm(err, CAUSE_LOCAL_ERROR, "the sets are too large");
	if (ok) {
		dkim_hash(DKIM_SHA256, str_slice(buf_view(b), 0, b->n - 2), &digest);
		ok = dkim_write_sign(&w, s->signer.key, &digest, out, err);
	}
	dkim_write_done(&w);
	return ok;
}

bool arc_seal(struct arena *arena, const struct arc_sealer *s, struct arc_check *c, const struct dkim_bodies *bodies,
              int body, struct buf *out, bool *is_sealed, struct err *err)
{
	auto_buf struct buf results = {.max = 65536}, message = {.max = 65536};
	unsigned instance = c->sets + 1;
	struct dkim_digest digest;

	*is_sealed = false;
	if (!domain_is_valid(s->signer.domain) || !domain_is_valid(s->signer.selector))
		return err_perm(err, CAUSE_LOCAL_ERROR, "domain and selector must be names in A-label form, lower case");
	if (c->has_failed_before || instance > ARC_SETS_MAX)
		return true;
	buf_printf(&results, "ARC-Authentication-Results: i=%u; ", instance);
	buf_str(&results, s->authserv_id);
	results_of(c, s->authserv_id, arena, &results);
	buf_str(&results, STR("\r\n"));
	if (!buf_ok(&results))
		return err_perm(err, CAUSE_LOCAL_ERROR, "the results to seal are too long");
	dkim_bodies_result(bodies, body, &digest);
	if (!message_sign(arena, s, c, &digest, instance, &message, err) ||
	    !seal_sign(arena, s, c, instance, buf_view(&results), buf_view(&message), out, err))
		return false;
	buf_str(out, buf_view(&message));
	buf_str(out, buf_view(&results));
	*is_sealed = true;
	return true;
}

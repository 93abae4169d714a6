/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading JSON within bounds. */
#include "trail/json.h"

bool json_depth_is_sane(struct str text)
{
	size_t depth = 0;
	bool is_string = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (is_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				is_string = false;
		} else if (c == '"') {
			is_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > JSON_DEPTH_MAX)
				return false;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return true;
}

json_t *json_read(struct str text, size_t max_bytes, struct err *err)
{
	json_error_t why;
	json_t *root = NULL;

	if (text.n > max_bytes)
		err_perm(err, CAUSE_PROTOCOL, "JSON of %zu bytes, at most %zu are read", text.n, max_bytes);
	else if (!json_depth_is_sane(text))
		err_perm(err, CAUSE_PROTOCOL, "JSON is nested deeper than %d levels", JSON_DEPTH_MAX);
	else if (!(root = json_loadb(text.p ? text.p : "", text.n, JSON_ALLOW_NUL, &why)))
		err_perm(err, CAUSE_PROTOCOL, "not JSON: %s at byte %d", why.text, why.position);
	return root;
}

struct str json_member_text(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	if (!json_is_string(v))
		return STR_NONE;
	return (struct str){json_string_value(v), json_string_length(v)};
}

int64_t json_member_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HMAC-SHA-256 over domain and week, spelled in syllables. */
#include "verify/random_local.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* Weeks that begin on Monday, as ISO 8601 has them, counted since 1970: the number never repeats. */
static uint64_t week_of(struct wall now)
{
	int64_t days = now.us / USEC_DAY;
	return (uint64_t)((days + 3) / 7); /* 1 January 1970 was a Thursday */
}

struct str random_local(struct str secret, struct str domain, struct wall now, char out[RANDOM_LOCAL_N])
{
	static const char consonants[] = "bdfghklmnprstvwz", vowels[] = "aeiou";
	unsigned char message[8 + 256], digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	uint64_t week = week_of(now);
	size_t used = domain.n < 256 ? domain.n : 256;
	for (int i = 0; i < 8; i++)
		message[i] = (unsigned char)(week >> (8 * i));
	memcpy(message + 8, domain.p, used);
	const unsigned char *ok =
		HMAC(EVP_sha256(), secret.p, (int)secret.n, message, 8 + used, digest, &n);
	assert(ok && n == 32);
	for (size_t i = 0; i < RANDOM_LOCAL_N; i += 2) {
		out[i] = consonants[digest[i] % (sizeof(consonants) - 1)];
		out[i + 1] = vowels[digest[i + 1] % (sizeof(vowels) - 1)];
	}
	return (struct str){out, RANDOM_LOCAL_N};
}

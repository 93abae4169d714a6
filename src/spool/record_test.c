/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of segments and records: what is written is read back, and nothing else is. */
#include "spool/record.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/test.h"
#include "spool/io_sim.h"
#include "spool/message_format.h"
#include "spool/segment.h"

#include <stdlib.h>

static void segment_headers(void **state)
{
	const struct segment_header h = {SEGMENT_FORMAT, 1 << 20, 7, 0x1234, 6, 9000, 8800};
	uint8_t bytes[SEGMENT_HEADER];
	struct segment_header got;
	segment_header_encode(&h, bytes);
	assert_true(segment_header_decode(bytes, &got));
	uint8_t again[SEGMENT_HEADER];
	segment_header_encode(&got, again);
	assert_memory_equal(again, bytes, sizeof bytes);
	assert_true(got.generation == 7 && got.nonce == 0x1234 && got.previous == 6 &&
		    got.previous_end == 9000 && got.previous_torn == 8800);
	for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(segment_header_decode(bytes, &got));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void seeds_differ(void **state)
{
	const struct segment_header a = {.generation = 7, .nonce = 1},
				    b = {.generation = 8, .nonce = 1},
				    c = {.generation = 7, .nonce = 2};
	assert_int_not_equal(segment_seed(&a), segment_seed(&b));
	assert_int_not_equal(segment_seed(&a), segment_seed(&c));
}

static void record_headers(void **state)
{
	const struct record_header h = {
		RECORD_COPIED, SEGMENT_DATA + 640, SEGMENT_DATA, 24, 104, 77, 0xAAAA, 0xBBBB};
	uint8_t bytes[RECORD_HEADER];
	struct record_header got;
	record_header_encode(&h, 5, bytes);
	assert_true(record_header_decode(bytes, 5, h.offset, &got));
	uint8_t again[RECORD_HEADER];
	record_header_encode(&got, 5, again);
	assert_memory_equal(again, bytes, sizeof bytes);
	assert_true(got.type == RECORD_COPIED && got.id == 77 && got.meta_length == 24 &&
		    got.body_length == 104 && got.meta_sum == 0xAAAA && got.body_sum == 0xBBBB);
	/* The bytes of another generation, or of another place, are no record. */
	assert_false(record_header_decode(bytes, 6, h.offset, &got));
	assert_false(record_header_decode(bytes, 5, h.offset + 8, &got));
	for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(record_header_decode(bytes, 5, h.offset, &got));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* Right sums do not make nonsense right. */
static void record_header_limits(void **state)
{
	static const struct {
		const char *name;
		struct record_header h;
	} rows[] = {
		{"no type", {0, 8192, 8192, 0, 0}},
		{"unknown type", {RECORD_TYPES, 8192, 8192, 0, 0}},
		{"batch behind it", {RECORD_NOTE, 8192, 8200, 0, 0}},
		{"meta too long", {RECORD_NOTE, 8192, 8192, RECORD_META_MAX + 8, 0}},
		{"body too long", {RECORD_NOTE, 8192, 8192, 0, RECORD_BODY_MAX + 8}},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[RECORD_HEADER];
		struct record_header got;
		record_header_encode(&rows[i].h, 1, bytes);
		assert_row(!record_header_decode(bytes, 1, rows[i].h.offset, &got), rows[i].name);
	}
}

static void sums_of_pieces(void **state)
{
	char text[1000];
	memset(text, 'x', sizeof text);
	text[300] = 'y';
	for (size_t cut = 0; cut <= sizeof text; cut += 50)
		assert_int_equal(record_sum_two(text, cut, text + cut, sizeof text - cut, 9),
				 record_sum(text, sizeof text, 9));
}

/* --- envelopes --- */

static struct spool_rcpt two_rcpts[] = {
	{.address = {"a@example.org", 13},
	 .orcpt = {"rfc822;a@example.org", 20},
	 .notify = 3,
	 .state = RCPT_DEFERRED,
	 .cause = CAUSE_GREYLIST,
	 .attempts = 4,
	 .next_attempt = {1234567},
	 .last_reply = {"mx1: 450 later", 14}},
	{.address = {"b@example.org", 13}, .state = RCPT_QUEUED},
};
static const struct spool_envelope sample = {
	.sender = {"s@example.net", 13},
	.envid = {"QQ314159", 8},
	.ret = 1,
	.body = 1,
	.smtputf8 = true,
	.is_on_hold = true,
	.hold_reason = {"operator", 8},
	.accepted = {1767225600000000},
	.client = {4, {192, 0, 2, 1}},
	.helo = {"client.example.net", 18},
	.rcpts = two_rcpts,
	.n_rcpts = 2,
	.trail = {"{\"entries\":[]}", 14},
};

static struct str encoded(const struct spool_envelope *e)
{
	struct pen w = {NULL, 0};
	envelope_encode(&w, e);
	uint8_t *p = mem_alloc(w.n);
	w = (struct pen){p, 0};
	envelope_encode(&w, e);
	return (struct str){(char *)p, w.n};
}

static void envelopes(void **state)
{
	struct arena arena;
	struct spool_envelope got;
	arena_init(&arena, SIZE_MAX);
	struct str bytes = encoded(&sample);
	assert_true(envelope_decode(bytes, &arena, &got));
	assert_str(got.sender, "s@example.net");
	assert_str(got.envid, "QQ314159");
	assert_int_equal(got.ret, 1);
	assert_int_equal(got.body, 1);
	assert_true(got.smtputf8 && got.is_on_hold && !got.is_sending);
	assert_str(got.hold_reason, "operator");
	assert_int_equal(got.accepted.us, sample.accepted.us);
	assert_true(ip_eq(got.client, sample.client));
	assert_str(got.helo, "client.example.net");
	assert_str(got.trail, "{\"entries\":[]}");
	assert_int_equal(got.n_rcpts, 2);
	assert_str(got.rcpts[0].address, "a@example.org");
	assert_str(got.rcpts[0].orcpt, "rfc822;a@example.org");
	assert_int_equal(got.rcpts[0].notify, 3);
	assert_int_equal(got.rcpts[0].state, RCPT_DEFERRED);
	assert_int_equal(got.rcpts[0].cause, CAUSE_GREYLIST);
	assert_int_equal(got.rcpts[0].attempts, 4);
	assert_int_equal(got.rcpts[0].next_attempt.us, 1234567);
	assert_str(got.rcpts[0].last_reply, "mx1: 450 later");
	assert_int_equal(got.rcpts[1].cause, CAUSE_NONE);
	/* Every prefix is too short, and none reads beyond it (the sanitizer looks). */
	for (size_t n = 0; n < bytes.n; n++) {
		char *cut = mem_alloc(n);
		memcpy(cut, bytes.p, n);
		assert_false(envelope_decode((struct str){cut, n}, &arena, &got));
		free(cut);
	}
	free((char *)bytes.p);
	arena_done(&arena);
}

static void lying_counts(void **state)
{
	struct arena arena;
	struct spool_envelope none = {0}, got;
	arena_init(&arena, SIZE_MAX);
	struct str bytes = encoded(&none);
	memset((char *)bytes.p + bytes.n - 4, 0xFF, 4); /* four thousand million recipients */
	assert_false(envelope_decode(bytes, &arena, &got));
	assert_true(arena.used < 1024);
	free((char *)bytes.p);
	arena_done(&arena);
}

static void every_cause_survives(void **state)
{
	for (int cause = 0; cause < CAUSE_COUNT; cause++) {
		uint8_t bytes[100];
		struct pen w = {bytes, 0};
		struct note_view note = {.kind = NOTE_RCPT, .state.cause = (uint8_t)cause}, got;
		note_encode(&w, &note);
		assert_true(note_decode((struct str){(char *)bytes, w.n}, &got));
		assert_int_equal(got.state.cause, cause);
	}
}

static void notes(void **state)
{
	static const struct note_view rows[] = {
		{.kind = NOTE_RCPT,
		 .rcpt = 1,
		 .state = {.state = RCPT_DELIVERED, .attempts = 2, .last_reply = {"250 ok", 6}}},
		{.kind = NOTE_HOLD, .is_on_hold = true, .reason = {"why", 3}},
		{.kind = NOTE_SENDING},
	};
	struct spool_rcpt rcpts[2] = {{.attempts = 0}};
	struct spool_envelope e = {.rcpts = rcpts, .n_rcpts = 2};
	uint8_t all[COUNT(rows)][200];
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t *bytes = all[i];
		struct pen w = {bytes, 0};
		struct note_view got;
		note_encode(&w, &rows[i]);
		assert_true(note_decode((struct str){(char *)bytes, w.n}, &got));
		assert_true(note_apply(&got, &e));
		for (size_t n = 0; n < w.n; n++)
			assert_false(note_decode((struct str){(char *)bytes, n}, &got));
	}
	assert_int_equal(rcpts[1].state, RCPT_DELIVERED);
	assert_int_equal(rcpts[1].attempts, 2);
	assert_true(e.is_on_hold && e.is_sending);
	assert_str(e.hold_reason, "why");
	assert_false(note_apply(&(struct note_view){.kind = NOTE_RCPT, .rcpt = 2}, &e));
	/* An answer ends the sending. */
	assert_true(note_apply(&(struct note_view){.kind = NOTE_RCPT, .rcpt = 0}, &e));
	assert_false(e.is_sending);
}

static void random_metas(void **state)
{
	struct arena arena;
	random_seed(4);
	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[96];
		size_t n = (size_t)random_below(sizeof bytes);
		for (size_t i = 0; i < n; i++)
			bytes[i] =
				random_below(3) ? (uint8_t)random_below(8) : (uint8_t)random_u64();
		struct message_meta meta;
		struct spool_envelope e;
		struct note_view note;
		struct str s = {(char *)bytes, n};
		arena_init(&arena, SIZE_MAX);
		if (meta_decode(s, &meta))
			envelope_decode(meta.envelope, &arena, &e);
		envelope_decode(s, &arena, &e);
		note_decode(s, &note);
		assert_true(arena.used < 64 * 1024);
		arena_done(&arena);
	}
}

/* --- ids --- */

static void ids(void **state)
{
	static const uint64_t rows[] = {0, 1, 31, 32, 0x0123456789ABCDEF, UINT64_MAX};
	char before[SPOOL_ID_MAX] = "", text[SPOOL_ID_MAX];
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct spool_id got;
		struct str s = spool_id_text((struct spool_id){rows[i]}, text);
		assert_int_equal(s.n, 13);
		assert_true(strcmp(before, text) < 0); /* sorts as the numbers do */
		assert_true(spool_id_parse(s, &got));
		assert_int_equal(got.n, rows[i]);
		strcpy(before, text);
	}
	static const struct {
		const char *text;
		bool ok;
	} texts[] = {
		{"0000000000001", true},   {"000000000000l", true},  {"000000000000I", true},
		{"00000000000oi", true},   {"000000000000U", false}, {"000000000000-", false},
		{"00000000000001", false}, {"000000000001", false},  {"", false},
		{"g000000000000", false},  {"fzzzzzzzzzzzz", true},  {"0000000000 01", false},
	};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct spool_id got = {0};
		assert_row(spool_id_parse(str_from(texts[i].text), &got) == texts[i].ok,
			   texts[i].text);
		assert_row(!texts[i].ok || texts[i].text[0] == 'f' || got.n == 1, texts[i].text);
	}
}

/* --- scanning --- */

/* A segment of records, batch by batch; returns offsets. */
struct built {
	struct sim *sim;
	struct spool_dirs dirs;
	struct segment *g;
	uint32_t at, batch, offsets[16];
	unsigned n;
};

static void build(struct built *b)
{
	*b = (struct built){.sim = sim_new(1)};
	const struct spool_io *io = sim_io(b->sim);
	bool made;
	b->dirs.segments = io->open_dir(io->self, -1, "segments", &made);
	assert_int_equal(segment_create(io, &b->dirs,
					(struct segment_header){.size = 32768, .generation = 1},
					NULL, &b->g),
			 0);
	b->at = b->batch = SEGMENT_DATA;
}

static void add(struct built *b, uint64_t id, uint32_t meta_n)
{
	uint8_t bytes[RECORD_HEADER + 4096] = {0};
	memset(bytes + RECORD_HEADER, 'm', meta_n);
	const struct record_header h = {
		.type = RECORD_NOTE,
		.offset = b->at,
		.batch = b->batch,
		.meta_length = meta_n,
		.id = id,
		.meta_sum = record_sum(bytes + RECORD_HEADER, meta_n, b->g->seed),
		.body_sum = record_sum("", 0, b->g->seed)};
	record_header_encode(&h, b->g->seed, bytes);
	struct iovec v = {bytes, RECORD_HEADER + meta_n};
	const struct spool_io *io = sim_io(b->sim);
	assert_int_equal(io_write_all(io, b->g->fd, &v, 1, b->at, NULL), 0);
	b->offsets[b->n++] = b->at;
	b->at += RECORD_HEADER + meta_n;
}

static void spoil(struct built *b, uint32_t at, uint32_t n)
{
	uint8_t junk[64];
	memset(junk, 0x5A, sizeof junk);
	const struct spool_io *io = sim_io(b->sim);
	struct iovec v = {junk, n};
	assert_int_equal(io_write_all(io, b->g->fd, &v, 1, at, NULL), 0);
}

static void built_done(struct built *b)
{
	segment_unref(b->g);
	sim_free(b->sim);
}

static void sum_ids(void *arg, const struct record_header *h, const uint8_t *meta)
{
	*(uint64_t *)arg += (uint64_t)1 << h->id;
}

/* Records 0, 1 are of one sync, 2, 3 of the next. */
static void torn_or_damaged(void **state)
{
	static const struct {
		const char *name;
		int header, meta; /* which record's header or meta is spoiled; -1: none */
		bool is_sealed;
		uint64_t ids, damaged;
		bool is_torn;
	} rows[] = {
		{"whole", -1, -1, false, 0xF, 0, false},
		{"whole, sealed", -1, -1, true, 0xF, 0, false},
		{"last header", 3, -1, false, 0x7, 0, true},
		{"last meta", -1, 3, false, 0x7, 0, true},
		{"last header, sealed", 3, -1, true, 0x7, 1, false},
		{"last meta, sealed", -1, 3, true, 0x7, 1, false},
		{"within the last sync", 2, -1, false, 0xB, 0, true},
		{"meta within the last sync", -1, 2, false, 0xB, 0, true},
		{"within the last sync, sealed", 2, -1, true, 0xB, 1, false},
		{"synced header", 1, -1, false, 0xD, 1, false},
		{"synced meta", -1, 0, false, 0xE, 1, false},
		{"synced and torn", 0, 3, false, 0x6, 1, true},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct built b;
		struct scan_result r;
		uint64_t got = 0, again = 0;
		build(&b);
		add(&b, 0, 40);
		add(&b, 1, 800);
		b.batch = b.at;
		add(&b, 2, 16);
		add(&b, 3, 600);
		if (rows[i].header >= 0)
			spoil(&b, b.offsets[rows[i].header], 8);
		if (rows[i].meta >= 0)
			spoil(&b, b.offsets[rows[i].meta] + RECORD_HEADER, 8);
		segment_scan(b.g, rows[i].is_sealed ? (struct seal){b.at, b.at} : (struct seal){0},
			     sum_ids, &got, &r);
		assert_row(got == rows[i].ids, rows[i].name);
		assert_row(r.damaged == rows[i].damaged, rows[i].name);
		assert_row(r.is_torn == rows[i].is_torn, rows[i].name);
		/* Sealed by the next process, the same is no damage the next time either. */
		if (!rows[i].is_sealed) {
			segment_scan(b.g, (struct seal){r.end, r.torn}, sum_ids, &again, &r);
			assert_row(again == got && r.damaged == rows[i].damaged, rows[i].name);
		}
		built_done(&b);
	}
}

static void behind_the_seal_nothing_counts(void **state)
{
	struct built b;
	struct scan_result r;
	uint64_t got = 0;
	build(&b);
	add(&b, 0, 40);
	uint32_t end = b.at;
	add(&b, 1, 40);
	segment_scan(b.g, (struct seal){end, end}, sum_ids, &got, &r);
	assert_int_equal(got, 1);
	assert_int_equal(r.damaged, 0);
	assert_false(r.is_torn);
	assert_int_equal(r.end, end);
	built_done(&b);
}

/* A file that serves again: behind the tail stand the records of its last life. */
static void old_bytes_are_not_torn_records(void **state)
{
	static const struct {
		const char *name;
		uint32_t records, spoilt; /* bytes of the tail */
		bool has_tail, is_torn;
	} rows[] = {
		{"nothing written yet", 0, 0, true, false},
		{"two records", 2, 0, true, false},
		{"two records, and a third whose header got lost", 2, 0, false, true},
		{"a tail that rots", 2, 1, true, true},
		{"a tail that is zeroed or overwritten", 2, 64, true, true},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct built b;
		struct scan_result r;
		struct segment *old;
		uint8_t tail[RECORD_HEADER];
		uint64_t got = 0;
		build(&b);
		for (uint64_t id = 0; id < 12; id++)
			add(&b, id, 104);
		const struct spool_io *io = sim_io(b.sim);
		old = b.g;
		assert_int_equal(io->rename(io->self, b.dirs.segments, "0000000000000001.seg",
					    b.dirs.segments, "spare0"),
				 0);
		assert_int_equal(
			segment_create(io, &b.dirs,
				       (struct segment_header){.size = 32768, .generation = 2},
				       "spare0", &b.g),
			0);
		segment_unref(old);
		b.at = b.batch = SEGMENT_DATA;
		for (uint64_t id = 0; id < rows[i].records; id++)
			add(&b, id + 20, 40);
		record_tail_encode(b.at, b.g->seed, tail);
		struct iovec v = {tail, sizeof tail};
		if (rows[i].has_tail)
			assert_int_equal(io_write_all(io, b.g->fd, &v, 1, b.at, NULL), 0);
		if (rows[i].spoilt)
			spoil(&b, b.at, rows[i].spoilt);
		segment_scan(b.g, (struct seal){0}, sum_ids, &got, &r);
		assert_row(got == (rows[i].records ? 3u << 20 : 0), rows[i].name);
		assert_row(r.end == b.at && r.damaged == 0, rows[i].name);
		assert_row(r.is_torn == rows[i].is_torn, rows[i].name);
		built_done(&b);
	}
}

/* A stranger's message that contains a whole segment, byte for byte. */
static void records_within_a_body_are_none(void **state)
{
	struct built b, victim;
	struct scan_result r;
	uint64_t got = 0;
	build(&b);
	add(&b, 0, 40);
	add(&b, 1, 40);
	build(&victim);
	uint8_t copy[2 * (RECORD_HEADER + 40)];
	const struct spool_io *io = sim_io(b.sim), *to = sim_io(victim.sim);
	assert_int_equal(io_read_all(io, b.g->fd, copy, sizeof copy, SEGMENT_DATA), 0);
	struct iovec v = {copy, sizeof copy};
	assert_int_equal(io_write_all(to, victim.g->fd, &v, 1, SEGMENT_DATA, NULL), 0);
	segment_scan(victim.g, (struct seal){0}, sum_ids, &got, &r);
	assert_int_equal(got, 0);
	assert_true(r.is_torn);
	built_done(&b);
	built_done(&victim);
}

static void unreadable_pages(void **state)
{
	struct built b;
	struct scan_result r;
	uint64_t got = 0;
	build(&b);
	add(&b, 0, 40);
	add(&b, 1, 40);
	/* For a while: a later attempt reads it. */
	sim_fault(b.sim, SIM_READ, 1, 7, 5);
	segment_scan(b.g, (struct seal){0}, sum_ids, &got, &r);
	assert_int_equal(got, 3);
	assert_int_equal(r.damaged, 0);
	/* For good: never a crash, never silence. */
	got = 0;
	sim_fault(b.sim, SIM_READ, 1, UINT32_MAX, 5);
	segment_scan(b.g, (struct seal){0}, sum_ids, &got, &r);
	assert_int_equal(got, 0);
	assert_true(r.damaged > 0);
	built_done(&b);
}

static void both_headers_hold(void **state)
{
	for (int which = 0; which < 3; which++) {
		struct built b;
		struct segment_header h;
		struct segment *again;
		bool has_header;
		build(&b);
		if (which != 1)
			spoil(&b, 0, 16);
		if (which != 0)
			spoil(&b, SEGMENT_HEADER_COPY, 16);
		assert_int_equal(
			segment_open(sim_io(b.sim), &b.dirs, 1, false, &h, &has_header, &again), 0);
		assert_int_equal(has_header, which != 2);
		if (has_header)
			assert_int_equal(again->seed, b.g->seed);
		segment_unref(again);
		built_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segment_headers),
		cmocka_unit_test(seeds_differ),
		cmocka_unit_test(record_headers),
		cmocka_unit_test(record_header_limits),
		cmocka_unit_test(sums_of_pieces),
		cmocka_unit_test(envelopes),
		cmocka_unit_test(lying_counts),
		cmocka_unit_test(every_cause_survives),
		cmocka_unit_test(notes),
		cmocka_unit_test(random_metas),
		cmocka_unit_test(ids),
		cmocka_unit_test(torn_or_damaged),
		cmocka_unit_test(behind_the_seal_nothing_counts),
		cmocka_unit_test(old_bytes_are_not_torn_records),
		cmocka_unit_test(records_within_a_body_are_none),
		cmocka_unit_test(unreadable_pages),
		cmocka_unit_test(both_headers_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

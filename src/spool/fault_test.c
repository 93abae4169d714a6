/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that fail and bytes that rot: every call of the I/O table is made to fail in turn, and
 * random damage is done to every kind of file. Refusals and reports are fine; loss, wrong bytes,
 * silence and ending are not.
 */
#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/test.h"
#include "spool/io_sim.h"
#include "spool/segment.h"
#include "spool/spool.h"

#include <errno.h>
#include <stdlib.h>

enum { MAIL_MAX = 64 };

struct mail {
	struct spool_id id;
	size_t size;
	bool is_acked, is_done, is_delivered;
	bool is_found, is_readable;
};
struct world {
	struct sim *sim;
	struct group group;
	struct spool *spool;
	struct mail mails[MAIL_MAX];
	size_t n;
	struct spool_stats stats; /* of the last open */
	unsigned strangers;
};

static unsigned events; /* lines logged, warnings and worse */

static void count_events(void *arg, enum log_level level, struct str line)
{
	events += level >= LOG_WARN_;
}

static const struct spool_conf conf = {
	.directory = {"spool", 5},
	.segment_size = 16 * 1024,
	.inline_max = 2048,
	.inodes_min = 10,
	.reserve = 16 * 1024,
	.batch_max = 4,
};

static char byte_at(size_t mail, size_t at)
{
	return (char)((mail * 131 + at * 7 + (at >> 8)) & 0x7F);
}

static struct mail *find(struct world *w, struct spool_id id)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->mails[i].id.n == id.n)
			return &w->mails[i];
	return NULL;
}

static void on_recovered(void *arg, struct spool_id id, const struct spool_envelope *e,
			 uint64_t size)
{
	struct world *w = arg;
	struct mail *mail = find(w, id);
	w->strangers += !mail;
	if (mail) {
		mail->is_found = true;
		mail->is_delivered = e->rcpts[0].state == RCPT_DELIVERED;
	}
}

WAITS static bool open_spool(struct world *w, struct err *err)
{
	for (size_t i = 0; i < w->n; i++)
		w->mails[i].is_found = w->mails[i].is_readable = false;
	w->strangers = 0;
	return spool_open(&conf, sim_io(w->sim), &w->group, on_recovered, w, &w->spool, err);
}

static struct spool_rcpt one[] = {{.address = {"a@example.org", 13}}};
static const struct spool_envelope envelope = {
	.sender = {"s@example.net", 13}, .rcpts = one, .n_rcpts = 1};

WAITS static bool send_mail(struct world *w, size_t size, struct err *err)
{
	assert_true(w->n < MAIL_MAX);
	size_t number = w->n++;
	struct mail *mail = &w->mails[number];
	*mail = (struct mail){.id = spool_next_id(w->spool), .size = size};
	auto_free char *bytes = mem_alloc(size);
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(number, i);
	struct spool_body *b = spool_body_new(w->spool);
	bool ok = spool_body_write(b, (struct str){bytes, size}, err) &&
		  spool_accept(w->spool, mail->id, &envelope, STR(""), NULL, 0, b, err);
	if (!ok)
		spool_body_drop(b);
	mail->is_acked = ok;
	return ok;
}

/* Right bytes, or an error: never wrong ones. */
WAITS static bool read_mail(struct world *w, struct mail *mail)
{
	struct err err;
	size_t number = (size_t)(mail - w->mails), at = 0, got;
	auto_free char *bytes = mem_alloc(mail->size + 1);
	do {
		if (!spool_read(w->spool, mail->id, at, bytes, mail->size + 1, &got, &err))
			return false;
		for (size_t i = 0; i < got; i++)
			assert_int_equal(bytes[i], byte_at(number, at + i));
		at += got;
	} while (got > 0);
	assert_int_equal(at, mail->size);
	return true;
}

static const struct spool_rcpt delivered = {.state = RCPT_DELIVERED, .last_reply = {"250 ok", 6}};

/* A short life with everything in it: small and large mail, states, ends, several segments,
 * compaction. */
WAITS static void live(struct world *w)
{
	struct err err;
	for (int i = 0; i < 24; i++) {
		size_t size = i % 6 == 2 ? 5000 : (size_t)i * 150 % 2000;
		if (!send_mail(w, size, &err)) {
			assert_int_equal(err.cause, CAUSE_STORAGE);
			assert_true(err.is_temporary);
			continue;
		}
		struct mail *mail = &w->mails[w->n - 1];
		if (i % 8 != 0) {
			mail->is_done = true;
			spool_note_sending(w->spool, mail->id);
			spool_note_done(w->spool, mail->id);
		} else {
			spool_note_rcpt(w->spool, mail->id, 0, &delivered);
			read_mail(w, mail);
		}
		if (i % 5 == 0)
			assert_true(rt_sleep(2 * USEC_S, "test", &err));
	}
}

/* --- calls that fail --- */

struct trial {
	enum sim_call call;
	unsigned first, count;
	int error;
	bool is_reached; /* the workload makes so many calls */
	char name[80];
};

WAITS static void check_after(struct world *w, struct trial *t)
{
	/* When several calls fail, cancel records may not get written (README.md, window 4). */
	bool is_strict = t->count == 1;
	/* Sectors that can never be read are damage; that is reported, and what can be read is
	 * delivered. */
	if (t->call == SIM_READ && t->count > 10 && w->stats.damaged_records > 0)
		return;
	assert_row(w->stats.damaged_records == 0, t->name);
	for (size_t i = 0; i < w->n; i++) {
		struct mail *mail = &w->mails[i];
		if (mail->is_acked && !mail->is_done) {
			assert_row(mail->is_found, t->name);
			assert_row(read_mail(w, mail), t->name);
			assert_row(mail->is_delivered, t->name);
		}
		if (is_strict)
			assert_row(!mail->is_found || (mail->is_acked && !mail->is_done), t->name);
	}
	assert_row(w->strangers == 0, t->name);
}

WAITS static void trial_fiber(void *arg)
{
	struct trial *t = ((void **)arg)[0];
	struct world *w = ((void **)arg)[1];
	struct err err;
	uint64_t damaged = 0;
	group_init(&w->group, "spool");
	sim_fault(w->sim, t->call, t->first, t->count, t->error);
	if (open_spool(w, &err)) {
		live(w);
		t->is_reached = sim_faults_met(w->sim) > 0;
		sim_fault_clear(w->sim);
		/* The fault is over: within seconds all is well again. */
		assert_row(rt_sleep(5 * USEC_S, "test", &err), t->name);
		assert_row(spool_has_room(w->spool, 0, &err), t->name);
		assert_row(send_mail(w, 100, &err), t->name);
		spool_stats(w->spool, &w->stats);
		damaged = w->stats.damaged_records;
		spool_note_rcpt(w->spool, w->mails[w->n - 1].id, 0, &delivered);
		spool_close(w->spool);
	} else {
		t->is_reached = true;
		assert_row(t->error != SIM_SHORT && err.cause == CAUSE_STORAGE, t->name);
		sim_fault_clear(w->sim);
	}
	assert_row(open_spool(w, &err), t->name);
	spool_stats(w->spool, &w->stats);
	w->stats.damaged_records += damaged; /* what was reported then may have been put away */
	check_after(w, t);
	/* And what is there can be lived with. */
	assert_row(send_mail(w, 3000, &err) && read_mail(w, &w->mails[w->n - 1]), t->name);
	spool_close(w->spool);
	group_done(&w->group);
}

/* Disks that have seen better days: a spool from before, with one message in it. */
WAITS static void first_life(void *arg)
{
	struct world *w = arg;
	struct err err;
	group_init(&w->group, "spool");
	assert_true(open_spool(w, &err));
	assert_true(send_mail(w, 300, &err) && send_mail(w, 4000, &err));
	for (size_t i = 0; i < 2; i++) {
		spool_note_rcpt(w->spool, w->mails[i].id, 0, &delivered);
	}
	spool_close(w->spool);
	group_done(&w->group);
}

static void in_runtime(WAITS void (*fn)(void *arg), void *arg, uint64_t seed)
{
	static int64_t days = 1; /* the clock goes on, or ids would come again */
	struct rt_options options = {
		.is_fake = true, .seed = seed, .fake_wall = {days++ * USEC_DAY}};
	struct err err;
	if (!rt_run(&options, fn, arg, &err))
		fail_msg("%s", err.text);
}

static bool run_trial(struct trial *t, bool is_on_old)
{
	struct world *w = mem_new(struct world);
	w->sim = sim_new(t->first);
	snprintf(t->name, sizeof t->name, "%s %s: %s, call %u, %u times", is_on_old ? "old" : "new",
		 t->error == SIM_SHORT ? "short" : strerrorname_np(t->error),
		 sim_call_name(t->call), t->first, t->count);
	if (is_on_old)
		in_runtime(first_life, w, 1);
	in_runtime(trial_fiber, (void *[]){t, w}, t->first);
	sim_free(w->sim);
	free(w);
	return t->is_reached;
}

static void every_call_fails_once_or_often(void **state)
{
	static const struct {
		int error;
		unsigned count;
	} kinds[] = {{EIO, 1},	     {ENOSPC, 1},
		     {EIO, 7},	     {ENOSPC, UINT32_MAX},
		     {SIM_SHORT, 1}, {SIM_SHORT, UINT32_MAX}};
	unsigned trials = 0;
	for (int call = 0; call < SIM_CALLS; call++) {
		for (size_t kind = 0; kind < COUNT(kinds); kind++) {
			bool is_reached = true;
			if (kinds[kind].error == SIM_SHORT && call != SIM_WRITE)
				continue;
			/* Each of the first calls, then some of the many. */
			for (unsigned first = 1; is_reached && first < 200;
			     first += first < 20 ? 1 : 7) {
				struct trial t = {(enum sim_call)call, first, kinds[kind].count,
						  kinds[kind].error};
				bool is_reached_old = run_trial(&t, true);
				t.is_reached = false;
				is_reached = run_trial(&t, false) || is_reached_old;
				trials += 2;
			}
		}
	}
	print_message("%u trials\n", trials);
	assert_true(trials > 600);
}

/* --- bytes that rot --- */

struct file {
	char name[40];
	uint8_t *bytes;
	size_t n;
};
struct files {
	struct file items[64];
	size_t n;
};

static void take_file(void *arg, const char *name, uint8_t *bytes, size_t n)
{
	struct files *f = arg;
	if (f->n < 64 && n > 0 && strcmp(name, "reserve") != 0) {
		snprintf(f->items[f->n].name, sizeof f->items[0].name, "%s", name);
		f->items[f->n].bytes = bytes;
		f->items[f->n++].n = n;
	}
}

enum damage { FLIP_BIT, GARBAGE, ZEROS, CUT, DAMAGES };

/* Returns whether anything that counts was changed. */
static bool do_damage(struct world *w, enum damage kind)
{
	struct files f = {.n = 0};
	const char *path = random_below(4) ? "spool/segments" : "spool/large";
	sim_each_file(w->sim, path, take_file, &f);
	if (f.n == 0)
		return false;
	struct file *file = &f.items[random_below(f.n)];
	size_t at = (size_t)random_below(file->n), n = 1 + (size_t)random_below(600);
	n = n < file->n - at ? n : file->n - at;
	if (kind == CUT) {
		sim_cut_file(w->sim, path, file->name, at);
		return true;
	}
	auto_free uint8_t *before = mem_alloc(n);
	memcpy(before, file->bytes + at, n);
	if (kind == FLIP_BIT)
		file->bytes[at] ^= (uint8_t)(1 << random_below(8));
	for (size_t i = 0; kind != FLIP_BIT && i < n; i++)
		file->bytes[at + i] = kind == ZEROS ? 0 : (uint8_t)random_u64();
	return memcmp(before, file->bytes + at, n) != 0;
}

WAITS static void first_life_long(void *arg)
{
	struct world *w = arg;
	struct err err;
	group_init(&w->group, "spool");
	assert_true(open_spool(w, &err));
	for (int i = 0; i < 20; i++)
		assert_true(send_mail(w, i % 5 == 1 ? 4000 : (size_t)i * 190 % 2000, &err));
	for (size_t i = 0; i < w->n; i++)
		spool_note_rcpt(w->spool, w->mails[i].id, 0, &delivered);
	spool_close(w->spool);
	group_done(&w->group);
}

WAITS static void second_life(void *arg)
{
	struct world *w = arg;
	struct err err;
	group_init(&w->group, "spool");
	if (!open_spool(w, &err))
		fail_msg("%s", err.text); /* a start that fails for damage would fail for ever */
	for (size_t i = 0; i < w->n; i++)
		if (w->mails[i].is_found)
			w->mails[i].is_readable = read_mail(w, &w->mails[i]);
	assert_int_equal(w->strangers, 0);
	spool_stats(w->spool, &w->stats);
	/* Life goes on. */
	assert_true(send_mail(w, 500, &err));
	assert_true(rt_sleep(5 * USEC_S, "test", &err));
	assert_true(spool_remove(w->spool, w->mails[--w->n].id, &err));
	spool_close(w->spool);
	group_done(&w->group);
}

static void rot_is_never_silent(void **state)
{
	unsigned lost_in_all = 0, rounds = 400;
	random_seed(1);
	for (unsigned round = 0; round < rounds; round++) {
		enum damage kind = round % DAMAGES;
		struct world *w = mem_new(struct world);
		w->sim = sim_new(round);
		in_runtime(first_life_long, w, round);
		random_seed(round);
		bool is_damaged = do_damage(w, kind);
		events = 0;
		in_runtime(second_life, w, round);
		unsigned lost = 0, undelivered = 0;
		for (size_t i = 0; i < w->n; i++) {
			lost += !w->mails[i].is_readable;
			undelivered += !w->mails[i].is_delivered && w->mails[i].is_found;
		}
		lost_in_all += lost;
		if (!is_damaged)
			assert_int_equal(lost, 0);
		/* One bit is one record at most. */
		if (kind == FLIP_BIT)
			assert_true(lost + undelivered <= 1);
		if (lost || undelivered) {
			bool is_noticed = w->stats.damaged_records || w->stats.torn_ends;
			for (size_t i = 0; i < w->n; i++) /* or when it was read */
				is_noticed |= w->mails[i].is_found && !w->mails[i].is_readable;
			if (!is_noticed)
				fail_msg("round %u: %u messages lost in silence", round, lost);
			assert_true(events > 0 || !w->stats.damaged_records);
		}
		/* The third start finds no crash loop either. */
		in_runtime(second_life, w, round);
		sim_free(w->sim);
		free(w);
	}
	print_message("%u damaged spools, %u messages reported as lost\n", rounds, lost_in_all);
	assert_true(lost_in_all > 50);
}

/* --- what is damaged is kept --- */

struct watch {
	struct world *w;
	char name[SEGMENT_NAME_MAX];
	unsigned missing, images;
};

static void look_for(void *arg, const char *name, uint8_t *bytes, size_t n)
{
	struct watch *watch = arg;
	if (strcmp(name, watch->name) == 0)
		watch->missing = 0;
}

static void on_change(void *arg, struct sim *sim)
{
	struct watch *watch = arg;
	unsigned before = watch->missing;
	for (uint64_t seed = 0; seed < 4; seed++) {
		struct sim *image = sim_crash(sim, SIM_POWER_SOME, seed + sim_changes(sim) * 4);
		watch->missing = 1;
		sim_each_file(image, "spool/segments", look_for, watch);
		sim_each_file(image, "spool/damaged", look_for, watch);
		before += watch->missing;
		watch->images++;
		sim_free(image);
	}
	watch->missing = before;
}

static unsigned times_missing(enum spool_sync skipped)
{
	struct world *w = mem_new(struct world);
	struct files f = {.n = 0};
	struct watch watch = {.w = w};
	w->sim = sim_new(1);
	in_runtime(first_life_long, w, 1);
	sim_each_file(w->sim, "spool/segments", take_file, &f);
	segment_name(1, "seg", watch.name);
	for (size_t i = 0; i < f.n; i++)
		if (strcmp(f.items[i].name, watch.name) == 0)
			f.items[i].bytes[SEGMENT_DATA + 100] ^= 1;
	sim_skip_sync(w->sim, skipped);
	sim_on_change(w->sim, on_change, &watch);
	in_runtime(second_life, w, 1);
	sim_on_change(w->sim, NULL, NULL);
	unsigned n = 0;
	f.n = 0;
	sim_each_file(w->sim, "spool/damaged", take_file, &f);
	for (size_t i = 0; i < f.n; i++)
		n += strcmp(f.items[i].name, watch.name) == 0;
	assert_int_equal(n, 1); /* out of the way, and there */
	assert_true(watch.images > 20);
	unsigned readable = 0;
	for (size_t i = 0; i < w->n; i++)
		readable += w->mails[i].is_readable;
	assert_int_equal(readable, w->n - 1);
	sim_free(w->sim);
	free(w);
	return watch.missing;
}

static void damaged_segments_are_kept(void **state)
{
	assert_int_equal(times_missing(SYNC_SITES), 0);
	assert_true(times_missing(SYNC_DAMAGED_DIR) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_fails_once_or_often),
		cmocka_unit_test(rot_is_never_silent),
		cmocka_unit_test(damaged_segments_are_kept),
	};
	log_open(LOG_TEXT, LOG_INFO_, count_events, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

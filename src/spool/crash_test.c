/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power cuts and kills at any moment: what was acknowledged is there, what was refused is not, and
 * no sync can be left out.
 *
 * A workload runs on the simulated disk. After each change of the disk, and after each answer,
 * crash images are made and recovered, and compared with a model of what the spool has promised
 * until then. The workload itself goes through power cuts, kills and failing syncs. Seeded
 * throughout.
 */
#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/test.h"
#include "spool/io_sim.h"
#include "spool/recover.h"
#include "spool/spool.h"
#include "spool/stored.h"

#include <stdlib.h>

enum { MAIL_MAX = 600, CLIENTS = 5, RCPTS = 2, NEVER = 0 };

/* --- the model: what was promised, and when (a serial number of events) --- */

struct promise {
	uint64_t made;	  /* said to the spool; NEVER: not */
	uint64_t durable; /* must survive from here on; NEVER: not yet */
};
struct mail {
	uint64_t id;
	size_t size;
	uint64_t seed;
	bool is_acked, is_refused;
	bool is_open; /* neither: in the balance until the next recovery has spoken */
	struct promise done, delivered[RCPTS];
};
struct model {
	struct mail mails[MAIL_MAX];
	size_t n;
	uint64_t serial;
	bool is_silent;	 /* the process is dead: nobody hears its answers */
	bool is_unlucky; /* several syncs fail in a row: a cancel record may not get written (window
			    4) */
};

static struct mail *mail_find(struct model *m, uint64_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->mails[i].id == id)
			return &m->mails[i];
	return NULL;
}

static void settle_promise(struct promise *p, uint64_t until)
{
	if (p->made && p->made <= until && !p->durable)
		p->durable = until;
}

/* All that was said up to `until` is durable now. */
static void settle_until(struct model *m, uint64_t until)
{
	for (size_t i = 0; i < m->n && !m->is_silent; i++) {
		settle_promise(&m->mails[i].done, until);
		for (int r = 0; r < RCPTS; r++)
			settle_promise(&m->mails[i].delivered[r], until);
	}
}

static void promise(struct model *m, struct promise *p)
{
	if (!m->is_silent && !p->made)
		p->made = ++m->serial;
}

/* Bytes that anybody can make again. */
static uint8_t byte_at(const struct mail *mail, size_t at)
{
	return (uint8_t)(((at + 1) * 2654435761u + mail->seed * 40503u) >> 9);
}

/* --- images --- */

struct checker {
	struct model *model;
	uint64_t images, violations;
	char first[300]; /* the first violation */
	uint64_t random;
};

static void violation(struct checker *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void violation(struct checker *c, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (!c->violations++)
		vsnprintf(c->first, sizeof c->first, format, args);
	va_end(args);
}

static void check_bytes(struct checker *c, struct recovery *r, const struct message *m,
			const struct mail *mail)
{
	struct stored stored = stored_of(m, r->io, &r->dirs);
	if (m->size != mail->size + 2 || stored_check(&stored) < 0) {
		violation(c, "message %zu: damaged", mail - c->model->mails);
		return;
	}
	auto_free uint8_t *got = mem_alloc((size_t)m->size);
	if (stored_read(&stored, 0, got, (size_t)m->size) != (int64_t)m->size ||
	    memcmp(got, "P:", 2) != 0)
		violation(c, "message %zu: cannot be read", mail - c->model->mails);
	for (size_t i = 0; i < mail->size; i++)
		if (got[i + 2] != byte_at(mail, i)) {
			violation(c, "message %zu: other bytes", mail - c->model->mails);
			return;
		}
}

static void check_states(struct checker *c, struct recovery *r, struct message *m,
			 const struct mail *mail)
{
	struct stored stored = stored_of(m, r->io, &r->dirs);
	struct message_meta meta;
	struct spool_envelope e;
	auto_arena struct arena arena;
	arena_init(&arena, SIZE_MAX);
	uint8_t *record = arena_alloc(&arena, stored_meta_size(&stored));
	if (stored_meta(&stored, record, true, &meta) < 0 ||
	    !envelope_decode(meta.envelope, &arena, &e) || e.n_rcpts != RCPTS ||
	    !str_eq(e.sender, STR("s@example.net"))) {
		violation(c, "message %zu: no envelope", mail - c->model->mails);
		return;
	}
	message_apply_notes(m, &arena, &e);
	for (int i = 0; i < RCPTS; i++) {
		bool is_delivered = e.rcpts[i].state == RCPT_DELIVERED;
		if (mail->delivered[i].durable && !is_delivered)
			violation(c, "message %zu: recipient %d would get it twice",
				  mail - c->model->mails, i);
		if (!mail->delivered[i].made && is_delivered)
			violation(c, "message %zu: recipient %d would never get it",
				  mail - c->model->mails, i);
	}
}

static void check_index(struct checker *c, struct recovery *r)
{
	struct model *model = c->model;
	if (r->damaged)
		violation(c, "damage where only power failed: %.*s",
			  STR_ARG(buf_view(&r->findings)));
	for (size_t i = 0; i < model->n; i++) {
		struct mail *mail = &model->mails[i];
		struct message *m = index_get(&r->index, mail->id);
		if (mail->is_acked && !mail->is_open && !mail->done.made && !m)
			violation(c, "message %zu: lost", i);
		if (m && mail->done.durable)
			violation(c, "message %zu: back after its end", i);
		if (m && mail->is_refused && !mail->is_open)
			violation(c, "message %zu: refused, and there", i);
		if (m) {
			check_bytes(c, r, m, mail);
			check_states(c, r, m, mail);
		}
	}
	auto_free struct message **all = index_sorted(&r->index);
	for (size_t i = 0; i < r->index.n; i++)
		if (!mail_find(model, all[i]->id))
			violation(c, "a message that nobody sent");
}

static void count_file(void *arg, const char *name, uint8_t *bytes, size_t n)
{
	++*(size_t *)arg;
}

static void count_made(void *arg, const char *name, uint8_t *bytes, size_t n)
{
	*(size_t *)arg += str_ends(str_from(name), STR(".new"));
}

/* Nothing is left behind that nobody will ever look at. */
static void check_tidy(struct checker *c, const struct recovery *r, struct sim *image)
{
	size_t large = 0, live = 0, left = 0;
	auto_free struct message **all = index_sorted(&r->index);
	for (size_t i = 0; i < r->index.n; i++)
		live += all[i]->is_large;
	sim_each_file(image, "spool/large", count_file, &large);
	sim_each_file(image, "spool/incoming", count_file, &left);
	sim_each_file(image, "spool/segments", count_made, &left);
	if (large != live || left)
		violation(c, "%zu bodies for %zu large messages, %zu other files", large, live,
			  left);
}

static void check_disk(struct checker *c, struct sim *image)
{
	struct recovery r = {.io = sim_io(image)};
	struct err err;
	c->images++;
	if (!spool_dirs_open(r.io, "spool", false, &r.dirs, &err)) {
		violation(c, "%s", err.text);
		return;
	}
	if (recover(&r, &err)) {
		check_index(c, &r);
		check_tidy(c, &r, image);
	} else {
		violation(c, "%s", err.text);
	}
	recovery_done(&r);
	spool_dirs_close(r.io, &r.dirs);
}

static uint64_t draw(struct checker *c)
{
	uint64_t z = c->random += 0x9E3779B97F4A7C15;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
	return z ^ (z >> 29);
}

static void crash_once(struct checker *c, const struct sim *disk)
{
	uint64_t seed = draw(c);
	struct sim *image = sim_crash(disk, (enum sim_crash)(seed % 4), seed);
	check_disk(c, image);
	if (seed / 4 % 4 == 0) {
		/* And again, right after recovery has tidied up. */
		struct sim *second = sim_crash(image, (enum sim_crash)(seed / 16 % 4), seed + 1);
		check_disk(c, second);
		sim_free(second);
	}
	sim_free(image);
}

/* --- the workload --- */

struct run {
	struct checker *checker;
	struct model *model;
	struct sim *disk;
	struct spool *spool;
	struct group group;
	unsigned image_every; /* changes of the disk */
	unsigned phase;
	bool is_busy;
	bool ends_well;
};

static void on_change(void *arg, struct sim *disk)
{
	struct run *run = arg;
	if (run->image_every && draw(run->checker) % run->image_every == 0)
		crash_once(run->checker, disk);
}

/* Between two changes too: an answer that nothing on the disk backs yet is the worst mistake of
 * all. */
static void answered(struct run *run)
{
	if (!run->model->is_silent && draw(run->checker) % 4 == 0)
		crash_once(run->checker, run->disk);
}

/* Once the process is dead, nothing that it says is heard. */
static bool is_dead(struct run *run)
{
	run->model->is_silent |= sim_is_frozen(run->disk);
	return run->model->is_silent;
}

static struct spool_rcpt rcpts[RCPTS] = {{.address = {"a@example.org", 13}},
					 {.address = {"b@example.org", 13}}};
static const struct spool_envelope envelope = {
	.sender = {"s@example.net", 13}, .rcpts = rcpts, .n_rcpts = RCPTS};

WAITS static bool write_body(struct spool_body *b, const struct mail *mail, struct err *err)
{
	uint8_t bytes[512];
	for (size_t at = 0, part; at < mail->size; at += part) {
		part = mail->size - at < sizeof bytes ? mail->size - at : sizeof bytes;
		for (size_t i = 0; i < part; i++)
			bytes[i] = byte_at(mail, at + i);
		if (!spool_body_write(b, (struct str){(char *)bytes, part}, err))
			return false;
	}
	return true;
}

WAITS static struct mail *send_one(struct run *run)
{
	struct model *m = run->model;
	struct err err;
	if (m->n == MAIL_MAX)
		return NULL;
	struct mail *mail = &m->mails[m->n++];
	uint64_t kind = draw(run->checker) % 8;
	*mail = (struct mail){.seed = draw(run->checker) % 100000,
			      .id = spool_next_id(run->spool).n};
	mail->size = (size_t)(draw(run->checker) % (run->is_busy ? 300
						    : kind == 0	 ? 9000
						    : kind < 3	 ? 3000
								 : 700));
	struct spool_body *b = spool_body_new(run->spool);
	uint64_t serial = m->serial;
	bool ok = write_body(b, mail, &err) && spool_accept(run->spool, (struct spool_id){mail->id},
							    &envelope, STR("P:"), NULL, 0, b, &err);
	if (!ok)
		spool_body_drop(b);
	if (is_dead(run))
		return NULL;
	mail->is_acked = ok;
	mail->is_refused = !ok;
	mail->is_open = !ok && m->is_unlucky;
	/* What was appended before it was synced with it. */
	if (ok)
		settle_until(m, serial);
	answered(run);
	return ok ? mail : NULL;
}

static void deliver(struct run *run, struct mail *mail, int rcpt)
{
	static const struct spool_rcpt delivered = {
		.state = RCPT_DELIVERED, .attempts = 1, .last_reply = {"250 ok", 6}};
	promise(run->model, &mail->delivered[rcpt]);
	spool_note_rcpt(run->spool, (struct spool_id){mail->id}, (size_t)rcpt, &delivered);
}

WAITS static void finish(struct run *run, struct mail *mail)
{
	struct spool_id id = {mail->id};
	struct err err;
	promise(run->model, &mail->done);
	if (draw(run->checker) % 4 > 0) {
		spool_note_done(run->spool, id);
		return;
	}
	struct deadline d;
	deadline_push(&d, 5 * USEC_S, "test"); /* a dead disk never answers */
	bool ok = spool_remove(run->spool, id, &err);
	deadline_pop(&d);
	if (is_dead(run) || !ok)
		return;
	mail->done.durable = run->model->serial;
	answered(run);
}

static struct mail *pick_live(struct run *run)
{
	struct model *m = run->model;
	for (int tries = 0; tries < 8 && m->n; tries++) {
		struct mail *mail = &m->mails[draw(run->checker) % m->n];
		if (mail->is_acked && !mail->done.made)
			return mail;
	}
	return NULL;
}

WAITS static void act(struct run *run)
{
	struct err err;
	struct mail *mail;
	switch (draw(run->checker) % 8) {
	case 0:
	case 1:
	case 2:
		mail = send_one(run);
		/* Most mail is delivered at once. */
		if (mail && (run->is_busy || draw(run->checker) % 3)) {
			spool_note_sending(run->spool, (struct spool_id){mail->id});
			deliver(run, mail, 0);
			deliver(run, mail, 1);
			finish(run, mail);
		}
		break;
	case 3:
	case 4:
		if ((mail = pick_live(run)))
			deliver(run, mail, (int)(draw(run->checker) % RCPTS));
		break;
	case 5:
	case 6:
		if ((mail = pick_live(run)))
			finish(run, mail);
		break;
	default:
		if (draw(run->checker) % 3 == 0) {
			/* Notes that nobody waits for are promised within a second, of a disk that
			 * takes any. */
			uint64_t serial = run->model->serial;
			if (rt_sleep(2 * USEC_S, "test", &err) && !is_dead(run) &&
			    !run->model->is_unlucky) {
				settle_until(run->model, serial);
				answered(run);
			}
		} else {
			rt_sleep((usec_t)(draw(run->checker) % 3000), "test", &err);
		}
	}
}

WAITS static void client(void *arg)
{
	struct run *run = arg;
	unsigned n = 6 + (unsigned)(draw(run->checker) % (run->is_busy ? 60 : 14));
	for (unsigned i = 0; i < n && !is_dead(run); i++)
		act(run);
}

/* A new process: what it finds is what there is from now on. */
static void on_recovered(void *arg, struct spool_id id, const struct spool_envelope *e,
			 uint64_t size)
{
	struct run *run = arg;
	struct mail *mail = mail_find(run->model, id.n);
	if (!mail) {
		violation(run->checker, "a message that nobody sent was recovered");
		return;
	}
	if (mail->is_refused && !mail->is_open)
		violation(run->checker, "a refused message was recovered");
	mail->is_acked = true;
	mail->is_refused = mail->is_open = false;
	mail->done.made = mail->done.durable; /* the note was lost, within its window */
	for (int i = 0; i < RCPTS; i++) {
		struct promise *p = &mail->delivered[i];
		p->made = p->durable =
			e->rcpts[i].state == RCPT_DELIVERED ? ++run->model->serial : NEVER;
	}
}

/* What was not durable when the process died is decided by what recovery finds. */
static void before_recovery(struct model *m)
{
	m->is_silent = false;
	for (size_t i = 0; i < m->n; i++) {
		struct mail *mail = &m->mails[i];
		mail->is_open |= (!mail->is_acked && !mail->is_refused) ||
				 (mail->done.made && !mail->done.durable);
	}
}

static void after_recovery(struct model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct mail *mail = &m->mails[i];
		if (!mail->is_open)
			continue;
		/* Not there: never to be seen again. */
		mail->is_open = mail->is_acked = false;
		mail->is_refused = true;
	}
}

static const struct spool_conf conf = {
	.directory = {"spool", 5},
	.segment_size = 24 * 1024,
	.inline_max = 2048,
	.inodes_min = 10,
	.reserve = 16 * 1024,
	.batch_max = 4,
};

WAITS static void process(void *arg)
{
	struct run *run = arg;
	struct group clients;
	struct err err;
	group_init(&run->group, "spool");
	before_recovery(run->model);
	if (!spool_open(&conf, sim_io(run->disk), &run->group, on_recovered, run, &run->spool,
			&err)) {
		if (!is_dead(run))
			violation(run->checker, "cannot open: %s", err.text);
		group_done(&run->group);
		return;
	}
	after_recovery(run->model);
	answered(run);
	group_init(&clients, "clients");
	for (int i = 0; i < CLIENTS; i++)
		group_go(&clients, "client", client, run, &err);
	group_wait(&clients, &err);
	group_done(&clients);
	is_dead(run);
	uint64_t serial = run->model->serial;
	spool_close(run->spool);
	group_done(&run->group);
	if (!is_dead(run) && !run->model->is_unlucky) {
		settle_until(run->model, serial);
		answered(run);
	}
}

/* The process dies at any change, or right after it has unlinked something; syncs fail; both; or
 * nothing happens. */
static bool arrange_phase(struct run *run)
{
	uint64_t luck = draw(run->checker) % 8;
	unsigned failures = luck == 7 ? 2 + (unsigned)(draw(run->checker) % 3) : 1;
	bool is_killed = luck < 5;
	sim_fault_clear(run->disk);
	if (luck < 3)
		sim_freeze_after(run->disk, 2 + draw(run->checker) % 160);
	else if (luck < 5)
		sim_freeze_after_call(run->disk, luck == 3 ? SIM_UNLINK : SIM_SYNC,
				      1 + draw(run->checker) % 6);
	if (luck == 0 || luck > 4)
		sim_fault(run->disk, SIM_SYNC, 3 + (unsigned)(draw(run->checker) % 30), failures,
			  5);
	run->model->is_unlucky = failures > 1;
	return is_killed;
}

static void run_phases(struct checker *c, struct model *model, struct sim **disk, unsigned phases,
		       unsigned image_every, enum spool_sync skipped)
{
	struct run run = {.checker = c, .model = model, .image_every = image_every};
	for (run.phase = 0; run.phase < phases && model->n + 200 < MAIL_MAX; run.phase++) {
		/* The clock goes on, or ids would come again. */
		struct rt_options options = {
			.is_fake = true,
			.seed = draw(c),
			.fake_wall = {(int64_t)(1 + run.phase) * 1000 * USEC_DAY}};
		struct err err;
		run.disk = *disk;
		/* Small mail that goes out at once: segments empty, and their files serve again. */
		run.is_busy = draw(c) % 3 == 0;
		sim_set_cold(run.disk, 4);
		sim_skip_sync(run.disk, skipped);
		bool is_killed = arrange_phase(&run);
		sim_on_change(run.disk, on_change, &run);
		if (!rt_run(&options, process, &run, &err))
			violation(c, "%s", err.text);
		sim_on_change(run.disk, NULL, NULL);
		sim_kill(run.disk);
		if (c->violations)
			return;
		if (is_killed && draw(c) % 2) {
			/* Not only the process, the machine. */
			struct sim *after =
				sim_crash(*disk, (enum sim_crash)(draw(c) % 4), draw(c));
			sim_free(*disk);
			*disk = after;
		}
	}
}

static void quiet(void *arg, enum log_level level, struct str line) {}

/* One history from an empty disk on. */
static void run_history(struct checker *c, uint64_t seed, unsigned image_every,
			enum spool_sync skipped, uint64_t *syncs)
{
	struct model *model = mem_new(struct model);
	struct sim *disk = sim_new(seed);
	c->model = model;
	c->random = seed * 77 + 1;
	run_phases(c, model, &disk, 10, image_every, skipped);
	for (int site = 0; syncs && site < SYNC_SITES; site++)
		syncs[site] += sim_syncs(disk, (enum spool_sync)site);
	sim_free(disk);
	free(model);
}

/* --- the tests --- */

static uint64_t scaled(uint64_t n)
{
	const char *more = getenv("POSTERN_CRASH_IMAGES"); /* deep-check: that many times as much */
	return more ? n * strtoull(more, NULL, 10) : n;
}

static void nothing_acknowledged_is_lost(void **state)
{
	struct checker c = {0};
	for (uint64_t seed = 1; seed <= scaled(12); seed++) {
		run_history(&c, seed, 6, SYNC_SITES, NULL);
		if (c.violations)
			fail_msg("history %llu: %s", (unsigned long long)seed, c.first);
	}
	print_message("%llu crash images\n", (unsigned long long)c.images);
	assert_true(c.images >= 1000);
}

/* Each site left out by itself: some history turns red. Were a sync superfluous or untested, this
 * would say so. */
static void no_sync_can_be_left_out(void **state)
{
	for (int site = 0; site < SYNC_SITES; site++) {
		struct checker c = {0};
		uint64_t seed = 0;
		if (site == SYNC_DAMAGED_DIR)
			continue; /* needs damage: the next test */
		while (!c.violations && seed < 60)
			run_history(&c, ++seed, 3, (enum spool_sync)site, NULL);
		print_message("without the sync of %-20s image %5llu: %s\n",
			      spool_sync_name((enum spool_sync)site), (unsigned long long)c.images,
			      c.first);
		if (!c.violations)
			fail_msg("the sync of %s can be left out",
				 spool_sync_name((enum spool_sync)site));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_acknowledged_is_lost),
		cmocka_unit_test(no_sync_can_be_left_out),
	};
	log_open(LOG_TEXT, LOG_INFO_, quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

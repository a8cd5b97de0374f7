/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares the chip with the model of tests/model: random events, after each of
 * which chip, model and window must agree.
 *
 *     PFLASH_MODEL_SEED=N    the seed of the first case, instead of a new one
 *     PFLASH_MODEL_CASES=N   the number of cases of each test
 *
 * Case n has the seed SEED + n, so a case can be repeated with its own seed and
 * PFLASH_MODEL_CASES=1. When a case fails, the test prints the events that are
 * needed for the difference.
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../model/model.c"
#include "../model/pair.c"

#define EVENTS 1500u /* per case */
#define WHOLE 50u    /* events between full comparisons */

#ifndef REDUCE_SECONDS
#define REDUCE_SECONDS 15 /* CPU time for reducing a failing case */
#endif

/* Random numbers: xorshift64*. */

static uint64_t state;

static void
seed_random(uint64_t seed)
{
	/* Similar seeds must not give similar sequences. */
	state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	state ^= state >> 29;
	if (state == 0)
		state = 1;
}

static uint64_t
random64(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint32_t
below(uint32_t n)
{
	return (uint32_t)((random64() >> 32) % n);
}

static bool
chance(uint32_t percent)
{
	return below(100) < percent;
}

/* A case: setup and events. */

struct script {
	struct pair_setup setup;
	struct geometry geometry;
	struct pair_event events[EVENTS + 400];
	unsigned int count;
	uint32_t hot[3]; /* offsets of the blocks that are used most */
	bool restores;   /* save and restore after every event */
};

static void
add(struct script *s, enum pair_op op, uint64_t off, unsigned int size,
    uint64_t value)
{
	if (s->count < sizeof(s->events) / sizeof(s->events[0]))
		s->events[s->count++] = (struct pair_event){
			.op = (uint8_t)op,
			.off = off,
			.size = (uint8_t)size,
			.value = value,
		};
}

static uint32_t
block_size_at(const struct geometry *g, uint32_t off)
{
	uint32_t end = 0;
	unsigned int r;

	for (r = 0; r < g->region_count; r++) {
		end += g->regions[r].block_size * g->regions[r].count;
		if (off < end)
			return g->regions[r].block_size;
	}
	return 0;
}

/* A likely offset in the bank, at the start of a bus word. */
static uint32_t
somewhere(const struct script *s)
{
	const struct geometry *g = &s->geometry;
	uint32_t hot = s->hot[below(3)];
	uint32_t words = block_size_at(g, hot) / g->width;
	uint32_t word;

	switch (below(8)) {
	case 0: word = 0; break;
	case 1:
	case 2: word = below(0x20); break;
	case 3: word = 0x7e + below(0x16); break;
	case 4: word = words - 1 - below(0x20); break;
	case 5: return below(g->size / g->width) * g->width;
	default: word = 0x100 + below(0x10); break;
	}
	return hot + word * g->width;
}

static const uint8_t codes[] = {
	0xff, 0xff, 0x90, 0x98, 0x70, 0x70, 0x50, 0x40, 0x10, 0x20,
	0x60, 0xc0, 0xe8, 0xb0, 0xb0, 0xd0, 0xd0, 0xd0, 0x01, 0x2f,
	0x00, 0xf0, 0x02, 0x03, 0x80, 0xfe, 0xfd, 0x0f,
};

static uint8_t
any_byte(void)
{
	return chance(75) ? codes[below(sizeof(codes))] : (uint8_t)random64();
}

/* Accesses as a driver makes them: whole bus words, equal for all parts. */

static unsigned int
lane(const struct script *s)
{
	return s->geometry.width / s->geometry.interleave;
}

/* The same low byte for every part; sometimes one lane is left out. */
static void
all_lanes(struct script *s, uint32_t off, uint16_t word)
{
	unsigned int width = s->geometry.width;
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < s->geometry.interleave; i++)
		value |= (uint64_t)word << (8 * lane(s) * i);
	value &= UINT64_MAX >> (64 - 8 * width);
	if (width > lane(s) && chance(4))
		add(s, PAIR_WRITE, off + lane(s), width - lane(s),
		    value >> (8 * lane(s)));
	else
		add(s, PAIR_WRITE, off, width, value);
}

static void
data(struct script *s, uint32_t off)
{
	uint64_t value = random64() | (chance(50) ? random64() : 0);
	unsigned int width = s->geometry.width;

	add(s, PAIR_WRITE, off, width, value & UINT64_MAX >> (64 - 8 * width));
}

/* Usually what the protocol expects next, sometimes not. */
static uint16_t
mostly(uint16_t want)
{
	return chance(95) ? want : any_byte();
}

static void
drive_program(struct script *s)
{
	uint32_t off = somewhere(s);

	all_lanes(s, off, chance(50) ? 0x40 : 0x10);
	data(s, off);
}

static void
drive_erase(struct script *s)
{
	uint32_t off = somewhere(s);

	all_lanes(s, off, 0x20);
	all_lanes(s, off, mostly(0xd0));
}

static void
drive_buffer(struct script *s)
{
	uint32_t words = CFI_BUFFER_SIZE / lane(s);
	uint32_t off = somewhere(s);
	uint32_t width = s->geometry.width;
	uint32_t count = chance(5) ? words + below(3) : 1 + below(24);
	uint32_t i;

	if (chance(5))
		count = words;
	all_lanes(s, off, 0xe8);
	if (chance(50))
		add(s, PAIR_READ, off, width, 0);
	all_lanes(s, off, mostly((uint16_t)(count - 1)));
	for (i = 0; i < count; i++) {
		uint32_t at = off + i * width;

		if (chance(2) && i > 0)
			at = off + below(count) * width;
		if (chance(1) && chance(30))
			at = somewhere(s);
		data(s, at);
	}
	all_lanes(s, off, mostly(0xd0));
}

static void
drive_lock(struct script *s)
{
	static const uint8_t second[] = { 0x01, 0xd0, 0xd0, 0xd0,
					  0xd0, 0xd0, 0x01, 0x2f };
	uint32_t off = somewhere(s);

	all_lanes(s, off, 0x60);
	all_lanes(s, off, mostly(second[below(sizeof(second))]));
	if (chance(50)) {
		all_lanes(s, off, 0x90);
		add(s, PAIR_READ, off - off % 0x1000 + 2 * s->geometry.width,
		    s->geometry.width, 0);
	}
}

static void
drive_unlock_all(struct script *s)
{
	uint32_t off;

	for (off = 0; off < s->geometry.size;
	     off += block_size_at(&s->geometry, off)) {
		all_lanes(s, off, 0x60);
		all_lanes(s, off, 0xd0);
	}
}

static void
drive_protect(struct script *s)
{
	uint32_t word = 0x80 + below(0x12);

	if (chance(70))
		word = 0x81 + 8 / lane(s) + below(8 / lane(s));
	all_lanes(s, word * s->geometry.width, 0xc0);
	if (word == 0x80)
		all_lanes(s, word * s->geometry.width,
			  chance(20) ? 0xfc : 0xff);
	else
		data(s, word * s->geometry.width);
	if (chance(50))
		all_lanes(s, 0, 0x90);
}

static void
drive_suspend(struct script *s)
{
	static const uint8_t next[] = { 0xb0, 0xd0, 0xd0, 0x70, 0x50 };
	unsigned int i, n = 1 + below(3);

	all_lanes(s, somewhere(s), 0xb0);
	for (i = 0; i < n; i++) {
		if (chance(40))
			drive_program(s);
		if (chance(10))
			drive_buffer(s);
		if (chance(60))
			all_lanes(s, somewhere(s), next[below(sizeof(next))]);
	}
}

static void
drive_simple(struct script *s)
{
	static const uint8_t first[] = { 0xff, 0xff, 0xff, 0x90, 0x98,
					 0x70, 0x50, 0x50, 0xd0 };

	all_lanes(s, somewhere(s), first[below(sizeof(first))]);
}

static void
drive(struct script *s)
{
	switch (below(16)) {
	case 0:
	case 1:
	case 2: drive_program(s); break;
	case 3:
	case 4: drive_buffer(s); break;
	case 5: drive_erase(s); break;
	case 6: drive_lock(s); break;
	case 7: drive_protect(s); break;
	case 8:
		drive_erase(s);
		drive_suspend(s);
		break;
	case 9:
		drive_program(s);
		drive_suspend(s);
		break;
	case 10:
		drive_buffer(s);
		drive_suspend(s);
		break;
	default: drive_simple(s); break;
	}
}

/* Accesses that no driver makes. */

static uint64_t
anywhere(const struct script *s)
{
	switch (below(20)) {
	case 0: return s->geometry.size - 1 - below(8);
	case 1: return s->geometry.size + below(8);
	case 2: return UINT64_MAX - below(8);
	case 3: return random64();
	case 4: return UINT64_C(1) << (20 + below(44));
	default: return somewhere(s) + below(4);
	}
}

static void
garbage(struct script *s)
{
	unsigned int i, n = 1 + below(6), size = 1 + below(8);
	uint64_t off = anywhere(s);

	for (i = 0; i < n; i++) {
		uint64_t value = 0;
		unsigned int b;

		for (b = 0; b < 8; b++)
			value = value << 8 | any_byte();
		if (chance(30)) /* the same command to all parts */
			value = (value & 0xff) * UINT64_C(0x0101010101010101);
		if (chance(30)) {
			off = anywhere(s);
			size = 1 + below(8);
		}
		add(s, PAIR_WRITE, off, size,
		    value & UINT64_MAX >> (64 - 8 * size));
	}
	/* To end a load of 65536 words. */
	if (chance(2))
		add(s, PAIR_POWER, 0, 1, 0);
}

/* Events that are not accesses of the guest. */
static void
happening(struct script *s)
{
	int error = pair_errors[below(4)];

	switch (below(12)) {
	case 0:
	case 1: add(s, PAIR_HOST, PAIR_HOST_CHANGE, 1, (uint64_t)error); break;
	case 2:
	case 3: add(s, PAIR_HOST, PAIR_HOST_COMMIT, 1, (uint64_t)error); break;
	case 4: add(s, PAIR_HOST, PAIR_HOST_PROTECT, 1, (uint64_t)error); break;
	case 5: add(s, PAIR_HOST, PAIR_HOST_UNDO, 1, below(2)); break;
	case 6: add(s, PAIR_REPORT, 0, 1, error ? (uint64_t)error : EIO); break;
	case 7: add(s, PAIR_POWER, 0, 1, 0); break;
	default: add(s, PAIR_RESTORE, 0, 1, 0); break;
	}
	/* Failures are temporary: most operations should succeed. */
	if (chance(50)) {
		add(s, PAIR_HOST, PAIR_HOST_CHANGE, 1, 0);
		add(s, PAIR_HOST, PAIR_HOST_COMMIT, 1, 0);
		add(s, PAIR_HOST, PAIR_HOST_PROTECT, 1, 0);
	}
}

static void
write_script(struct script *s, uint64_t seed, bool restores)
{
	unsigned int i, garbage_percent;

	seed_random(seed);
	s->count = 0;
	s->restores = restores;
	s->geometry = pair_geometry(below(PAIR_SMALL));
	s->setup = (struct pair_setup){
		.geometry = &s->geometry,
		.personality = (enum cfi_personality)below(3),
		.show_busy = chance(30),
	};
	s->setup.partition = pair_partition(&s->geometry, s->setup.personality,
					    below(5));
	for (i = 0; i < 3; i++)
		s->hot[i] = below(s->geometry.size / 0x1000) * 0x1000;
	garbage_percent = (unsigned int[]){ 0, 15, 50, 100 }[below(4)];
	if (chance(80))
		drive_unlock_all(s);
	while (s->count < EVENTS) {
		if (chance(garbage_percent))
			garbage(s);
		else
			drive(s);
		if (chance(5))
			happening(s);
		add(s, PAIR_READ, anywhere(s), 1 + below(8), 0);
	}
}

/* Running a case, and explaining a difference. */

/* Returns the number of events before a difference; all of them on success. */
static unsigned int
run(const struct script *s, unsigned int whole, struct pair *p)
{
	static const struct pair_event restored = { .op = PAIR_RESTORE };
	unsigned int i;

	pair_open(p, &s->setup);
	for (i = 0; i < s->count; i++) {
		if (!pair_apply(p, &s->events[i]))
			break;
		if (s->restores && !pair_apply(p, &restored))
			break;
		if ((i % whole == 0 || i + 1 == s->count) && !pair_compare(p))
			break;
	}
	return i;
}

/* Removes events as long as a difference remains. */
static void
reduce(struct script *s, struct pair *p)
{
	static struct script t;
	clock_t end_of_time = clock() + REDUCE_SECONDS * CLOCKS_PER_SEC;
	unsigned int n, from;

	for (n = s->count / 2; n > 0;) {
		bool less = false;

		for (from = 0; from + n <= s->count;) {
			unsigned int end;

			if (clock() > end_of_time)
				return;

			t = *s;
			t.setup.geometry = &t.geometry;
			memmove(t.events + from, t.events + from + n,
				(t.count - from - n) * sizeof(t.events[0]));
			t.count -= n;
			end = run(&t, 1, p);
			pair_close(p);
			if (end == t.count) {
				from += n;
				continue;
			}
			t.count = end + 1;
			*s = t;
			s->setup.geometry = &s->geometry;
			less = true;
		}
		if (n > 1 || !less)
			n /= 2;
	}
}

static void
print_events(const struct script *s, unsigned int from)
{
	for (; from < s->count; from++)
		pair_print(&s->events[from]);
}

static void
explain(struct script *s, uint64_t seed, struct pair *p)
{
	printf("difference in the case with PFLASH_MODEL_SEED=%" PRIu64
	       " PFLASH_MODEL_CASES=1:\n",
	       seed);
	pair_print_setup(&s->setup);
	printf("  %s\n  the last events:\n", p->why);
	print_events(s, s->count > 20 ? s->count - 20 : 0);
	reduce(s, p);
	run(s, 1, p);
	printf("  without those it does not take:\n");
	print_events(s, 0);
	printf("  %s\n", p->why);
	fflush(stdout);
	pair_close(p);
}

static uint64_t
from_environment(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

static uint64_t first_seed;

static void
run_cases(uint64_t cases, bool restores)
{
	static struct script s;
	static struct pair p;
	uint64_t programs = 0, erases = 0, commits = 0, refused = 0, i;

	cases = from_environment("PFLASH_MODEL_CASES", cases);
	for (i = 0; i < cases; i++) {
		unsigned int end;

		write_script(&s, first_seed + i, restores);
		end = run(&s, WHOLE, &p);
		programs += p.programs;
		erases += p.erases;
		commits += p.commits;
		refused += p.model.refused;
		if (end < s.count) {
			s.count = end + 1;
			pair_close(&p);
			explain(&s, first_seed + i, &p);
			ck_abort_msg("chip and model differ: %s", p.why);
		}
		pair_close(&p);
	}
	/* Cases that change nothing would prove nothing. */
	ck_assert_uint_gt(programs, 20 * cases);
	ck_assert_uint_gt(commits, 2 * cases);
	ck_assert_uint_gt(refused, 2 * cases);
	ck_assert(cases < 50 || erases > cases);
}

START_TEST(random_events)
{
	run_cases(240, false);
}
END_TEST

START_TEST(restored_after_every_event)
{
	run_cases(80, true);
}
END_TEST

/* For every geometry and personality: every view at many offsets. */
static void
compare_spots(struct pair *p)
{
	const struct geometry *g = p->setup.geometry;
	uint32_t off;
	struct pair_event read = { .op = PAIR_READ, .size = 8 };

	for (off = 0; off < g->size; off += 0x1000) {
		for (read.off = off; read.off < off + 64; read.off += 8)
			ck_assert_msg(pair_apply(p, &read), "%s", p->why);
	}
	for (read.off = 0; read.off < 0x1000; read.off += 8)
		ck_assert_msg(pair_apply(p, &read), "%s", p->why);
}

START_TEST(views_at_power_on)
{
	static const uint8_t views[] = { 0x98, 0x90, 0x70, 0xe8 };
	struct geometry g = pair_geometry((unsigned int)_i);
	static struct pair p;
	unsigned int personality, v, i;

	for (personality = 0; personality < 3; personality++) {
		struct pair_setup setup = {
			.geometry = &g,
			.personality = (enum cfi_personality)personality,
		};

		pair_open(&p, &setup);
		ck_assert_msg(pair_compare(&p), "%s", p.why);
		for (v = 0; v < sizeof(views); v++) {
			for (i = 0; i < g.interleave; i++) {
				struct pair_event view = {
					.op = PAIR_WRITE,
					.off = i * (g.width / g.interleave),
					.size = 1,
					.value = views[v],
				};

				ck_assert_msg(pair_apply(&p, &view), "%s",
					      p.why);
			}
			compare_spots(&p);
			if (g.size <= 0x20000)
				ck_assert_msg(pair_compare(&p), "%s", p.why);
		}
		pair_close(&p);
	}
}
END_TEST

/*
 * Damaged records, and records of other geometries and personalities, are
 * either refused, and leave the chip as after power-on; or accepted, and leave
 * a valid chip.
 */
START_TEST(records_are_judged)
{
	static struct script s;
	static struct pair p, q;
	unsigned int i, k, refused = 0, n = 0;

	for (i = 0; i < 40; i++) {
		size_t size;
		uint8_t *record;

		write_script(&s, first_seed + i, false);
		s.count = 20 + below(200);
		run(&s, WHOLE, &p);
		record = pair_save(&p, &size);
		ck_assert_ptr_nonnull(record);
		for (k = 0; k < 300; k++, n++) {
			uint32_t at = below((uint32_t)size);
			uint8_t old = record[at];
			size_t len = chance(10) ? below((uint32_t)size) : size;
			uint8_t *exact = malloc(len ? len : 1);
			int ret;

			ck_assert_ptr_nonnull(exact);
			record[at] = chance(50) ?
					     (uint8_t)(old ^ 1u << below(8)) :
					     (uint8_t)random64();
			memcpy(exact, record, len);
			record[at] = old;
			pair_open(&q, &s.setup);
			ret = cfi_restore(q.chip, exact, len);
			free(exact);
			ck_assert(cfi_verify(q.chip));
			ck_assert(ret == 0 || ret == -EINVAL);
			ck_assert(len == size || ret == -EINVAL);
			if (ret) {
				refused++;
				ck_assert_msg(pair_compare(&q), "%s", q.why);
				ck_assert(cfi_read(q.chip, 0, 1) == q.array[0]);
			}
			pair_close(&q);
		}
		free(record);
		pair_close(&p);
	}
	ck_assert_uint_gt(refused, n / 20);
}
END_TEST

START_TEST(records_of_other_chips)
{
	static struct pair p, q;
	unsigned int a, b;

	for (a = 0; a < PAIR_SMALL * 3; a++) {
		struct geometry g = pair_geometry(a / 3);
		struct pair_setup setup = {
			.geometry = &g,
			.personality = (enum cfi_personality)(a % 3),
		};
		uint8_t *record;
		size_t size;

		pair_open(&p, &setup);
		record = pair_save(&p, &size);
		ck_assert_ptr_nonnull(record);
		for (b = 0; b < PAIR_SMALL * 3; b++) {
			struct geometry h = pair_geometry(b / 3);
			struct pair_setup other = {
				.geometry = &h,
				.personality = (enum cfi_personality)(b % 3),
			};
			int want = a == b ? 0 : -EINVAL;

			pair_open(&q, &other);
			ck_assert_int_eq(cfi_restore(q.chip, record, size),
					 want);
			ck_assert(cfi_verify(q.chip));
			ck_assert_msg(pair_compare(&q), "%s", q.why);
			pair_close(&q);
		}
		free(record);
		pair_close(&p);
	}
}
END_TEST

/* Returns true if the part's bytes in [from, to) are equal in both arrays. */
static bool
same_piece(const struct geometry *g, unsigned int part, const uint8_t *a,
	   const uint8_t *b, uint32_t from, uint32_t to)
{
	unsigned int size = g->width / g->interleave;
	uint32_t off;

	for (off = from + part * size; off < to; off += g->width) {
		if (memcmp(a + off, b + off, size))
			return false;
	}
	return true;
}

static bool
same_lane(const struct geometry *g, unsigned int part, const uint8_t *a,
	  const uint8_t *b)
{
	return same_piece(g, part, a, b, 0, g->size);
}

/* An erase by a subset of the parts is done in pieces of 4 KiB, in order. */
static bool
in_pieces(const struct geometry *g, unsigned int part, const uint8_t *now,
	  const uint8_t *before, const uint8_t *done)
{
	uint32_t off = 0;

	while (off < g->size &&
	       same_piece(g, part, now, done, off, off + 0x1000))
		off += 0x1000;
	return same_piece(g, part, now, before, off, g->size);
}

/*
 * Makes one write in which the host fails; `twin` makes the same write without
 * a failure. Each part must have done all of it, or nothing and report an
 * error. Only an erase by a subset of the parts may be done in part.
 */
static unsigned int
write_and_fail(struct pair *p, const struct pair_event *e)
{
	static struct pair twin;
	const struct geometry *g = p->setup.geometry;
	unsigned int undone = 0, i;
	size_t size;
	uint8_t *record = pair_save(p, &size);

	ck_assert_ptr_nonnull(record);
	pair_open(&twin, &p->setup);
	memcpy(twin.array, p->array, g->size);
	memcpy(p->view, p->array, g->size); /* the array before the write */
	ck_assert_int_eq(cfi_restore(twin.chip, record, size), 0);
	pair_write(&twin, e->off, e->size, e->value);
	p->fail_after = (int)below(4);
	pair_write(p, e->off, e->size, e->value);
	p->fail_after = -1;
	ck_assert(cfi_verify(p->chip));
	for (i = 0; i < g->interleave; i++) {
		uint8_t got = p->chip->part[i].status;
		uint8_t good = twin.chip->part[i].status;

		if (same_lane(g, i, p->array, twin.array) && got == good)
			continue;
		undone++;
		ck_assert_msg(got & (CFI_SR_PROGRAM | CFI_SR_ERASE),
			      "a part that failed shows %#x", got);
		if (got & CFI_SR_ERASE && g->interleave > 1)
			ck_assert_msg(in_pieces(g, i, p->array, p->view,
						twin.array),
				      "an erase that failed left holes");
		else
			ck_assert_msg(same_lane(g, i, p->array, p->view),
				      "a failed operation was done in part");
	}
	pair_close(&twin);
	free(record);
	return undone;
}

START_TEST(host_fails_in_the_middle)
{
	static struct script s;
	static struct pair p;
	unsigned int i, k, undone = 0;

	for (i = 0; i < 40; i++) {
		write_script(&s, first_seed + i, false);
		pair_open(&p, &s.setup);
		for (k = 0; k < s.count && !p.failed; k++) {
			const struct pair_event *e = &s.events[k];

			if (e->op != PAIR_WRITE)
				continue;
			if (e->size == s.geometry.width &&
			    e->off % e->size == 0 && chance(30))
				undone += write_and_fail(&p, e);
			else
				pair_write(&p, e->off, e->size, e->value);
		}
		ck_assert_msg(!p.failed, "%s", p.why);
		pair_close(&p);
	}
	ck_assert_uint_gt(undone, 40);
}
END_TEST

/*
 * docs/chip.md allows 1 to 8 bytes, and cfi.h does not trust the size. Other
 * sizes must do no harm; their effect is undefined.
 */
START_TEST(sizes_that_are_none)
{
	static const unsigned int sizes[] = { 0, 9, 16, UINT_MAX };
	static const uint64_t offs[] = { 0, 0x2ffc, 0x3000, UINT64_MAX - 3 };
	static struct pair p;
	struct geometry g = pair_geometry(0);
	struct pair_setup setup = { .geometry = &g };
	unsigned int i, k;

	pair_open(&p, &setup);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (k = 0; k < sizeof(offs) / sizeof(offs[0]); k++) {
			pair_write(&p, offs[k], sizes[i],
				   UINT64_C(0x4001400240034004));
			ck_assert(cfi_verify(p.chip));
			cfi_read(p.chip, offs[k], sizes[i]);
		}
	}
	ck_assert(!p.failed);
	pair_close(&p);
}
END_TEST

/* Each of these states is unreachable by accesses. */
static void
damage(struct cfi *chip, unsigned int which)
{
	switch (which) {
	case 0: chip->config.geometry.width = 3; break;
	case 1: chip->config.personality = (enum cfi_personality)3; break;
	case 2: chip->part[0].state = CFI_STATE_CONFIRM + 1; break;
	case 3: chip->part[0].view = CFI_VIEW_QUERY + 1; break;
	case 4: chip->part[0].status |= 1; break;
	case 5:
		chip->part[0].state = CFI_STATE_PROGRAM;
		break; /* with the view ARRAY */
	case 6: chip->part[0].view = CFI_VIEW_STATUS; break; /* but not shown */
	case 7: chip->part[0].erased = 3; break; /* there are 3 blocks */
	case 8: chip->locks[0] = 1 << 4; break;  /* locked down, not locked */
	case 9: chip->locks[0] = 1 << 1; break;  /* there is one part */
	case 10:
		chip->protect[0] |= 1;
		break; /* the factory half is not locked */
	case 11: chip->part[0].last = CFI_SR_READY; break;
	case 12: chip->part[0].burst = CFI_SR_READY; break;
	case 13: chip->part[0].state = CFI_STATE_LOAD; break;
	/* From here on: in a load of 6 words, 4 of them pending. */
	case 14:
		chip->part[0].words = 0x101;
		break; /* exceeds the 8-bit count */
	case 15: chip->part[0].pending = 7; break;
	case 16: chip->part[0].pending = 0; break;
	case 17: chip->part[0].last = CFI_SR_PROGRAM_SUSPENDED; break;
	case 18: chip->part[0].state = CFI_STATE_CONFIRM; break;
	case 19: chip->part[0].start = chip->config.geometry.size; break;
	/* A strict chip never clears SR.7. */
	case 20: chip->part[0].status = 0; break;
	case 21: chip->part[0].partition = (uint16_t)chip->partitions; break;
	case 22: chip->shown[1] = 4; break; /* not in the list */
	case 23: chip->shown[1] = 6; break;
	}
}

START_TEST(verify_sees_damage)
{
	static struct pair p;
	struct geometry g = pair_geometry(0);
	struct pair_setup setup = {
		.geometry = &g,
		.personality = _i == 20 ? CFI_STRICT : CFI_OVMF,
	};

	pair_open(&p, &setup);
	if (_i >= 14 && _i < 20)
		pair_write(&p, 0, 4, 0x000005e8);
	ck_assert(cfi_verify(p.chip));
	damage(p.chip, (unsigned int)_i);
	ck_assert(!cfi_verify(p.chip));
	pair_close(&p);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("model");
	TCase *tc = tcase_create("model");
	SRunner *runner = srunner_create(suite);
	int failed;

	first_seed = from_environment("PFLASH_MODEL_SEED",
				      (uint64_t)time(NULL) * 1000);
	printf("PFLASH_MODEL_SEED=%" PRIu64 "\n", first_seed);
	fflush(stdout);
	tcase_set_timeout(tc, 0);
	tcase_add_loop_test(tc, views_at_power_on, 0, PAIR_GEOMETRIES);
	tcase_add_test(tc, random_events);
	tcase_add_test(tc, restored_after_every_event);
	tcase_add_test(tc, records_are_judged);
	tcase_add_test(tc, records_of_other_chips);
	tcase_add_test(tc, host_fails_in_the_middle);
	tcase_add_test(tc, sizes_that_are_none);
	tcase_add_loop_test(tc, verify_sees_damage, 0, 24);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

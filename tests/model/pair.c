/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"

const int pair_errors[4] = { 0, EIO, EROFS, ENOSPC };

static const struct geometry geometries[PAIR_GEOMETRIES] = {
	{ .width = 1,
	  .interleave = 1,
	  .region_count = 1,
	  .regions = { { 0x1000, 3 } } },
	{ .width = 1,
	  .interleave = 1,
	  .region_count = 4,
	  .regions = { { 0x1000, 2 },
		       { 0x2000, 1 },
		       { 0x1000, 4 },
		       { 0x4000, 1 } } },
	{ .width = 2,
	  .interleave = 1,
	  .region_count = 1,
	  .regions = { { 0x1000, 4 } } },
	{ .width = 2,
	  .interleave = 1,
	  .region_count = 2,
	  .regions = { { 0x2000, 2 }, { 0x1000, 2 } } },
	{ .width = 2,
	  .interleave = 2,
	  .region_count = 1,
	  .regions = { { 0x1000, 3 } } },
	{ .width = 2,
	  .interleave = 2,
	  .region_count = 2,
	  .regions = { { 0x1000, 2 }, { 0x2000, 1 } } },
	{ .width = 4,
	  .interleave = 2,
	  .region_count = 1,
	  .regions = { { 0x1000, 4 } } },
	{ .width = 4,
	  .interleave = 2,
	  .region_count = 3,
	  .regions = { { 0x2000, 1 }, { 0x1000, 2 }, { 0x4000, 1 } } },
	{ .width = 4,
	  .interleave = 4,
	  .region_count = 1,
	  .regions = { { 0x1000, 3 } } },
	{ .width = 4,
	  .interleave = 4,
	  .region_count = 2,
	  .regions = { { 0x1000, 2 }, { 0x2000, 1 } } },
	/*
	 * From index PAIR_SMALL on: too large, or too simple, for random
	 * events.
	 */
	{ .width = 1,
	  .interleave = 1,
	  .region_count = 1,
	  .regions = { { 0x1000, 1 } } },
	{ .width = 1,
	  .interleave = 1,
	  .region_count = 2,
	  .regions = { { 0x1000, 8 }, { 0x8000, 3 } } },
	{ .width = 4,
	  .interleave = 2,
	  .region_count = 1,
	  .regions = { { 0x20000, 2 } } },
	{ .width = 2,
	  .interleave = 1,
	  .region_count = 2,
	  .regions = { { 0x1000, 256 }, { 0x100000, 1 } } },
	{ .width = 1,
	  .interleave = 1,
	  .region_count = 1,
	  .regions = { { 0x1000, 300 } } },
};

static bool differ(struct pair *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Records the first difference only: later ones are consequences of it. */
static bool
differ(struct pair *p, const char *fmt, ...)
{
	va_list ap;

	if (p->failed)
		return false;
	p->failed = true;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	return false;
}

/* The chip's owner. */

/*
 * While an operation becomes durable SR.7 must be 0.  Checked with one part
 * only, where the byte lane is known.
 */
static void
check_busy(struct pair *p, uint32_t off)
{
	const struct geometry *g = p->setup.geometry;
	uint32_t word = off - off % g->width;

	if (p->setup.show_busy && g->interleave == 1 &&
	    cfi_read(p->chip, word, 1) & 0x80)
		differ(p, "busy: SR.7 is set during an operation");
}

static bool
fails_now(struct pair *p)
{
	if (p->fail_after <= 0)
		return p->fail_after == 0;
	p->fail_after--;
	return false;
}

static int
owner_program(void *owner, uint32_t off, const uint8_t *bytes, uint32_t len)
{
	struct pair *p = owner;
	uint32_t size = p->setup.geometry->size;

	p->programs++;
	if (len == 0 || len > size || off > size - len) {
		differ(p, "program of [%#x, +%#x): outside", off, len);
		return -EIO;
	}
	check_busy(p, off);
	if (fails_now(p))
		return -EIO;
	if (p->model.host.program)
		return p->model.host.program;
	memcpy(p->array + off, bytes, len);
	return 0;
}

static bool
is_block(const struct geometry *g, uint32_t off, uint32_t len)
{
	uint32_t first = 0, i;
	unsigned int r;

	for (r = 0; r < g->region_count; r++) {
		for (i = 0; i < g->regions[r].count; i++) {
			if (off == first && len == g->regions[r].block_size)
				return true;
			first += g->regions[r].block_size;
		}
	}
	return false;
}

static int
owner_erase(void *owner, uint32_t off, uint32_t len)
{
	struct pair *p = owner;

	p->erases++;
	if (!is_block(p->setup.geometry, off, len)) {
		differ(p, "erase of [%#x, +%#x): not a block", off, len);
		return -EIO;
	}
	check_busy(p, off);
	if (fails_now(p))
		return -EIO;
	if (p->model.host.erase)
		return p->model.host.erase;
	memset(p->array + off, 0xff, len);
	return 0;
}

static int
owner_commit(void *owner)
{
	struct pair *p = owner;
	uint32_t size = p->setup.geometry->size;

	p->commits++;
	/* A burst that is not undone now must not be undone later. */
	if (p->model.host.commit && p->model.host.undo)
		memcpy(p->array, p->committed, size);
	else
		memcpy(p->committed, p->array, size);
	return p->model.host.commit;
}

static int
owner_protect(void *owner, const uint8_t *registers, uint32_t len)
{
	struct pair *p = owner;

	(void)registers;
	if (len != p->setup.geometry->interleave * CFI_PROTECT_SIZE)
		differ(p, "protect with %u bytes", len);
	return p->model.host.protect;
}

static const struct cfi_ops ops = {
	.program = owner_program,
	.erase = owner_erase,
	.commit = owner_commit,
	.protect = owner_protect,
};

struct geometry
pair_geometry(unsigned int number)
{
	struct geometry g = geometries[number];
	unsigned int r;

	for (r = 0; r < g.region_count; r++)
		g.size += g.regions[r].block_size * g.regions[r].count;
	return g;
}

uint32_t
pair_partition(const struct geometry *g, enum cfi_personality personality,
	       unsigned int choice)
{
	uint32_t size = choice ? 0x1000u << (choice - 1) : 0;
	struct error err;

	return cfi_check_partition(g, personality, size, &err) ? 0 : size;
}

/* Powers on a chip; does not change p->chip. */
static bool
init_chip(struct pair *p, struct cfi *chip)
{
	struct cfi_config config = {
		.array = p->array,
		.geometry = *p->setup.geometry,
		.personality = p->setup.personality,
		.partition = p->setup.partition,
		.show_busy = p->setup.show_busy,
		.ops = &ops,
		.owner = p,
	};
	int ret;

	/* the content of uninitialized memory must not matter */
	memset(chip, 0xa5, sizeof(*chip));
	ret = cfi_init(chip, &config);
	if (ret)
		return differ(p, "cfi_init() returned %d", ret);
	if (!cfi_verify(chip))
		return differ(p, "cfi_verify() fails after cfi_init()");
	return true;
}

static void *
allocate(size_t size)
{
	void *mem = malloc(size);

	if (!mem)
		abort();
	return mem;
}

/*
 * Leaves every second block empty, and fills the others with all byte values.
 */
static void
fill(const struct geometry *g, uint8_t *array)
{
	uint32_t i;

	for (i = 0; i < g->size; i++)
		array[i] = i >> 12 & 1 ? 0xff : (uint8_t)(i * 167 + (i >> 8));
}

void
pair_open(struct pair *p, const struct pair_setup *setup)
{
	uint32_t size = setup->geometry->size;

	memset(p, 0, sizeof(*p));
	p->setup = *setup;
	p->fail_after = -1;
	p->array = allocate(size);
	p->committed = allocate(size);
	p->window = allocate(size);
	p->view = allocate(size);
	fill(setup->geometry, p->array);
	memcpy(p->committed, p->array, size);
	memcpy(p->window, p->array, size);
	p->chip = &p->chips[0];
	init_chip(p, p->chip);
	model_init(&p->model, setup->geometry, setup->personality,
		   setup->partition, p->array);
}

void
pair_close(struct pair *p)
{
	free(p->array);
	free(p->committed);
	free(p->window);
	free(p->view);
	model_free(&p->model);
}

/* Comparing. */

static bool
compare_read(struct pair *p, uint64_t off, unsigned int size)
{
	uint64_t got = cfi_read(p->chip, off, size);
	uint64_t want = model_read(&p->model, off, size);

	if (got == want)
		return true;
	return differ(p,
		      "read of %u at %#" PRIx64 ": chip %#" PRIx64
		      ", model %#" PRIx64,
		      size, off, got, want);
}

/* The window around `off` must be up to date and equal to the model's view. */
static bool
compare_window(struct pair *p, uint64_t off)
{
	uint32_t size = p->setup.geometry->size;
	uint64_t first = off & ~UINT64_C(7);
	uint64_t i;

	for (i = first; i < first + 8 && i < size; i++) {
		uint8_t want = model_byte(&p->model, i);

		if (p->window[i] != want)
			return differ(p,
				      "window at %#" PRIx64
				      ": chip %#x, model %#x",
				      i, p->window[i], want);
	}
	return true;
}

static bool
compare_bytes(struct pair *p, const char *what, const uint8_t *got,
	      const uint8_t *want)
{
	uint32_t size = p->setup.geometry->size;
	uint32_t i;

	if (memcmp(got, want, size) == 0)
		return true;
	for (i = 0; i < size && got[i] == want[i];)
		i++;
	return differ(p, "%s at %#x: chip %#x, model %#x", what, i, got[i],
		      want[i]);
}

/* Compares cfi_render() of [off, off + len) with p->view, the whole bank. */
static bool
compare_range(struct pair *p, uint64_t off, size_t len)
{
	uint8_t *rendered = allocate(len + 1);
	size_t i;

	memset(rendered, 0xa5, len + 1);
	cfi_render(p->chip, off, rendered, len);
	for (i = 0; i < len; i++) {
		uint8_t want = off + i < p->setup.geometry->size ?
				       p->view[off + i] :
				       0xff;

		if (rendered[i] != want)
			differ(p,
			       "cfi_render(%#" PRIx64 ", %zu) at +%zu: "
			       "chip %#x, model %#x",
			       off, len, i, rendered[i], want);
	}
	if (rendered[len] != 0xa5)
		differ(p, "cfi_render(%#" PRIx64 ", %zu) writes too much", off,
		       len);
	free(rendered);
	return !p->failed;
}

bool
pair_compare(struct pair *p)
{
	uint32_t size = p->setup.geometry->size;

	model_render(&p->model, p->view);
	return compare_bytes(p, "array", p->array, p->model.array) &&
	       compare_bytes(p, "window", p->window, p->view) &&
	       compare_range(p, 0, (size_t)size + 16) &&
	       compare_range(p, 0xff9, 0x1013) && compare_range(p, 3, 0) &&
	       compare_range(p, size - 5, 21) &&
	       compare_range(p, size - 0x1003, 0x1002) &&
	       compare_range(p, size, 4) &&
	       compare_range(p, UINT64_C(1) << 32, 8);
}

static bool
compare_near(struct pair *p, const struct pair_event *event)
{
	if (!cfi_verify(p->chip))
		return differ(p, "cfi_verify() fails");
	if (p->commits != p->model.commits)
		return differ(p, "commits: chip %" PRIu64 ", model %" PRIu64,
			      p->commits, p->model.commits);
	if (cfi_protect_is_new(p->chip) != model_protect_is_new(&p->model))
		return differ(p, "cfi_protect_is_new(): chip %d",
			      cfi_protect_is_new(p->chip));
	return compare_read(p, event->off, 8) &&
	       compare_window(p, event->off) && compare_window(p, 0) &&
	       !p->failed;
}

/* Events. */

static void
set_host(struct model_host *host, const struct pair_event *event)
{
	int error = -(int)event->value;

	switch ((enum pair_host)event->off) {
	case PAIR_HOST_CHANGE:
		/*
		 * Both: the chip may use either one for one part's share of a
		 * block.
		 */
		host->program = error;
		host->erase = error;
		break;
	case PAIR_HOST_COMMIT: host->commit = error; break;
	case PAIR_HOST_PROTECT: host->protect = error; break;
	case PAIR_HOST_UNDO: host->undo = event->value != 0; break;
	case PAIR_HOSTS: break;
	}
}

/* As the chip's owner does. */
static void
show(struct pair *p, bool changed)
{
	uint32_t off, len;

	while (changed && cfi_next_change(p->chip, &p->seen, &off, &len)) {
		if (off >= p->setup.geometry->size ||
		    len > p->setup.geometry->size - off) {
			differ(p, "cfi_next_change() returned [%#x, +%#x)", off,
			       len);
			return;
		}
		cfi_render(p->chip, off, p->window + off, len);
	}
}

/* Shows the whole view of a chip that has replaced the previous one. */
static void
show_all(struct pair *p)
{
	p->seen = 0;
	show(p, true);
}

static struct cfi *
other_chip(struct pair *p)
{
	return p->chip == &p->chips[0] ? &p->chips[1] : &p->chips[0];
}

uint8_t *
pair_save(struct pair *p, size_t *size)
{
	uint8_t *record;

	*size = cfi_state_size(p->chip);
	if (*size == 0 || *size > CFI_STATE_MAX) {
		differ(p, "cfi_state_size() is %zu", *size);
		return NULL;
	}
	record = allocate(*size); /* exact size, for the sanitizer */
	memset(record, 0x5a, *size);
	cfi_save(p->chip, record);
	return record;
}

static bool
same_record(struct pair *p, const uint8_t *record, size_t size)
{
	size_t again_size;
	uint8_t *again = pair_save(p, &again_size);
	bool ok = again && again_size == size &&
		  memcmp(again, record, size) == 0;

	free(again);
	return ok || differ(p, "a restored chip saves another record");
}

static bool
restore(struct pair *p)
{
	size_t size;
	uint8_t *record = pair_save(p, &size);
	struct cfi *next = other_chip(p);
	bool ok = record && init_chip(p, next);
	int ret = ok ? cfi_restore(next, record, size) : -EINVAL;

	if (ok && ret)
		ok = differ(p, "cfi_restore() returned %d", ret);
	if (ok) {
		memset(p->chip, 0xa5, sizeof(*p->chip));
		p->chip = next;
		show_all(p);
		ok = same_record(p, record, size);
	}
	free(record);
	return ok;
}

static bool
power_cycle(struct pair *p)
{
	size_t size;
	uint8_t *record = pair_save(p, &size);
	struct cfi *next = other_chip(p);
	bool ok = record && init_chip(p, next);
	int ret = ok ? cfi_restore_protect(next, record, size) : -EINVAL;

	if (ok && ret)
		ok = differ(p, "cfi_restore_protect() returned %d", ret);
	free(record);
	if (!ok)
		return false;
	memset(p->chip, 0xa5, sizeof(*p->chip));
	p->chip = next;
	show_all(p);
	/* The owner commits at the end. */
	memcpy(p->committed, p->array, p->setup.geometry->size);
	memcpy(p->model.committed, p->model.array, p->setup.geometry->size);
	model_power_cycle(&p->model);
	return true;
}

void
pair_write(struct pair *p, uint64_t off, unsigned int size, uint64_t value)
{
	show(p, cfi_write(p->chip, off, size, value));
}

static void
report(struct pair *p, const struct pair_event *event)
{
	int error = -(int)event->value;

	/* The store first undoes the burst, and then reports to the chip. */
	if (p->model.host.undo)
		memcpy(p->array, p->committed, p->setup.geometry->size);
	else
		memcpy(p->committed, p->array, p->setup.geometry->size);
	show(p, cfi_report(p->chip, error));
	model_report(&p->model, error);
}

bool
pair_apply(struct pair *p, const struct pair_event *event)
{
	if (p->failed)
		return false;
	switch ((enum pair_op)event->op) {
	case PAIR_WRITE:
		pair_write(p, event->off, event->size, event->value);
		model_write(&p->model, event->off, event->size, event->value);
		break;
	case PAIR_READ:
		if (!compare_read(p, event->off, event->size))
			return false;
		break;
	case PAIR_HOST: set_host(&p->model.host, event); break;
	case PAIR_RESTORE:
		if (!restore(p))
			return false;
		break;
	case PAIR_POWER:
		if (!power_cycle(p))
			return false;
		break;
	case PAIR_REPORT: report(p, event); break;
	case PAIR_OPS: break;
	}
	return compare_near(p, event);
}

/* Printing. */

void
pair_print(const struct pair_event *event)
{
	static const char *const hosts[] = { "programs and erases", "commits",
					     "protect",
					     "a failed commit is undone" };

	switch ((enum pair_op)event->op) {
	case PAIR_WRITE:
		printf("    w %" PRIx64 " %u %" PRIx64 "\n", event->off,
		       event->size, event->value);
		break;
	case PAIR_READ:
		printf("    r %" PRIx64 " %u\n", event->off, event->size);
		break;
	case PAIR_HOST:
		printf("    # host: %s: %s\n", hosts[event->off],
		       event->off == PAIR_HOST_UNDO ?
			       (event->value ? "yes" : "no") :
			       strerror((int)event->value));
		break;
	case PAIR_RESTORE: printf("    # saved and restored\n"); break;
	case PAIR_POWER: printf("    # powered off and on\n"); break;
	case PAIR_REPORT:
		printf("    # cfi_report(): %s\n", strerror((int)event->value));
		break;
	case PAIR_OPS: break;
	}
}

void
pair_print_setup(const struct pair_setup *setup)
{
	static const char *const names[] = { "ovmf", "strict", "qemu" };
	const struct geometry *g = setup->geometry;
	unsigned int r;

	printf("    width %u, interleave %u, blocks ", g->width, g->interleave);
	for (r = 0; r < g->region_count; r++)
		printf("%s%#xx%u", r ? "," : "", g->regions[r].block_size,
		       g->regions[r].count);
	printf(", personality %s, partition %#x%s\n", names[setup->personality],
	       setup->partition, setup->show_busy ? ", shows busy" : "");
}

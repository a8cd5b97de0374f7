/* SPDX-License-Identifier: BSD-2-Clause */
/* Latency of a burst's commit, and of a start after a crash. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "pflash/cfi.h"
#include "pflash/store.h"

#define BURSTS 2000u

/* --- commit --------------------------------------------------------------- */

void
write_variable(const struct bench_flash *ops, void *flash, uint32_t off)
{
	for (uint32_t i = 0; i < VARIABLE; i++) {
		ops->write(flash, off + i, 1, CFI_CMD_PROGRAM);
		ops->write(flash, off + i, 1, (uint8_t)i);
	}
	ops->write(flash, off, 1, CFI_CMD_READ_ARRAY);
}

/* --- the lower bound for a burst ------------------------------------------ */

#define BLOCK 4096u

struct least {
	int fd;
	void *block;
};

static void
least_close(void *flash)
{
	struct least *least = flash;

	if (least->fd >= 0)
		close(least->fd);
	free(least->block);
	free(least);
}

static struct least *
least_open(const char *file, int flags)
{
	struct least *least = malloc(sizeof(*least));

	if (!least)
		return NULL;
	least->fd = open(file, O_WRONLY | O_CLOEXEC | flags);
	least->block = aligned_alloc(BLOCK, BLOCK);
	if (least->fd < 0 || !least->block) {
		least_close(least);
		return NULL;
	}
	memset(least->block, 0, BLOCK);
	return least;
}

static uint64_t
least_read(void *flash, uint64_t off, unsigned int size)
{
	(void)flash, (void)off, (void)size;
	return 0;
}

/* Writes and syncs only the bytes of the burst. */
static void *
floor_open(const char *file, uint32_t size)
{
	(void)size;
	return least_open(file, 0);
}

static void
floor_write(void *flash, uint64_t off, unsigned int size, uint64_t value)
{
	const struct least *least = flash;

	(void)size;
	if (value == CFI_CMD_READ_ARRAY &&
	    pwrite(least->fd, least->block, VARIABLE, (off_t)off) > 0)
		fdatasync(least->fd);
}

static const struct bench_flash floor_flash = {
	.name = "the minimum: pwrite, fdatasync",
	.kind = BENCH_FILE,
	.open = floor_open,
	.write = floor_write,
	.read = least_read,
	.close = least_close,
};

/* Overwrites an existing block, synchronously: any program must wait for it. */
static void *
direct_open(const char *file, uint32_t size)
{
	(void)size;
	return least_open(file, O_DIRECT | O_DSYNC);
}

static void
direct_write(void *flash, uint64_t off, unsigned int size, uint64_t value)
{
	const struct least *least = flash;

	(void)size;
	if (value == CFI_CMD_READ_ARRAY)
		(void)!pwrite(least->fd, least->block, BLOCK,
			      (off_t)(off / BLOCK * BLOCK));
}

static const struct bench_flash direct_flash = {
	.name = "one block, O_DIRECT and O_DSYNC",
	.kind = BENCH_FILE,
	.open = direct_open,
	.write = direct_write,
	.read = least_read,
	.close = least_close,
};

/* Not every file system supports O_DIRECT. */
static bool
has_direct(const struct options *options)
{
	int fd = open(options->scratch, O_TMPFILE | O_WRONLY | O_DIRECT,
		      S_IRUSR | S_IWUSR);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* In turn: all subjects suffer alike while the disk is slow. */
static void
commit_all(struct subject *subjects, unsigned int count, unsigned int bursts,
	   uint32_t size)
{
	uint32_t off = 0;

	for (unsigned int n = 0; n < bursts; n++) {
		for (unsigned int i = 0; i < count; i++) {
			uint64_t start = now();

			write_variable(subjects[i].ops, subjects[i].flash, off);
			row_add(subjects[i].row, (double)(now() - start) / 1e3);
		}
		off = (off + VARIABLE) % (size - VARIABLE);
	}
}

int
bench_commit(struct report *report, const struct options *options,
	     struct error *err)
{
	const struct bench_flash *list[4 + BENCH_PEERS * 4] = { &path_burst,
								&path_none,
								&floor_flash };
	struct subject subjects[4 + BENCH_PEERS * 4];
	unsigned int bursts = options->count ? options->count : BURSTS;
	unsigned int count = 3, own, opened = 0;
	struct peers peers;
	int ret = peers_load(&peers, options, BENCH_FILE, err);

	if (has_direct(options))
		list[count++] = &direct_flash;
	own = count;
	for (unsigned int i = 0; ret == 0 && i < peers.count; i++)
		list[count++] = peers.flashes[i];
	while (ret == 0 && opened < count) {
		struct subject *subject = &subjects[opened];

		ret = subject_open(subject, list[opened], options,
				   options->size, err);
		subject->row = report_row(report, ROW_LATENCY, "us", "%s",
					  list[opened]->name);
		subject->row->role = opened < 2   ? ROLE_OURS :
				     opened < own ? ROLE_REFERENCE :
						    ROLE_PEER;
		opened++;
	}
	report_title(report,
		     "Wait for the commit of a burst of %u bytes ("
		     "share of all bursts): lower is better",
		     VARIABLE);
	if (ret == 0)
		commit_all(subjects, count, bursts, options->size);
	for (unsigned int i = 0; i < opened; i++)
		subject_close(&subjects[i]);
	report_note(report, "of %u bursts of %u bytes each, files in %s",
		    bursts, VARIABLE, options->directory);
	return ret;
}

/* --- recover -------------------------------------------------------------- */

/*
 * Leaves a journal of this length, by a process that ends without closing its
 * store, as after SIGKILL.
 */
static int
leave_journal(const char *file, uint32_t length)
{
	const struct store_config config = {
		.path = file,
		.sync = STORE_SYNC_NONE,
		.journal_limit = STORE_MAX_SIZE,
	};
	uint8_t bytes[VARIABLE] = { 0 };
	struct store *store;
	uint32_t off = 0;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (store_open(&store, &config, NULL, NULL) < 0)
			_exit(1);
		for (uint32_t done = 0; done < length; done += VARIABLE) {
			bytes[0]++;
			if (store_program(store, off, bytes, VARIABLE) < 0 ||
			    store_commit(store) < 0)
				_exit(1);
			off = (off + VARIABLE) % (store_size(store) - VARIABLE);
		}
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return status ? -EIO : 0;
}

static int
recover_once(const char *file, struct row *row, struct error *err)
{
	const struct store_config config = { .path = file };
	struct store *store;
	uint64_t start = now();
	int ret = store_open(&store, &config, NULL, err);

	if (ret < 0)
		return ret;
	row_add(row, (double)(now() - start) / 1e6);
	store_close(store);
	return 0;
}

static const struct bench_flash file_only = {
	.name = "file",
	.kind = BENCH_FILE,
	.open = floor_open,
	.close = least_close,
};

int
bench_recover(struct report *report, const struct options *options,
	      struct error *err)
{
	static const uint32_t lengths[] = { 0, 64u << 10, 256u << 10, 1u << 20,
					    4u << 20 };
	struct row *rows[5];
	struct subject subject;
	int ret = subject_open(&subject, &file_only, options, options->size,
			       err);

	report_title(report, "Start after a crash, by length of the journal: "
			     "lower is better");
	for (unsigned int i = 0; i < 5; i++) {
		rows[i] = report_row(report, ROW_PAIRED, "ms",
				     "%u KiB in bursts of %u bytes",
				     lengths[i] >> 10, VARIABLE);
		rows[i]->at = lengths[i];
	}
	for (unsigned int r = 0; ret == 0 && r < options->rounds; r++)
		for (unsigned int i = 0; ret == 0 && i < 5; i++) {
			ret = leave_journal(subject.file, lengths[i]);
			if (ret < 0)
				error_errno(err, -ret, "%s", subject.file);
			else
				ret = recover_once(subject.file, rows[i], err);
		}
	subject_close(&subject);
	report_note(report,
		    "until the store is open and its file is up to date; "
		    "files in %s",
		    options->directory);
	return ret;
}

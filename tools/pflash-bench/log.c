/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time of `pflashctl log`, `check` and `diff`, whole programs, by the length of
 * the history and by the number of variables.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "pflash/store.h"
#include "pflash/varstore.h"

/* Bytes of a burst that programs one byte, in the journal (docs/format.md). */
#define BURST (52u + 8u + 1u)

/* A file with variables of one byte and a history. */
struct past {
	char file[PATH_MAX];
	unsigned int variables;
	uint32_t first; /* offset of the first variable */
};

static const uint32_t lengths[] = { 1u << 20, 4u << 20, 16u << 20, 64u << 20 };
static const unsigned int shares[] = { 4, 2, 1 };

#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))
#define SHARES (sizeof(shares) / sizeof(shares[0]))
#define PASTS (LENGTHS + SHARES - 1)

/* --- the files ------------------------------------------------------------ */

/* From the empty store: the oldest point has no variable. */
static int
add_variables(const struct past *past, struct store *store)
{
	uint8_t bytes[SMALL_VARIABLE];
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < past->variables; i++) {
		variable_make_small(bytes, i);
		ret = store_program(store, past->first + SMALL_VARIABLE * i,
				    bytes, sizeof(bytes));
	}
	return ret ? ret : store_commit(store);
}

/* Each burst changes the value of one variable. */
static int
add_history(const struct past *past, struct store *store, uint32_t length)
{
	uint32_t count = (length - SMALL_VARIABLE * past->variables) / BURST;
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < count; i++) {
		uint8_t value = (uint8_t)(i / past->variables);

		ret = store_program(store,
				    past->first +
					    SMALL_VARIABLE *
						    (i % past->variables) +
					    SMALL_VARIABLE_DATA,
				    &value, 1);
		if (ret == 0)
			ret = store_commit(store);
	}
	return ret;
}

static int
write_past(const struct past *past, uint32_t length, struct error *err)
{
	static const struct store_history all = { .bytes = UINT64_MAX };
	const struct store_config config = {
		.path = past->file,
		.sync = STORE_SYNC_NONE,
		.journal_limit = STORE_MAX_SIZE,
		.history = &all,
	};
	struct store *store;
	int closed, ret = store_open(&store, &config, NULL, err);

	if (ret < 0)
		return ret;
	ret = add_variables(past, store);
	if (ret == 0)
		ret = add_history(past, store, length);
	closed = store_close(store);
	ret = ret ? ret : closed;
	return ret < 0 ? error_errno(err, -ret, "%s", past->file) : 0;
}

static const struct bench_flash file_only = { .name = "file",
					      .kind = BENCH_FILE };

/* Makes a file whose store is full, or has a share of the variables. */
static int
make_past(struct past *past, const struct options *options, unsigned int share,
	  uint32_t length, struct error *err)
{
	uint8_t *image = image_make(options->size);
	struct subject subject;
	struct varstore store;
	int ret = image ? varstore_open(&store, image, options->size, err) :
			  error_set(err, ENOMEM, "out of memory");

	if (ret == 0) {
		past->first = (uint32_t)store.start;
		past->variables = (unsigned int)((store.end - store.start) /
						 SMALL_VARIABLE / share);
		ret = subject_make(&subject, &file_only, options, options->size,
				   err);
	}
	free(image);
	if (ret < 0)
		return ret;
	memcpy(past->file, subject.file, sizeof(past->file));
	return write_past(past, length, err);
}

/* --- the program ---------------------------------------------------------- */

/* pflashctl, in the directory of this program. */
static int
find_pflashctl(char path[PATH_MAX], struct error *err)
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 16);
	char *slash;

	path[len > 0 ? len : 0] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return error_set(err, ENOENT, "/proc/self/exe: cannot be read");
	strcpy(slash + 1, "pflashctl");
	if (access(path, X_OK) < 0)
		return error_errno(err, errno, "%s", path);
	return 0;
}

/* Runs pflashctl without output, and adds the milliseconds to the row. */
static int
run_pflashctl(char *const argv[], struct row *row, struct error *err)
{
	posix_spawn_file_actions_t actions;
	uint64_t start = now();
	int ret, status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
					 O_WRONLY, 0);
	ret = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (ret)
		return error_errno(err, ret, "%s", argv[0]);
	if (waitpid(pid, &status, 0) < 0)
		return error_errno(err, errno, "%s", argv[0]);
	if (status)
		return error_set(err, EIO, "pflashctl %s has failed", argv[1]);
	row_add(row, (double)(now() - start) / 1e6);
	return 0;
}

/* --- the rows ------------------------------------------------------------- */

struct measured {
	struct past pasts[PASTS]; /* by length, then by number of variables */
	struct row *log[LENGTHS], *check[SHARES], *diff[SHARES];
	char pflashctl[PATH_MAX];
};

/* The file with this share of variables; the fullest has the short history. */
static struct past *
past_of(struct measured *m, unsigned int share)
{
	return share == SHARES - 1 ? &m->pasts[0] : &m->pasts[LENGTHS + share];
}

static int
make_pasts(struct measured *m, const struct options *options, struct error *err)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < PASTS; i++)
		ret = make_past(&m->pasts[i], options,
				i < LENGTHS ? 1 : shares[i - LENGTHS],
				i < LENGTHS ? lengths[i] : lengths[0], err);
	return ret;
}

static void
add_rows(struct measured *m, struct report *report)
{
	for (unsigned int i = 0; i < LENGTHS; i++) {
		m->log[i] = report_row(report, ROW_PAIRED, "ms",
				       "%u MiB of history", lengths[i] >> 20);
		m->log[i]->group = "log of the fullest store";
		m->log[i]->against = m->log[0];
	}
	for (unsigned int i = 0; i < SHARES; i++) {
		m->check[i] = report_row(report, ROW_PAIRED, "ms",
					 "check, %u variables",
					 past_of(m, i)->variables);
		m->check[i]->group = "check";
		m->check[i]->against = m->check[0];
	}
	for (unsigned int i = 0; i < SHARES; i++) {
		m->diff[i] = report_row(report, ROW_PAIRED, "ms",
					"diff, %u variables",
					past_of(m, i)->variables);
		m->diff[i]->group = "diff of the oldest point and now";
		m->diff[i]->against = m->diff[0];
	}
}

static int
measure(struct measured *m, struct error *err)
{
	char log[] = "log", check[] = "check", diff[] = "diff";
	char oldest[] = "--at=1"; /* a new journal begins with the snapshot */
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < LENGTHS; i++) {
		char *argv[] = { m->pflashctl, log, m->pasts[i].file, NULL };

		ret = run_pflashctl(argv, m->log[i], err);
	}
	for (unsigned int i = 0; ret == 0 && i < SHARES; i++) {
		char *file = past_of(m, i)->file;
		char *first[] = { m->pflashctl, check, file, NULL };
		char *second[] = { m->pflashctl, diff, oldest, file, NULL };

		ret = run_pflashctl(first, m->check[i], err);
		if (ret == 0)
			ret = run_pflashctl(second, m->diff[i], err);
	}
	return ret;
}

int
bench_log(struct report *report, const struct options *options,
	  struct error *err)
{
	struct measured m;
	int ret = find_pflashctl(m.pflashctl, err);

	if (ret == 0)
		ret = make_pasts(&m, options, err);
	if (ret < 0)
		return ret;
	report_title(report, "Time of pflashctl, by history and number of "
			     "variables: lower is better");
	add_rows(&m, report);
	for (unsigned int r = 0; ret == 0 && r < options->rounds; r++)
		ret = measure(&m, err);
	report_note(
		report,
		"the fullest store has %u variables of one byte; each burst "
		"of the history changes one; check and diff with 1 MiB of "
		"history; files in %s",
		m.pasts[0].variables, options->directory);
	return ret;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflashctl convert --undo: brings back the VARS file, with its journal, that
 * the last conversion has kept: of the files of another layout the one that was
 * written last.  The files in its place are kept instead, so the same command
 * undoes the undo.
 *
 * A conversion or an undo that was interrupted leaves more files:
 *
 *  - before it has changed VARS or journal: copies of both, which are newer
 *    than all others.  They are no obstacle;
 *  - a conversion without its last step: VARS without its journal, which is
 *    with the newest copy.  The journal gets its name again;
 *  - an undo whose journal has its name, but not its VARS: store_resize()
 *    finds that and goes on;
 *  - an undo without its last step: the files that it has brought back, which
 *    are older than the ones that it has kept.  They are removed.
 */
#include "undo.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pflash/load.h"

struct kept {
	char path[PATH_MAX]; /* of VARS; "": there is none */
	const struct fv_layout *layout;
	struct timespec written;
};

struct undoing {
	const struct ctl_options *options;
	struct files *files;
	const struct fv_layout *from; /* of the present VARS */
	/* The newest of the kept files: */
	struct kept other;    /* of another layout */
	struct kept same;     /* of the present layout */
	struct kept leftover; /* whose history the present journal continues */
	struct store *store;  /* of the kept files that are brought back */
};

void
undo_print_command(const struct ctl_options *options, const struct files *files)
{
	printf("pflashctl convert --undo ");
	if (options->journal) {
		printf("--journal ");
		ctl_print_word(files->name[FILES_JOURNAL]);
		putchar(' ');
	}
	ctl_print_word(files->name[FILES_VARS]);
	putchar('\n');
}

/* The layout if `name` is BASE.2m or BASE.2m.N, where BASE has `len` bytes. */
static const struct fv_layout *
kept_layout(const char *name, const char *base, size_t len)
{
	char layout[8] = "";
	size_t end;

	if (strncmp(name, base, len) != 0 || name[len] != '.')
		return NULL;
	name += len + 1;
	end = strcspn(name, ".");
	if (end >= sizeof(layout))
		return NULL;
	memcpy(layout, name, end);
	name += end;
	if (*name && (!name[1] || name[1 + strspn(name + 1, "0123456789")]))
		return NULL;
	return fv_layout_by_name(layout);
}

/*
 * True if the file `path` begins with all bytes of the file `kept`, and with
 * `no_more` has no further ones.
 */
static bool
begins_with(const char *path, const char *kept, bool no_more)
{
	uint8_t *now = NULL, *then = NULL;
	size_t size, then_size;
	struct error err;
	bool result;

	result = load_file(path, SIZE_MAX, &now, &size, &err) == 0 &&
		 load_file(kept, SIZE_MAX, &then, &then_size, &err) == 0 &&
		 (no_more ? then_size == size : then_size <= size) &&
		 !memcmp(now, then, then_size);
	free(now);
	free(then);
	return result;
}

/* True if the journal of VARS is this one, perhaps with more records. */
static bool
continues(const struct undoing *undoing, const char *path)
{
	char name[PATH_MAX + sizeof(".journal")];

	(void)snprintf(name, sizeof(name), "%s.journal", path);
	return begins_with(undoing->files->name[FILES_JOURNAL], name, false);
}

/* Of two files with one time, the one with the higher number is newer. */
static bool
is_newer(const struct kept *kept, const struct kept *other)
{
	const struct timespec *a = &kept->written, *b = &other->written;

	if (!*other->path || a->tv_sec != b->tv_sec)
		return !*other->path || a->tv_sec > b->tv_sec;
	if (a->tv_nsec != b->tv_nsec)
		return a->tv_nsec > b->tv_nsec;
	return strverscmp(kept->path, other->path) > 0;
}

/* Sorts a kept file; see struct undoing. */
static void
consider(struct undoing *undoing, const struct kept *kept)
{
	struct kept *best = &undoing->other;

	if (kept->layout == undoing->from)
		best = continues(undoing, kept->path) ? &undoing->leftover :
							&undoing->same;
	if (is_newer(kept, best))
		*best = *kept;
}

static void
look_at(struct undoing *undoing, const char *directory, const char *name,
	const struct fv_layout *layout)
{
	struct kept kept = { .layout = layout };
	struct stat st;
	int len = snprintf(kept.path, sizeof(kept.path), "%s/%s", directory,
			   name);

	if (len >= (int)sizeof(kept.path) || lstat(kept.path, &st) < 0 ||
	    !S_ISREG(st.st_mode) || st.st_size != (off_t)layout->size)
		return;
	kept.written = st.st_mtim;
	consider(undoing, &kept);
}

/* Finds the kept files of VARS. */
static int
find_kept(struct undoing *undoing, struct error *err)
{
	const char *vars = undoing->files->name[FILES_VARS];
	const char *base = strrchr(vars, '/') + 1;
	const struct fv_layout *layout;
	char directory[PATH_MAX];
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	(void)snprintf(directory, sizeof(directory), "%.*s", (int)(base - vars),
		       vars);
	if (stat(vars, &st) < 0)
		return error_errno(err, errno, "%s", vars);
	undoing->from = fv_layout_by_size((uint64_t)st.st_size);
	dir = opendir(directory);
	if (!dir)
		return error_errno(err, errno, "%s", directory);
	while ((entry = readdir(dir))) {
		layout = kept_layout(entry->d_name, base, strlen(base));
		if (layout)
			look_at(undoing, directory, entry->d_name, layout);
	}
	(void)closedir(dir);
	return 0;
}

/* --- bringing them back --- */

static int
copy_image(void *opaque, const struct store *store, uint8_t *image,
	   struct error *err)
{
	const struct undoing *undoing = opaque;
	int ret = 0;

	/* NULL: this was checked before the undo was interrupted. */
	if (store)
		ret = convert_check_waiting(store, err);
	memcpy(image, store_image(undoing->store), store_size(undoing->store));
	return ret < 0 ? ret : 1;
}

/* The names of the kept files are free again: VARS has what they had. */
static int
remove_kept(const struct kept *kept, struct error *err)
{
	struct files *files;
	int ret = files_local(&files, kept->path, NULL, NULL, err);

	if (ret < 0)
		return ret;
	ret = files_local_unlink(files, FILES_VARS);
	if (ret == 0)
		ret = files_local_unlink(files, FILES_JOURNAL);
	if (ret < 0)
		(void)error_errno(err, -ret, "%s", kept->path);
	files->ops->close(files);
	return ret;
}

/* The store of the kept files is open, and its VARS has the image. */
static int
replace(struct undoing *undoing, const struct kept *kept, char **replaced,
	struct error *err)
{
	struct store_config config = ctl_config(undoing->options);
	char suffix[8], name[PATH_MAX + sizeof(".journal")];
	struct store_resize resize = {
		.size = store_size(undoing->store),
		.suffix = suffix,
		.edit = copy_image,
		.opaque = undoing,
	};
	uint8_t *journal;
	int ret;

	config.files = undoing->files;
	(void)snprintf(suffix, sizeof(suffix), ".%s",
		       undoing->from ? undoing->from->name : "kept");
	(void)snprintf(name, sizeof(name), "%s.journal", kept->path);
	ret = load_file(name, SIZE_MAX, &journal, &resize.journal_len, err);
	if (ret < 0)
		return ret;
	resize.journal = journal;
	ret = store_resize(&config, &resize, replaced, err);
	free(journal);
	return ret < 0 ? ret : remove_kept(kept, err);
}

/* Recovers the kept files if a process has used them. */
static int
recover(const struct store_config *config, struct error *err)
{
	struct reader *reader;
	struct store *store;
	int ret = reader_open_files(&reader, config, err);
	bool is_due;

	if (ret < 0)
		return ret;
	is_due = reader_pending(reader) || reader_torn_bytes(reader) ||
		 !reader_has_journal(reader);
	reader_close(reader);
	if (!is_due)
		return 0;
	ret = store_open(&store, config, NULL, err);
	return ret < 0 ? ret : store_close(store);
}

/*
 * The kept files are not written unless they must be recovered, so they stay
 * older than the files that are kept in exchange.
 */
static int
bring_back(struct undoing *undoing, const struct kept *kept, char **replaced,
	   struct error *err)
{
	struct store_config config = ctl_config(undoing->options);
	int ret;

	*replaced = NULL;
	config.path = kept->path;
	config.journal = NULL;
	config.size = 0;
	ret = recover(&config, err);
	config.read_only = true;
	if (ret == 0)
		ret = store_open(&undoing->store, &config, NULL, err);
	if (ret < 0)
		return ret;
	ret = replace(undoing, kept, replaced, err);
	(void)store_close(undoing->store);
	return ret;
}

/*
 * True if a conversion was interrupted when the journal had lost its name, and
 * no process has used VARS since: the newest kept file is VARS.
 */
static bool
lacks_its_journal(const struct undoing *undoing)
{
	const struct kept *same = &undoing->same;

	return *same->path && is_newer(same, &undoing->other) &&
	       access(undoing->files->name[FILES_JOURNAL], F_OK) != 0 &&
	       begins_with(undoing->files->name[FILES_VARS], same->path, true);
}

/* ------------------------------------------------------------------------- */

static int
start(struct undoing *undoing, const struct ctl_options *options,
      struct files *files, struct error *err)
{
	struct store_config config = ctl_config(options);
	int ret;

	*undoing = (struct undoing){ .options = options, .files = files };
	config.files = files;
	ret = store_check_free(&config, err);
	return ret < 0 ? ret : find_kept(undoing, err);
}

int
undo_interrupted(const struct ctl_options *options, struct files *files,
		 struct error *err)
{
	struct undoing undoing;
	char *replaced = NULL;
	int ret = start(&undoing, options, files, err);

	if (ret < 0 || !lacks_its_journal(&undoing))
		return ret;
	ret = bring_back(&undoing, &undoing.same, &replaced, err);
	free(replaced);
	return ret < 0 ? ret : 1;
}

static void
print_result(const struct undoing *undoing, const char *replaced)
{
	printf("undone: the layout is %s again, with its history\n",
	       undoing->other.layout->name);
	printf("the guest now needs a firmware of the layout %s\n",
	       undoing->other.layout->name);
	if (!replaced)
		return;
	printf("the file of the layout %s and its history are kept in ",
	       undoing->from->name);
	ctl_print_word(replaced);
	printf(" and its journal\nto bring it back:\n  ");
	undo_print_command(undoing->options, undoing->files);
}

static int
undo(struct undoing *undoing, struct error *err)
{
	char *replaced;
	int ret = bring_back(undoing, &undoing->other, &replaced, err);

	if (ret == 0)
		print_result(undoing, replaced);
	free(replaced);
	return ret;
}

/* An undo has left the kept files when VARS and journal were in place. */
static int
complete(const struct undoing *undoing, struct error *err)
{
	int ret = remove_kept(&undoing->leftover, err);

	if (ret == 0)
		printf("the undo that was interrupted is complete: the layout "
		       "is %s\n",
		       undoing->from->name);
	return ret;
}

int
undo_conversion(const struct ctl_options *options, struct files *files)
{
	struct undoing undoing;
	struct error err;
	int ret = undo_interrupted(options, files, &err);

	if (ret > 0) {
		puts("the conversion that was interrupted is undone");
		return CTL_OK;
	}
	if (ret == 0)
		ret = start(&undoing, options, files, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	if (!*undoing.other.path)
		return ctl_fail(CTL_FILE,
				"%s: no file that a conversion has kept is "
				"beside it",
				files->name[FILES_VARS]);
	if (*undoing.leftover.path &&
	    is_newer(&undoing.other, &undoing.leftover))
		ret = complete(&undoing, &err);
	else
		ret = undo(&undoing, &err);
	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

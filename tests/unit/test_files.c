/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests files_local(), the files of one flash in the file system: their names,
 * creation, installation and removal, and the files left behind when a call
 * fails.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_store.h"

static struct files *files;
static struct error err;
static bool named;
static bool no_noreplace; /* the file system has no RENAME_NOREPLACE */
static int rename_error;  /* of a rename without flags */
static unsigned int links;

/* The operations of `struct files` return -errno and write no sentence. */
#define OPEN(role, write) files->ops->open(files, role, write)
#define CREATE(role) files->ops->create(files, role)
#define INSTALL(role, replace) files->ops->install(files, role, replace, &named)
#define REMOVE(role, unfinished) files->ops->remove(files, role, unfinished)

static void
open_files(const char *vars, const char *journal)
{
	int rc = files_local(&files, vars, journal, &sys_faulty, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
}

static void
close_files(void)
{
	if (files)
		files->ops->close(files);
	files = NULL;
}

static void
setup(void)
{
	scratch_make();
	ck_assert_int_eq(chdir(scratch_path("")), 0);
	memset(&fault, 0, sizeof(fault));
	no_noreplace = false;
	rename_error = 0;
	links = 0;
}

static void
teardown(void)
{
	close_files();
	scratch_remove();
}

static void
put(const char *name, const char *text)
{
	blob_write(scratch_path(name), text, strlen(text));
}

static bool
has(const char *name, const char *text)
{
	struct blob blob = blob_read(scratch_path(name));
	bool same = blob_equal(&blob, text, strlen(text));

	blob_free(&blob);
	return same;
}

static bool
exists(const char *name)
{
	struct stat st;

	return lstat(scratch_path(name), &st) == 0;
}

/* Opens and closes the file. */
static int
opens(enum files_role role, bool write)
{
	int fd = OPEN(role, write);

	if (fd >= 0)
		ck_assert_int_eq(close(fd), 0);
	return fd < 0 ? fd : 0;
}

static int
creates(enum files_role role, const char *text)
{
	int fd = CREATE(role);

	if (fd < 0)
		return fd;
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(close(fd), 0);
	return 0;
}

static void
names_are(const char *vars, const char *journal, const char *state)
{
	char name[64];
	int stem = (int)(strlen(state) - strlen(".state"));

	ck_assert_str_eq(files->name[FILES_VARS], scratch_path(vars));
	ck_assert_str_eq(files->name[FILES_JOURNAL], scratch_path(journal));
	ck_assert_str_eq(files->name[FILES_STATE], scratch_path(state));
	/* The queue and the pinned variables are beside the state. */
	snprintf(name, sizeof(name), "%.*s.next", stem, state);
	ck_assert_str_eq(files->name[FILES_NEXT], scratch_path(name));
	snprintf(name, sizeof(name), "%.*s.pins", stem, state);
	ck_assert_str_eq(files->name[FILES_PINS], scratch_path(name));
}

START_TEST(names_beside_the_file)
{
	put("VARS", "v");
	open_files(scratch_path("VARS"), NULL);
	names_are("VARS", "VARS.journal", "VARS.state");
	ck_assert(!files->journal_given);
	close_files();
	open_files("VARS", NULL);
	names_are("VARS", "VARS.journal", "VARS.state");
}
END_TEST

START_TEST(names_beside_the_real_file)
{
	put("VARS", "v");
	ck_assert_int_eq(mkdir(scratch_path("dir"), 0700), 0);
	ck_assert_int_eq(symlink("../VARS", scratch_path("dir/link")), 0);
	open_files(scratch_path("dir/link"), NULL);
	names_are("VARS", "VARS.journal", "VARS.state");
	ck_assert_int_eq(unlink(scratch_path("dir/link")), 0);
	ck_assert_int_eq(opens(FILES_VARS, true), 0);
}
END_TEST

START_TEST(names_of_a_missing_file)
{
	ck_assert_int_eq(mkdir(scratch_path("real"), 0700), 0);
	ck_assert_int_eq(symlink("real", scratch_path("dir")), 0);
	open_files("dir/VARS", NULL);
	names_are("real/VARS", "real/VARS.journal", "real/VARS.state");
	close_files();
	open_files("VARS", NULL);
	names_are("VARS", "VARS.journal", "VARS.state");
	for (unsigned int role = 0; role < FILES_ROLES; role++)
		ck_assert_int_eq(opens(role, _i), -ENOENT);
	ck_assert_int_eq(chdir("/"), 0);
	close_files();
	open_files("no-such-file", NULL);
	ck_assert_str_eq(files->name[FILES_JOURNAL], "/no-such-file.journal");
	ck_assert_int_eq(opens(FILES_JOURNAL, false), -ENOENT);
}
END_TEST

/* The journal's name may end like the default one's, or not. */
START_TEST(journal_elsewhere)
{
	put("VARS", "v");
	open_files("VARS", "other.journal");
	ck_assert(files->journal_given);
	names_are("VARS", "other.journal", "other.state");
	close_files();
	open_files("VARS", scratch_path("other"));
	names_are("VARS", "other", "other.state");
	ck_assert_int_eq(creates(FILES_JOURNAL, "j"), 0);
	ck_assert(exists("other.new"));
	ck_assert_int_eq(INSTALL(FILES_JOURNAL, false), 0);
	ck_assert(has("other", "j") && !exists("other.new"));
	close_files();
	open_files("VARS", ".journal");
	names_are("VARS", ".journal", ".state");
}
END_TEST

START_TEST(impossible_names)
{
	char gone[300];

	(void)snprintf(gone, sizeof(gone), "%s/VARS",
		       scratch_path("no-directory"));
	ck_assert_int_eq(files_local(&files, gone, NULL, NULL, &err), -ENOENT);
	ck_assert_ptr_eq(strstr(err.text, gone), err.text);
	ck_assert_int_eq(files_local(&files, "", NULL, NULL, &err), -ENOENT);
	ck_assert_int_eq(files_local(&files, "none/", NULL, NULL, &err),
			 -ENOENT);
	ck_assert_int_eq(symlink("loop", scratch_path("loop")), 0);
	ck_assert_int_eq(files_local(&files, "loop", NULL, NULL, &err), -ELOOP);
	put("file", "");
	ck_assert_int_eq(files_local(&files, "file/VARS", NULL, NULL, &err),
			 -ENOTDIR);
	ck_assert_int_eq(mkdir(scratch_path("cwd"), 0700), 0);
	ck_assert_int_eq(chdir("cwd"), 0);
	ck_assert_int_eq(rmdir(scratch_path("cwd")), 0);
	ck_assert_int_eq(files_local(&files, scratch_path("VARS"), "journal",
				     NULL, &err),
			 -ENOENT);
	ck_assert_ptr_eq(strstr(err.text, "journal"), err.text);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_ptr_null(files);
}
END_TEST

START_TEST(no_memory_for_names)
{
	const char *const journals[] = { NULL, "journal" };
	unsigned int n = 0, failures = 0;
	int rc;

	if (!memory_can_fail())
		return;
	if (_i / 2)
		put("VARS", "v");
	do {
		memory_fault = (struct memory_fault){ .nth = ++n };
		rc = files_local(&files, "VARS", journals[_i % 2], NULL, &err);
		memory_fault.nth = 0;
		ck_assert(rc == 0 || rc == -ENOMEM);
		failures += rc != 0;
		if (rc == 0)
			close_files();
	} while (memory_fault.hits);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(failures, 8);
}
END_TEST

/*
 * Links made after files_local() are not followed; VARS is not resolved again.
 */
START_TEST(links_are_not_followed)
{
	put("VARS", "v");
	put("victim", "precious");
	open_files("VARS", NULL);
	ck_assert_int_eq(unlink("VARS"), 0);
	ck_assert_int_eq(symlink("victim", "VARS"), 0);
	ck_assert_int_eq(symlink("victim", "VARS.journal"), 0);
	ck_assert_int_eq(symlink("victim", "VARS.state"), 0);
	ck_assert_int_eq(symlink("victim", "VARS.next"), 0);
	ck_assert_int_eq(symlink("victim", "VARS.pins"), 0);
	for (unsigned int role = 0; role < FILES_ROLES; role++)
		ck_assert_int_eq(opens(role, _i), -ELOOP);
	ck_assert_int_eq(unlink("VARS"), 0);
	put("VARS", "v");
	ck_assert_int_eq(symlink("victim", "VARS.journal.new"), 0);
	ck_assert_int_eq(creates(FILES_JOURNAL, "j"), 0);
	ck_assert_int_eq(INSTALL(FILES_JOURNAL, true), 0);
	ck_assert(has("VARS.journal", "j") && has("victim", "precious"));
	ck_assert_int_eq(REMOVE(FILES_STATE, false), 0);
	ck_assert(!exists("VARS.state") && has("victim", "precious"));
}
END_TEST

/* A dangling link is neither a VARS file nor a place for one. */
START_TEST(dangling_link)
{
	ck_assert_int_eq(symlink("nowhere", scratch_path("VARS")), 0);
	ck_assert_int_eq(files_local(&files, "VARS", NULL, &sys_faulty, &err),
			 -ENOENT);
	ck_assert_str_eq(err.text,
			 "VARS: is a symbolic link to 'nowhere', which leads "
			 "to no file: correct or remove the link");
	ck_assert_ptr_null(files);
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

/* It is no place either if it is made after files_local(). */
START_TEST(later_dangling_link)
{
	open_files("VARS", NULL);
	ck_assert_int_eq(symlink("nowhere", "VARS"), 0);
	ck_assert_int_eq(opens(FILES_VARS, _i), -ELOOP);
	ck_assert_int_eq(creates(FILES_VARS, "v"), 0);
	ck_assert_int_eq(INSTALL(FILES_VARS, false), -EEXIST);
	ck_assert_int_eq(REMOVE(FILES_VARS, true), 0);
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

START_TEST(missing_directories)
{
	static const struct {
		const char *vars, *journal, *why;
	} cases[] = {
		{ "none/VARS", NULL,
		  "none/VARS: the directory none does not exist: create it" },
		{ "none/inner/VARS", NULL,
		  ": the directory none/inner does not exist: " },
		{ "link/VARS", NULL,
		  ": the directory link is a symbolic link to 'away', which "
		  "leads to no directory" },
		{ "VARS", "none/j", "/none/j: the directory " },
		{ "VARS", "link/j", "/link is a symbolic link to 'away', " },
	};

	put("VARS", "v");
	ck_assert_int_eq(symlink("away", "link"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(files_local(&files, cases[i].vars,
					     cases[i].journal, NULL, &err),
				 -ENOENT);
		ck_assert_msg(strstr(err.text, cases[i].why), "%s", err.text);
	}
	ck_assert_int_eq(files_local(&files, "VARS/x/y", NULL, NULL, &err),
			 -ENOTDIR);
	ck_assert_str_eq(err.text, "VARS/x/y: VARS is not a directory");
	ck_assert_int_eq(files_local(&files, "VARS", "VARS/j", NULL, &err),
			 -ENOTDIR);
	ck_assert_msg(strstr(err.text, "/VARS is not a directory"), "%s",
		      err.text);
}
END_TEST

/* The directory vanishes after files_local(): no unfinished file is named. */
START_TEST(a_directory_that_vanishes)
{
	struct store_config config = { .size = 4096 };
	uint8_t image[4096] = { 0 };

	ck_assert_int_eq(mkdir("dir", 0700), 0);
	open_files("dir/VARS", NULL);
	config.files = files;
	ck_assert_int_eq(rmdir("dir"), 0);
	ck_assert_int_eq(store_create(&config, image, &err), -ENOENT);
	ck_assert_msg(strstr(err.text, "/dir/VARS: the directory "), "%s",
		      err.text);
}
END_TEST

/* _i: the journal is a dangling link, too. */
START_TEST(a_link_for_the_journal)
{
	struct store_config config = { .size = 4096 };
	uint8_t image[4096] = { 0 };

	if (!_i)
		put("victim", "precious");
	ck_assert_int_eq(symlink("victim", "VARS.journal"), 0);
	open_files("VARS", NULL);
	config.files = files;
	ck_assert_int_eq(store_create(&config, image, &err), -ELOOP);
	ck_assert_msg(strstr(err.text, "VARS.journal: is a symbolic link, "),
		      "%s", err.text);
}
END_TEST

START_TEST(reading_a_fifo_does_not_block)
{
	ck_assert_int_eq(mkfifo(scratch_path("VARS"), 0600), 0);
	open_files("VARS", NULL);
	ck_assert_int_eq(opens(FILES_VARS, false), 0);
}
END_TEST

START_TEST(flags_of_descriptors)
{
	int fd;

	put("VARS", "v");
	open_files("VARS", NULL);
	for (int write = 0; write < 2; write++) {
		fd = OPEN(FILES_VARS, write);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
		ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE,
				 write ? O_RDWR : O_RDONLY);
		ck_assert_int_eq(close(fd), 0);
	}
	fd = CREATE(FILES_STATE);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* Only opening for writing must make the name durable. */
START_TEST(opening_to_write_syncs_the_directory)
{
	put("VARS", "v");
	put("VARS.journal", "j");
	open_files("VARS", NULL);
	for (unsigned int role = FILES_VARS; role <= FILES_JOURNAL; role++) {
		fault = (struct fault){ .only = CALL_SYNC_DIRECTORY };
		ck_assert_int_eq(opens(role, false), 0);
		ck_assert_uint_eq(fault.calls, 0);
		ck_assert_int_eq(opens(role, true), 0);
		ck_assert_uint_eq(fault.calls, 1);
		fault = (struct fault){ .only = CALL_SYNC_DIRECTORY,
					.nth = 1,
					.error = EINVAL };
		ck_assert_int_eq(opens(role, true), 0);
		ck_assert_uint_eq(fault.hits, 1);
	}
}
END_TEST

static void
mode_and_owner_are(const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	ck_assert_int_eq(stat(scratch_path(name), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, mode);
	if (geteuid() == 0)
		ck_assert(st.st_uid == uid && st.st_gid == gid);
}

/* _i: VARS was opened before. */
START_TEST(new_files_are_owned_as_vars)
{
	put("VARS", "v");
	ck_assert_int_eq(chmod(scratch_path("VARS"), 04640), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(chown(scratch_path("VARS"), 12, 34), 0);
	open_files("VARS", NULL);
	if (_i)
		ck_assert_int_eq(opens(FILES_VARS, false), 0);
	put("VARS.state.new", "left over");
	ck_assert_int_eq(creates(FILES_STATE, "s"), 0);
	ck_assert_int_eq(creates(FILES_JOURNAL, "j"), 0);
	ck_assert(has("VARS.state.new", "s"));
	mode_and_owner_are("VARS.state.new", 0640, 12, 34);
	mode_and_owner_are("VARS.journal.new", 0640, 12, 34);
}
END_TEST

/* The owner of VARS is known from opening it, even after its removal. */
START_TEST(owner_of_a_removed_file)
{
	put("VARS", "v");
	open_files("VARS", NULL);
	ck_assert_int_eq(unlink("VARS"), 0);
	ck_assert_int_eq(creates(FILES_STATE, "s"), -ENOENT);
	put("VARS", "v");
	ck_assert_int_eq(opens(FILES_VARS, false), 0);
	ck_assert_int_eq(unlink("VARS"), 0);
	ck_assert_int_eq(creates(FILES_STATE, "s"), 0);
}
END_TEST

START_TEST(new_vars_is_private)
{
	open_files("VARS", NULL);
	ck_assert_int_eq(creates(FILES_VARS, "first"), 0);
	ck_assert_uint_eq(scratch_entries(), 1);
	ck_assert_int_eq(creates(FILES_VARS, "second"), 0);
	ck_assert_uint_eq(scratch_entries(), 1);
	ck_assert_int_eq(INSTALL(FILES_VARS, false), 0);
	ck_assert(named && has("VARS", "second"));
	ck_assert_uint_eq(scratch_entries(), 1);
	mode_and_owner_are("VARS", 0600, geteuid(), getegid());
	ck_assert_int_eq(opens(FILES_VARS, true), 0);
	no_random = true;
	close_files();
	open_files("VARS", NULL);
	ck_assert_int_eq(creates(FILES_VARS, "third"), -ENOSYS);
	no_random = false;
}
END_TEST

START_TEST(existing_files_are_not_overwritten)
{
	put("VARS", "v");
	put("VARS.journal", "old");
	put("VARS.state", "old");
	put("VARS.next", "old");
	put("VARS.pins", "old");
	open_files("VARS", NULL);
	for (unsigned int role = 0; role < FILES_ROLES; role++) {
		ck_assert_int_eq(creates(role, "new"), 0);
		ck_assert_int_eq(INSTALL(role, false), -EEXIST);
		ck_assert(!named);
		ck_assert_int_eq(REMOVE(role, true), 0);
		ck_assert_int_eq(REMOVE(role, true), 0);
	}
	ck_assert_uint_eq(scratch_entries(), 5);
	ck_assert(has("VARS", "v") && has("VARS.journal", "old") &&
		  has("VARS.state", "old") && has("VARS.next", "old") &&
		  has("VARS.pins", "old"));
}
END_TEST

START_TEST(existing_names_are_replaced)
{
	const char *const names[] = { "VARS", "VARS.journal", "VARS.state",
				      "VARS.next", "VARS.pins" };

	put("VARS", "v");
	open_files("VARS", NULL);
	for (unsigned int role = FILES_JOURNAL; role < FILES_ROLES; role++)
		for (int i = 0; i < 2; i++) {
			char text[] = { (char)('0' + i), '\0' };

			ck_assert_int_eq(creates(role, text), 0);
			ck_assert_int_eq(INSTALL(role, true), 0);
			ck_assert(named && has(names[role], text));
		}
	ck_assert_int_eq(creates(FILES_VARS, "w"), 0);
	ck_assert_int_eq(INSTALL(FILES_VARS, true), -EPERM);
	ck_assert(!named && has("VARS", "v"));
	ck_assert_int_eq(REMOVE(FILES_VARS, true), 0);
	ck_assert_uint_eq(scratch_entries(), 5);
}
END_TEST

/* --- a file system without RENAME_NOREPLACE --- */

int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to,
		     unsigned int flags);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to,
		     unsigned int flags);
int __real_rename(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

int
__wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to,
		 unsigned int flags)
{
	if (flags && no_noreplace) {
		errno = EINVAL;
		return -1;
	}
	return __real_renameat2(from_dir, from, to_dir, to, flags);
}

/* rename_error ENOENT: the rename is done, its reply is lost. */
int
__wrap_rename(const char *from, const char *to)
{
	if (rename_error && rename_error != ENOENT) {
		errno = rename_error;
		return -1;
	}
	if (__real_rename(from, to) < 0)
		return -1;
	errno = rename_error;
	return rename_error ? -1 : 0;
}

int
__wrap_link(const char *from, const char *to)
{
	links++;
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

static void
open_without_noreplace(void)
{
	no_noreplace = true;
	ck_assert_int_eq(files_local(&files, "VARS", NULL, &sys_kernel, &err),
			 0);
}

/* NFS keeps the names of an open file: a second one would stay. */
START_TEST(no_link_is_made)
{
	open_without_noreplace();
	ck_assert_int_eq(creates(FILES_VARS, "new"), 0);
	ck_assert_int_eq(INSTALL(FILES_VARS, false), 0);
	ck_assert(named && has("VARS", "new"));
	ck_assert_uint_eq(links, 0);
}
END_TEST

START_TEST(a_taken_name_is_not_overwritten)
{
	open_without_noreplace();
	ck_assert_int_eq(creates(FILES_VARS, "new"), 0);
	put("VARS", _i ? "" : "v");
	ck_assert_int_eq(INSTALL(FILES_VARS, false), -EEXIST);
	ck_assert(!named && has("VARS", _i ? "" : "v"));
}
END_TEST

START_TEST(a_name_is_given_back)
{
	open_without_noreplace();
	ck_assert_int_eq(creates(FILES_VARS, "new"), 0);
	rename_error = EIO;
	ck_assert_int_eq(INSTALL(FILES_VARS, false), -EIO);
	ck_assert(!named && !exists("VARS"));
	rename_error = 0;
	ck_assert_int_eq(INSTALL(FILES_VARS, false), 0);
	ck_assert(named && has("VARS", "new"));
}
END_TEST

START_TEST(a_lost_reply)
{
	open_without_noreplace();
	ck_assert_int_eq(creates(FILES_VARS, "new"), 0);
	rename_error = ENOENT;
	ck_assert_int_eq(INSTALL(FILES_VARS, false), 0);
	ck_assert(named && has("VARS", "new"));
}
END_TEST

START_TEST(nothing_to_install)
{
	put("VARS", "v");
	open_files("VARS", NULL);
	for (unsigned int role = 0; role < FILES_ROLES; role++)
		ck_assert_int_eq(INSTALL(role, false), -ENOENT);
	ck_assert_int_eq(REMOVE(FILES_VARS, true), 0);
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

START_TEST(only_state_and_queue_may_be_removed)
{
	put("VARS", "v");
	put("VARS.journal", "j");
	put("VARS.state", "s");
	put("VARS.next", "n");
	put("VARS.pins", "p");
	open_files("VARS", NULL);
	ck_assert_int_eq(REMOVE(FILES_VARS, false), -EPERM);
	ck_assert_int_eq(REMOVE(FILES_JOURNAL, false), -EPERM);
	ck_assert_int_eq(REMOVE(FILES_PINS, false), -EPERM);
	for (unsigned int role = FILES_STATE; role <= FILES_NEXT; role++) {
		fault = (struct fault){ .only = CALL_SYNC_DIRECTORY };
		ck_assert_int_eq(REMOVE(role, false), 0);
		ck_assert_uint_eq(fault.calls, 1);
		ck_assert_int_eq(REMOVE(role, false), 0);
	}
	ck_assert_uint_eq(scratch_entries(), 3);
}
END_TEST

/* --- each call fails --- */

static int
do_open(void)
{
	return opens(FILES_VARS, true);
}

static int
do_create(void)
{
	return creates(FILES_STATE, "new");
}

static int
do_create_vars(void)
{
	return creates(FILES_VARS, "new");
}

static int
do_install(void)
{
	return INSTALL(FILES_JOURNAL, false);
}

static int
do_replace(void)
{
	return INSTALL(FILES_STATE, true);
}

static int
do_remove(void)
{
	return REMOVE(FILES_STATE, false);
}

static int
do_remove_unfinished(void)
{
	return REMOVE(FILES_STATE, true);
}

/* A new name must not exist; a replaced one must be as `named` reports. */
static void
check_names(int (*call)(void))
{
	if (call == do_install)
		ck_assert(!named && !exists("VARS.journal"));
	if (call == do_replace)
		ck_assert(has("VARS.state", named ? "new" : "old"));
}

static unsigned int
descriptors(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 64; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void
prepare(void)
{
	put("VARS.state", "old");
	(void)unlink(scratch_path("VARS.journal"));
	open_files("VARS", NULL);
	ck_assert_int_eq(creates(FILES_JOURNAL, "new"), 0);
	ck_assert_int_eq(creates(FILES_STATE, "new"), 0);
	ck_assert_int_eq(creates(FILES_VARS, "new"), 0);
}

START_TEST(every_call_fails)
{
	static const struct {
		int (*call)(void);
		unsigned int calls; /* minimum */
		unsigned int
			harmless; /* calls that may fail without an error */
	} cases[] = {
		{ do_open, 4, 1 },
		{ do_create, 4, 0 },
		{ do_create_vars, 2, 0 },
		{ do_install, 3, 1 },
		{ do_replace, 3, 1 },
		{ do_remove, 3, 1 },
		{ do_remove_unfinished, 1, 0 },
	};
	unsigned int n = 0, harmless = 0, before, hits;
	int rc;

	put("VARS", "v");
	before = descriptors();
	do {
		prepare();
		fault = (struct fault){ .nth = ++n, .error = EIO };
		rc = cases[_i].call();
		hits = fault.hits;
		memset(&fault, 0, sizeof(fault));
		ck_assert(rc == 0 || rc == -EIO);
		if (rc)
			check_names(cases[_i].call);
		harmless += hits && !rc;
		ck_assert_uint_eq(descriptors(), before);
		ck_assert_int_eq(REMOVE(FILES_VARS, true), 0);
		close_files();
	} while (hits);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(n, cases[_i].calls);
	ck_assert_uint_le(harmless, cases[_i].harmless);
	ck_assert(has("VARS", "v"));
}
END_TEST

#define CASES 7

/*
 * Only EPERM of fchown() is ignored: that of a user who may not give away
 * files.
 */
START_TEST(owner_that_cannot_be_set)
{
	put("VARS", "v");
	open_files("VARS", NULL);
	ck_assert_int_eq(opens(FILES_VARS, false), 0);
	fault = (struct fault){ .only = CALL_OTHER, .nth = 2, .error = EPERM };
	ck_assert_int_eq(creates(FILES_STATE, "s"), 0);
	ck_assert_uint_eq(fault.hits, 1);
	fault = (struct fault){ .only = CALL_OTHER, .nth = 3, .error = EPERM };
	ck_assert_int_eq(creates(FILES_STATE, "s"), -EPERM);
	ck_assert_uint_eq(fault.hits, 1);
}
END_TEST

/*
 * A failed installation removes the name if possible, and reports if it cannot.
 */
START_TEST(name_that_cannot_be_removed)
{
	put("VARS", "v");
	open_files("VARS", NULL);
	ck_assert_int_eq(creates(FILES_JOURNAL, "j"), 0);
	fault = (struct fault){ .nth = 3, .persistent = true, .error = EIO };
	ck_assert_int_eq(INSTALL(FILES_JOURNAL, false), -EIO);
	ck_assert(named && exists("VARS.journal"));
}
END_TEST

START_TEST(open_is_interrupted)
{
	put("VARS", "v");
	open_files("VARS", NULL);
	fault = (struct fault){ .kind = FAULT_EINTR, .nth = 1 };
	ck_assert_int_eq(opens(FILES_VARS, false), 0);
	ck_assert_uint_eq(fault.hits, 1);
}
END_TEST

/* --- a store on such files --- */

#define SIZE 8192u

/* A store on caller-supplied files has no path and does not close the files. */
/* --- a device that several hosts share; a file that claims to be one --- */

static struct {
	bool reserved;
	unsigned int asked, dropped;
} shared;

static int
shared_fstat(int fd, struct stat *st)
{
	int rc = fstat(fd, st);

	st->st_mode = S_IFBLK | (st->st_mode & 07777);
	return rc;
}

static bool
shared_reserved(int fd)
{
	(void)fd;
	shared.asked++;
	return shared.reserved;
}

static int
shared_fadvise(int fd, off_t off, off_t len, int advice)
{
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(off, 0);
	ck_assert_int_eq(len, 0);
	ck_assert_int_eq(advice, POSIX_FADV_DONTNEED);
	shared.dropped++;
	return 0;
}

static void
open_shared(bool reserved)
{
	static struct sys sys;

	sys = sys_faulty;
	sys.fstat = shared_fstat;
	sys.reserved = shared_reserved;
	sys.fadvise = shared_fadvise;
	shared.reserved = reserved;
	shared.asked = shared.dropped = 0;
	put("VARS", "v");
	ck_assert_int_eq(files_local(&files, scratch_path("VARS"), NULL, &sys,
				     &err),
			 0);
}

/* Each opening, because the host that has the device may change at any time. */
START_TEST(device_is_read_anew)
{
	open_shared(false);
	ck_assert_int_eq(opens(FILES_VARS, false), 0);
	ck_assert_uint_eq(shared.dropped, 1);
	ck_assert_uint_eq(shared.asked, 0);
	ck_assert_int_eq(opens(FILES_VARS, true), 0);
	ck_assert_uint_eq(shared.dropped, 2);
	ck_assert_uint_eq(shared.asked, 1);
	close_files();
	open_files(scratch_path("VARS"), NULL);
	ck_assert_int_eq(opens(FILES_VARS, true), 0);
	ck_assert_uint_eq(shared.dropped, 2);
}
END_TEST

START_TEST(device_that_another_host_has_reserved)
{
	struct store_config config = { .path = scratch_path("VARS") };
	struct store *store;

	open_shared(true);
	ck_assert_int_eq(opens(FILES_VARS, false), 0);
	ck_assert_int_eq(opens(FILES_VARS, true), -EBADE);
	config.files = files;
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "another host has reserved"));
	ck_assert(has("VARS", "v"));
	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(files->ops->explain(files, FILES_VARS, EBADE, &err),
			 -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "another host has reserved"));
}
END_TEST

START_TEST(store_of_files)
{
	static uint8_t image[SIZE];
	struct store_config config = { .size = SIZE };
	struct store *store;
	bool changed;

	open_files("VARS", "other.journal");
	config.files = files;
	memset(image, 0xff, sizeof(image));
	ck_assert_int_eq(store_check_free(&config, &err), -ENOENT);
	ck_assert_int_eq(store_create(&config, image, &err), 0);
	ck_assert_int_eq(store_create(&config, image, &err), -EEXIST);
	ck_assert_int_eq(store_check_free(&config, &err), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
		ck_assert_str_eq(store_path(store), files->name[FILES_VARS]);
		ck_assert_int_eq(store_program(store, (uint32_t)i, "x", 1), 0);
		ck_assert_int_eq(store_release(store, &err), 0);
		ck_assert_int_eq(store_retake(store, true, &err), 0);
		ck_assert_int_eq(store_close(store), 0);
	}
	image[7] = 0;
	blob_write(scratch_path("VARS"), image, SIZE);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EUCLEAN);
	ck_assert_int_eq(store_accept(&config, &changed, &err), 0);
	ck_assert(changed);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_mem_eq(store_image(store), image, SIZE);
	ck_assert_int_eq(store_close(store), 0);
	ck_assert_uint_eq(scratch_entries(), 2);
}
END_TEST

/* --- a block device: the kernel's part, with VARS as the device --- */

static struct sys device_calls;
static int claims; /* open descriptors with O_EXCL */
static int claimed = -1, opens_without;

static int
device_open(const char *path, int flags, mode_t mode)
{
	bool device = strstr(path, "VARS") && !strstr(path, "VARS.");
	int fd;

	if (device && flags & O_EXCL && claims) {
		errno = EBUSY;
		return -1;
	}
	fd = sys_kernel.open(path, flags & ~O_EXCL, mode);
	if (device && flags & O_EXCL) {
		ck_assert_int_eq(flags & O_CREAT, 0);
		claims++;
		claimed = fd;
	} else if (device && (flags & O_ACCMODE) == O_RDWR) {
		opens_without++;
	}
	return fd;
}

static int
device_close(int fd)
{
	if (fd == claimed) {
		claims--;
		claimed = -1;
	}
	return close(fd);
}

static int
device_fstat(int fd, struct stat *st)
{
	int rc = sys_kernel.fstat(fd, st);

	st->st_mode = S_IFBLK | 0600;
	return rc;
}

START_TEST(block_device_is_claimed)
{
	int first, reader;

	device_calls = sys_kernel;
	device_calls.open = device_open;
	device_calls.close = device_close;
	device_calls.fstat = device_fstat;
	put("VARS", "");
	ck_assert_int_eq(files_local(&files, scratch_path("VARS"), NULL,
				     &device_calls, &err),
			 0);
	first = OPEN(FILES_VARS, FILES_WRITE);
	ck_assert_int_ge(first, 0);
	ck_assert_int_eq(first, claimed);
	ck_assert_int_eq(OPEN(FILES_VARS, FILES_WRITE), -EBUSY);
	reader = OPEN(FILES_VARS, FILES_READ);
	ck_assert_int_ge(reader, 0);
	ck_assert_int_eq(claims, 1);
	device_close(reader);
	opens_without = 0;
	reader = OPEN(FILES_VARS, FILES_BESIDE);
	ck_assert_int_ge(reader, 0);
	ck_assert_int_eq(opens_without, 1);
	device_close(reader);
	device_close(first);
	first = OPEN(FILES_VARS, FILES_WRITE);
	ck_assert_int_ge(first, 0);
	device_close(first);
}
END_TEST

/* The file is no device here, so that the sentence names no user. */
START_TEST(busy_device_has_a_sentence)
{
	put("VARS", "");
	open_files(scratch_path("VARS"), NULL);
	ck_assert_int_eq(files->ops->explain(files, FILES_VARS, EBUSY, &err),
			 -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS: in use by another"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("files");
	TCase *tc = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names_beside_the_file);
	tcase_add_test(tc, names_beside_the_real_file);
	tcase_add_loop_test(tc, names_of_a_missing_file, 0, 2);
	tcase_add_test(tc, journal_elsewhere);
	tcase_add_test(tc, impossible_names);
	tcase_add_loop_test(tc, no_memory_for_names, 0, 4);
	tcase_add_loop_test(tc, links_are_not_followed, 0, 2);
	tcase_add_test(tc, dangling_link);
	tcase_add_loop_test(tc, later_dangling_link, 0, 2);
	tcase_add_test(tc, missing_directories);
	tcase_add_test(tc, a_directory_that_vanishes);
	tcase_add_loop_test(tc, a_link_for_the_journal, 0, 2);
	tcase_add_test(tc, reading_a_fifo_does_not_block);
	tcase_add_test(tc, flags_of_descriptors);
	tcase_add_test(tc, opening_to_write_syncs_the_directory);
	tcase_add_loop_test(tc, new_files_are_owned_as_vars, 0, 2);
	tcase_add_test(tc, owner_of_a_removed_file);
	tcase_add_test(tc, new_vars_is_private);
	tcase_add_test(tc, existing_files_are_not_overwritten);
	tcase_add_test(tc, existing_names_are_replaced);
	tcase_add_test(tc, no_link_is_made);
	tcase_add_loop_test(tc, a_taken_name_is_not_overwritten, 0, 2);
	tcase_add_test(tc, a_name_is_given_back);
	tcase_add_test(tc, a_lost_reply);
	tcase_add_test(tc, nothing_to_install);
	tcase_add_test(tc, only_state_and_queue_may_be_removed);
	tcase_add_loop_test(tc, every_call_fails, 0, CASES);
	tcase_add_test(tc, owner_that_cannot_be_set);
	tcase_add_test(tc, name_that_cannot_be_removed);
	tcase_add_test(tc, open_is_interrupted);
	tcase_add_test(tc, device_is_read_anew);
	tcase_add_test(tc, device_that_another_host_has_reserved);
	tcase_add_test(tc, store_of_files);
	tcase_add_test(tc, block_device_is_claimed);
	tcase_add_test(tc, busy_device_has_a_sentence);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

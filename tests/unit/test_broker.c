/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy for a worker's requests, one by one and without processes, and the
 * orders to the worker.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"
#include "double_domain.h"
#include "pflash/control.h"
#include "raw_message.h"
#include "pflash/text.h"
#include "supervised.h"
#include "supervisor/broker.h"
#include "supervisor/process.h"

/* The broker's state before the request, as bits. */
#define WAS_READY 1u
#define READY 2u
#define INSTALLED 4u
#define MODE 8u
#define NO_DOMAIN 16u
#define PAUSED 32u /* a pause that the flash must undo */
#define ADMIN 64u  /* a pause for an administrator */
#define TRACE 128u /* a trace is ordered */

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))
#define REFUSED 1000 /* differs from every reply's result */

static struct broker broker;
static struct rundir rundir;
static int ends[2]; /* [0] of the broker, [1] of the worker */
static int file_calls, file_result, mode_error;
static const char *kept_name = "/x/VARS.next.kept";
static unsigned int readies;

/* --- files that count the calls --- */

static int
fake_open(struct files *files, enum files_role role, enum files_access access)
{
	(void)files, (void)role, (void)access;
	file_calls++;
	return file_result ? file_result : open("/dev/null", O_CLOEXEC);
}

static int
fake_create(struct files *files, enum files_role role)
{
	return fake_open(files, role, true);
}

static int
fake_install(struct files *files, enum files_role role, bool replace,
	     bool *named)
{
	(void)files, (void)role, (void)replace;
	*named = true;
	file_calls++;
	return file_result;
}

static int
fake_remove(struct files *files, enum files_role role, bool unfinished)
{
	(void)files, (void)role, (void)unfinished;
	file_calls++;
	return file_result;
}

static int
fake_keep(struct files *files, enum files_role role, bool copy, char **name)
{
	(void)files, (void)role, (void)copy;
	file_calls++;
	*name = file_result ? NULL : strdup(kept_name);
	return file_result;
}

static const struct files_ops fake_ops = {
	.open = fake_open,
	.create = fake_create,
	.install = fake_install,
	.remove = fake_remove,
	.keep = fake_keep,
};

static struct files fake_files = { .ops = &fake_ops };

static int
on_ready(void *opaque)
{
	(void)opaque;
	readies++;
	return 0;
}

static int
on_trace(void *opaque, uint32_t *flags)
{
	(void)opaque, (void)flags;
	return fake_open(NULL, FILES_VARS, true);
}

static void
on_mode(void *opaque, int error)
{
	(void)opaque;
	mode_error = error;
}

static void
setup(void)
{
	struct error err;

	stage_make();
	ck_assert_int_eq(mkdir(PFLASH_RUN_DIR, 0700), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    ends),
			 0);
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	(void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
	ck_assert_int_eq(rundir_open(&rundir, DOMID, -1, 0, &err), 0);
	ck_assert_int_eq(rundir_prepare(&rundir, &err), 0);
	broker = (struct broker){
		.files = &fake_files,
		.transport = domain_transport(domain_double()),
		.rundir = &rundir,
		.ready = on_ready,
		.mode_done = on_mode,
		.trace = on_trace,
	};
	broker_begin(&broker);
}

static void
set_state(unsigned int state)
{
	broker.was_ready = state & WAS_READY;
	broker.is_ready = state & READY;
	broker.record_installed = state & INSTALLED;
	broker.mode_ordered = state & MODE;
	broker.paused_for_admin = state & ADMIN;
	broker.traces_ordered = state & TRACE ? 1 : 0;
	if (state & NO_DOMAIN) {
		broker.transport = NULL;
		broker.rundir = NULL;
	} else {
		ck_assert_int_eq(rundir_set_paused(&rundir, state & PAUSED), 0);
	}
}

/* Returns the reply's result, or REFUSED; closes the reply's descriptor. */
static int
serve(const struct channel_request *request)
{
	struct channel_reply reply = { .result = REFUSED };
	struct error why = { .text = "" };
	int fd_in = -1, ret;

	ck_assert_int_eq(channel_send(ends[1], request, sizeof(*request), -1),
			 0);
	ret = broker_serve(&broker, ends[0], &why);
	ck_assert_int_ne(ret, 0);
	if (ret < 0) {
		ck_assert_str_ne(why.text, "");
		return REFUSED;
	}
	ck_assert_int_eq(channel_receive(ends[1], &reply, sizeof(reply),
					 &fd_in),
			 1);
	if (fd_in >= 0)
		close(fd_in);
	return reply.result;
}

/* --- the table --- */

static const struct {
	const char *what;
	struct channel_request request;
	unsigned int state;
	int result;
} table[] = {
#define FILES(what, verb, role, flag, state, result)                           \
	{                                                                      \
		what, { CHANNEL_##verb, role, flag, 0, 0, 0 }, state, result   \
	}
#define FRAMES(what, verb, gfn, count, result)                                 \
	{                                                                      \
		what, { CHANNEL_##verb, 0, 0, 0, count, gfn }, READY, result   \
	}
#define OTHER(what, verb, flag, state, result)                                 \
	{                                                                      \
		what, { CHANNEL_##verb, 0, flag, 0, 0, 0 }, state, result      \
	}
	/* VARS is created before the first worker is ready, never replaced. */
	FILES("VARS", OPEN, FILES_VARS, 1, 0, 0),
	FILES("VARS", OPEN, FILES_VARS, 1, READY | WAS_READY, 0),
	FILES("VARS beside another descriptor", OPEN, FILES_VARS, 2, READY, 0),
	FILES("VARS in an unknown way", OPEN, FILES_VARS, 3, READY, REFUSED),
	FILES("a journal beside another descriptor", OPEN, FILES_JOURNAL, 2,
	      READY, REFUSED),
	FILES("VARS created in an unknown way", CREATE, FILES_VARS, 2, 0,
	      REFUSED),
	FILES("new VARS", CREATE, FILES_VARS, 0, 0, 0),
	FILES("new VARS", CREATE, FILES_VARS, 0, READY, REFUSED),
	FILES("new VARS", CREATE, FILES_VARS, 0, WAS_READY, REFUSED),
	FILES("VARS' name", INSTALL, FILES_VARS, 0, 0, 0),
	FILES("VARS' name", INSTALL, FILES_VARS, 0, READY, REFUSED),
	FILES("VARS' name", INSTALL, FILES_VARS, 0, WAS_READY, REFUSED),
	FILES("VARS replaced", INSTALL, FILES_VARS, 1, 0, REFUSED),
	FILES("no VARS", REMOVE, FILES_VARS, 0, 0, REFUSED),
	FILES("no unfinished VARS", REMOVE, FILES_VARS, 1, 0, 0),
	FILES("no unfinished VARS", REMOVE, FILES_VARS, 1, READY, REFUSED),
	/* The journal is replaced, never removed. */
	FILES("journal", OPEN, FILES_JOURNAL, 1, READY | WAS_READY, 0),
	FILES("journal", CREATE, FILES_JOURNAL, 0, READY | WAS_READY, 0),
	FILES("journal", INSTALL, FILES_JOURNAL, 1, READY | WAS_READY, 0),
	FILES("no journal", REMOVE, FILES_JOURNAL, 0, 0, REFUSED),
	FILES("no journal", REMOVE, FILES_JOURNAL, 0, READY, REFUSED),
	FILES("unfinished journal", REMOVE, FILES_JOURNAL, 1, READY, 0),
	FILES("state", CREATE, FILES_STATE, 0, READY, 0),
	FILES("state", INSTALL, FILES_STATE, 1, READY, 0),
	FILES("no state", REMOVE, FILES_STATE, 0, READY, 0),
	/* The queue is taken before the guest runs, and never written. */
	FILES("queue", OPEN, FILES_NEXT, 0, 0, 0),
	FILES("no queue", REMOVE, FILES_NEXT, 0, 0, 0),
	FILES("queue kept", KEEP, FILES_NEXT, 0, 0, 0),
	FILES("queue to write", OPEN, FILES_NEXT, 1, 0, REFUSED),
	FILES("new queue", CREATE, FILES_NEXT, 0, 0, REFUSED),
	FILES("queue's name", INSTALL, FILES_NEXT, 0, 0, REFUSED),
	FILES("queue's name", INSTALL, FILES_NEXT, 1, 0, REFUSED),
	FILES("unfinished queue", REMOVE, FILES_NEXT, 1, 0, REFUSED),
	FILES("queue kept", KEEP, FILES_NEXT, 1, 0, REFUSED),
	FILES("queue", OPEN, FILES_NEXT, 0, READY, REFUSED),
	FILES("queue", OPEN, FILES_NEXT, 0, WAS_READY, REFUSED),
	FILES("no queue", REMOVE, FILES_NEXT, 0, READY, REFUSED),
	FILES("no queue", REMOVE, FILES_NEXT, 0, WAS_READY, REFUSED),
	FILES("queue kept", KEEP, FILES_NEXT, 0, READY, REFUSED),
	FILES("queue kept", KEEP, FILES_NEXT, 0, WAS_READY, REFUSED),
	FILES("VARS kept", KEEP, FILES_VARS, 0, 0, REFUSED),
	FILES("journal kept", KEEP, FILES_JOURNAL, 0, 0, REFUSED),
	FILES("state kept", KEEP, FILES_STATE, 0, 0, REFUSED),
	/* The pinned variables are written before the guest runs. */
	FILES("pins", OPEN, FILES_PINS, 0, 0, 0),
	FILES("pins to write", OPEN, FILES_PINS, 1, 0, 0),
	FILES("new pins", CREATE, FILES_PINS, 0, 0, 0),
	FILES("pins' name", INSTALL, FILES_PINS, 0, 0, 0),
	FILES("pins replaced", INSTALL, FILES_PINS, 1, 0, 0),
	FILES("unfinished pins", REMOVE, FILES_PINS, 1, 0, 0),
	FILES("pins", OPEN, FILES_PINS, 0, READY, 0),
	FILES("pins", OPEN, FILES_PINS, 0, WAS_READY, 0),
	FILES("pins to write", OPEN, FILES_PINS, 1, READY, REFUSED),
	FILES("pins to write", OPEN, FILES_PINS, 1, WAS_READY, REFUSED),
	FILES("new pins", CREATE, FILES_PINS, 0, READY, REFUSED),
	FILES("new pins", CREATE, FILES_PINS, 0, WAS_READY, REFUSED),
	FILES("pins' name", INSTALL, FILES_PINS, 0, READY, REFUSED),
	FILES("pins replaced", INSTALL, FILES_PINS, 1, READY, REFUSED),
	FILES("pins replaced", INSTALL, FILES_PINS, 1, WAS_READY, REFUSED),
	FILES("unfinished pins", REMOVE, FILES_PINS, 1, READY, REFUSED),
	FILES("unfinished pins", REMOVE, FILES_PINS, 1, WAS_READY, REFUSED),
	FILES("no pins", REMOVE, FILES_PINS, 0, 0, REFUSED),
	FILES("no pins", REMOVE, FILES_PINS, 0, READY, REFUSED),
	FILES("no pins", REMOVE, FILES_PINS, 0, WAS_READY, REFUSED),
	FILES("pins kept", KEEP, FILES_PINS, 0, 0, REFUSED),
	FILES("pins kept", KEEP, FILES_PINS, 0, WAS_READY, REFUSED),
	/* The supervisor makes the record; the worker has it renamed. */
	FILES("record", INSTALL, CHANNEL_HANDOVER, 0, 0, 0),
	FILES("record", INSTALL, CHANNEL_HANDOVER, 0, READY, 0),
	FILES("record twice", INSTALL, CHANNEL_HANDOVER, 0, INSTALLED, REFUSED),
	FILES("record", INSTALL, CHANNEL_HANDOVER, 0, NO_DOMAIN, REFUSED),
	FILES("record", OPEN, CHANNEL_HANDOVER, 0, 0, REFUSED),
	FILES("record", CREATE, CHANNEL_HANDOVER, 0, 0, REFUSED),
	FILES("record", REMOVE, CHANNEL_HANDOVER, 1, 0, REFUSED),
	FILES("trace", OPEN, CHANNEL_TRACE, 1, TRACE, 0),
	FILES("trace", OPEN, CHANNEL_TRACE, 1, TRACE | READY | NO_DOMAIN, 0),
	FILES("trace", OPEN, CHANNEL_TRACE, 1, READY, REFUSED),
	FILES("trace to read", OPEN, CHANNEL_TRACE, 0, TRACE, REFUSED),
	FILES("trace", CREATE, CHANNEL_TRACE, 1, TRACE, REFUSED),
	FILES("trace", INSTALL, CHANNEL_TRACE, 1, TRACE, REFUSED),
	FILES("no trace", REMOVE, CHANNEL_TRACE, 1, TRACE, REFUSED),
	FILES("unknown role", OPEN, CHANNEL_ROLES, 0, 0, REFUSED),
	FILES("role 255", REMOVE, 255, 1, 0, REFUSED),
	/* The hole for firmware, without Xen's special pages. */
	FRAMES("first", POPULATE, 0xfc000, 1, 0),
	FRAMES("last", POPULATE, 0xfffff, 1, 0),
	FRAMES("last", DEPOPULATE, 0xfffff, 1, 0),
	FRAMES("16 MiB", POPULATE, 0xff000, 4096, 0),
	FRAMES("more than 16 MiB", POPULATE, 0xfc000, 4097, REFUSED),
	FRAMES("below", POPULATE, 0xfbfff, 1, REFUSED),
	FRAMES("below", DEPOPULATE, 0xfbfff, 2, REFUSED),
	FRAMES("RAM", DEPOPULATE, 0, 1, REFUSED),
	FRAMES("above", POPULATE, 0x100000, 1, REFUSED),
	FRAMES("over the end", POPULATE, 0xfffff, 2, REFUSED),
	FRAMES("none", POPULATE, 0xfffff, 0, REFUSED),
	FRAMES("none", DEPOPULATE, 0xfc000, 0, REFUSED),
	FRAMES("huge", POPULATE, 0xfc000, UINT32_MAX, REFUSED),
	FRAMES("wraps", POPULATE, UINT64_MAX, 1, REFUSED),
	FRAMES("wraps", POPULATE, UINT64_MAX, 2, REFUSED),
	FRAMES("wraps", DEPOPULATE, UINT64_C(0x100000000fc000), 1, REFUSED),
	FRAMES("wraps", DEPOPULATE, UINT64_C(1) << 52, 1, REFUSED),
	FRAMES("before the special ones", POPULATE, 0xfebff, 1, 0),
	FRAMES("special", POPULATE, 0xfec00, 1, REFUSED),
	FRAMES("special", DEPOPULATE, 0xfeffc, 4, REFUSED),
	FRAMES("special", POPULATE, 0xfefff, 1, REFUSED),
	FRAMES("behind them", POPULATE, 0xff000, 1, 0),
	FRAMES("into them", POPULATE, 0xfebff, 2, REFUSED),
	FRAMES("over them", POPULATE, 0xfeb00, 0x600, REFUSED),
	FRAMES("any frame's type", GET_TYPE, 0, 0, HVMMEM_mmio_dm),
	/* The flash undoes its own pause only. */
	OTHER("pause", PAUSE, 0, 0, 0),
	OTHER("pause", PAUSE, 0, ADMIN, 0),
	OTHER("pause twice", PAUSE, 0, PAUSED, REFUSED),
	OTHER("pause for an administrator", PAUSE, 1, PAUSED, 0),
	OTHER("pause for an administrator twice", PAUSE, 1, ADMIN, 0),
	OTHER("unpause", UNPAUSE, 0, PAUSED, 0),
	OTHER("unpause", UNPAUSE, 0, ADMIN, 0),
	OTHER("ready", READY, 0, 0, 0),
	OTHER("ready", READY, 0, WAS_READY, 0),
	OTHER("ready twice", READY, 0, READY, REFUSED),
	OTHER("mode", MODE, 0, MODE | READY, 0),
	OTHER("mode", MODE, 0, READY, REFUSED),
	/* Without a domain, only requests on files are allowed. */
	FILES("VARS", OPEN, FILES_VARS, 1, NO_DOMAIN, 0),
	OTHER("pause", PAUSE, 0, NO_DOMAIN, REFUSED),
	OTHER("unpause", UNPAUSE, 0, NO_DOMAIN, REFUSED),
	OTHER("ready", READY, 0, NO_DOMAIN, REFUSED),
	OTHER("type", GET_TYPE, 0, NO_DOMAIN, REFUSED),
	/* Malformed requests. */
	OTHER("flag", READY, 2, 0, REFUSED),
	OTHER("flag", GET_TYPE, 255, 0, REFUSED),
	{ "verb 0", { .verb = 0 }, 0, REFUSED },
	{ "verb behind", { .verb = CHANNEL_VERBS }, 0, REFUSED },
	{ "verb 255", { .verb = 255 }, 0, REFUSED },
	{ "padding", { .verb = CHANNEL_READY, .zero = 1 }, 0, REFUSED },
};

static unsigned int
calls(void)
{
	return (unsigned int)file_calls + stage->populates +
	       stage->depopulates + stage->types + stage->pauses +
	       stage->unpauses + readies;
}

/* A refused request has no effect. */
START_TEST(policy)
{
	int result;

	set_state(table[_i].state);
	result = serve(&table[_i].request);
	ck_assert_msg(result == table[_i].result, "%s: %d, not %d",
		      table[_i].what, result, table[_i].result);
	if (result == REFUSED)
		ck_assert_msg(calls() == 0, "%s", table[_i].what);
}
END_TEST

/* --- effects --- */

START_TEST(unpause_undoes_its_own_pause_only)
{
	const struct channel_request pauses = { .verb = CHANNEL_PAUSE };
	const struct channel_request unpause = { .verb = CHANNEL_UNPAUSE };
	const struct channel_request stop = { .verb = CHANNEL_PAUSE,
					      .flag = 1 };

	ck_assert_int_eq(serve(&unpause), 0);
	ck_assert_uint_eq(stage->unpauses, 0);
	ck_assert_int_eq(serve(&stop), 0);
	ck_assert_int_eq(serve(&unpause), 0);
	ck_assert_uint_eq(stage->unpauses, 0);
	ck_assert_int_eq(serve(&pauses), 0);
	ck_assert_int_eq(serve(&unpause), 0);
	ck_assert_int_eq(serve(&unpause), 0);
	ck_assert_uint_eq(stage->pauses, 2);
	ck_assert_uint_eq(stage->unpauses, 1);
}
END_TEST

START_TEST(each_worker_may_pause_for_an_administrator)
{
	const struct channel_request stop = { .verb = CHANNEL_PAUSE,
					      .flag = 1 };

	ck_assert_int_eq(serve(&stop), 0);
	broker_begin(&broker);
	ck_assert_int_eq(serve(&stop), 0);
	ck_assert_uint_eq(stage->pauses, 2);
	stage->paused = 1;
	broker_begin(&broker);
	ck_assert_int_eq(serve(&stop), 0);
	ck_assert_uint_eq(stage->pauses, 2);
}
END_TEST

/* The guest is paused again after the administrator has unpaused it. */
START_TEST(pause_for_an_administrator_counts_once)
{
	const struct channel_request pauses = { .verb = CHANNEL_PAUSE };
	const struct channel_request stop = { .verb = CHANNEL_PAUSE,
					      .flag = 1 };

	ck_assert_int_eq(serve(&stop), 0);
	stage->paused = 1;
	ck_assert_int_eq(serve(&stop), 0);
	ck_assert_uint_eq(stage->pauses, 1);
	stage->paused = 0;
	ck_assert_int_eq(serve(&stop), 0);
	ck_assert_uint_eq(stage->pauses, 2);
	/* A worker cannot make them many by a pause that it will undo. */
	stage->paused = 1;
	ck_assert_int_eq(serve(&pauses), 0);
	ck_assert_int_eq(serve(&stop), 0);
	ck_assert_uint_eq(stage->pauses, 3);
}
END_TEST

START_TEST(record_gets_its_name_once)
{
	const struct channel_request install = { .verb = CHANNEL_INSTALL,
						 .role = CHANNEL_HANDOVER };

	ck_assert(exists("7.handover.new"));
	ck_assert(!exists("7.handover"));
	ck_assert_int_eq(serve(&install), 0);
	ck_assert(!exists("7.handover.new"));
	ck_assert(exists("7.handover"));
	ck_assert_int_eq(serve(&install), REFUSED);
}
END_TEST

START_TEST(record_that_cannot_get_its_name)
{
	const struct channel_request install = { .verb = CHANNEL_INSTALL,
						 .role = CHANNEL_HANDOVER };

	ck_assert_int_eq(unlink(PFLASH_RUN_DIR "/7.handover.new"), 0);
	ck_assert_int_eq(serve(&install), -ENOENT);
	ck_assert(!broker.record_installed);
}
END_TEST

START_TEST(result_of_the_files)
{
	const struct channel_request install = { .verb = CHANNEL_INSTALL,
						 .role = FILES_JOURNAL };
	const struct channel_request open = { .verb = CHANNEL_OPEN,
					      .role = FILES_JOURNAL };
	unsigned int before = descriptors_of(getpid());

	file_result = -EROFS;
	ck_assert_int_eq(serve(&install), -EROFS);
	ck_assert_int_eq(serve(&open), -EROFS);
	file_result = 0;
	ck_assert_int_eq(serve(&open), 0);
	ck_assert_uint_eq(descriptors_of(getpid()), before);
}
END_TEST

/* The reply has no path: it has the number in the new name. */
static int lease_result, lease_calls;

static int
on_lease(void *opaque)
{
	(void)opaque;
	lease_calls++;
	return lease_result;
}

/* Without the lease nothing is changed, and nothing opened that could be. */
START_TEST(no_lease_no_write)
{
	static const struct channel_request writes[] = {
		{ CHANNEL_OPEN, FILES_VARS, FILES_WRITE, 0, 0, 0 },
		{ CHANNEL_OPEN, FILES_VARS, FILES_BESIDE, 0, 0, 0 },
		{ CHANNEL_OPEN, FILES_JOURNAL, FILES_WRITE, 0, 0, 0 },
		{ CHANNEL_CREATE, FILES_JOURNAL, 0, 0, 0, 0 },
		{ CHANNEL_INSTALL, FILES_STATE, 1, 0, 0, 0 },
		{ CHANNEL_REMOVE, FILES_STATE, 0, 0, 0, 0 },
		{ CHANNEL_KEEP, FILES_NEXT, 0, 0, 0, 0 },
	};
	const struct channel_request reads = { CHANNEL_OPEN, FILES_VARS, 0, 0,
					       0, 0 };
	const struct channel_request record = { CHANNEL_INSTALL,
						CHANNEL_HANDOVER, 0, 0, 0, 0 };

	broker.lease = on_lease;
	lease_result = -EBUSY;
	lease_calls = file_calls = 0;
	for (int i = 0; i < COUNT(writes); i++)
		ck_assert_int_eq(serve(&writes[i]), -EBUSY);
	ck_assert_int_eq(lease_calls, COUNT(writes));
	ck_assert_int_eq(file_calls, 0);
	ck_assert_int_eq(serve(&reads), 0);
	ck_assert_int_eq(serve(&record), 0);
	ck_assert_int_eq(lease_calls, COUNT(writes));
	lease_result = 0;
	file_calls = 0;
	for (int i = 0; i < COUNT(writes); i++)
		ck_assert_int_eq(serve(&writes[i]), 0);
	ck_assert_int_eq(file_calls, COUNT(writes));
}
END_TEST

START_TEST(number_of_a_kept_file)
{
	const struct channel_request keep = { .verb = CHANNEL_KEEP,
					      .role = FILES_NEXT };

	kept_name = "/x.7/VARS.next.kept";
	ck_assert_int_eq(serve(&keep), 0);
	kept_name = "/x.7/VARS.next.kept.12";
	ck_assert_int_eq(serve(&keep), 12);
	file_result = -EROFS;
	ck_assert_int_eq(serve(&keep), -EROFS);
}
END_TEST

START_TEST(errno_of_a_mode)
{
	const struct channel_request mode = { .verb = CHANNEL_MODE,
					      .count = EBUSY };

	set_state(READY | MODE);
	ck_assert_int_eq(serve(&mode), 0);
	ck_assert_int_eq(mode_error, EBUSY);
	ck_assert_int_eq(serve(&mode), REFUSED);
}
END_TEST

/* A guest can cause any number of some requests, which are not limited. */
START_TEST(too_many_requests)
{
	const struct channel_request type = { .verb = CHANNEL_GET_TYPE };
	const struct channel_request pause = { .verb = CHANNEL_PAUSE };
	const struct channel_request unpause = { .verb = CHANNEL_UNPAUSE };
	const struct channel_request open = { .verb = CHANNEL_REMOVE,
					      .role = FILES_STATE };
	unsigned int count = 0;

	for (int i = 0; i < 20000; i++)
		ck_assert_int_eq(serve(&type), HVMMEM_mmio_dm);
	for (int i = 0; i < 20000; i++) {
		ck_assert_int_eq(serve(&pause), 0);
		ck_assert_int_eq(serve(&unpause), 0);
	}
	while (serve(&open) == 0)
		ck_assert_uint_lt(++count, 20000);
	ck_assert_uint_ge(count, 9999);
	broker_begin(&broker);
	ck_assert_int_eq(serve(&open), 0);
}
END_TEST

/* --- messages --- */

static void
send_type_request(size_t size, unsigned int descriptors)
{
	const char bytes[64] = { CHANNEL_GET_TYPE };

	ck_assert_int_eq(send_raw(ends[1], bytes, size, descriptors),
			 (ssize_t)size);
}

START_TEST(messages)
{
	static const struct {
		size_t size;
		unsigned int descriptors;
		int result;
	} sent[] = { { 16, 0, 1 },        { 15, 0, -EBADMSG },
		     { 17, 0, -EBADMSG }, { 1, 0, -EBADMSG },
		     { 64, 0, -EBADMSG }, { 16, 1, -EBADMSG },
		     { 16, 2, -EBADMSG }, { 16, 3, -EBADMSG },
		     { 8, 2, -EBADMSG },  { 0, 0, 0 } };
	unsigned int before = descriptors_of(getpid());
	struct error why;

	send_type_request(sent[_i].size, sent[_i].descriptors);
	ck_assert_int_eq(broker_serve(&broker, ends[0], &why), sent[_i].result);
	ck_assert_uint_eq(descriptors_of(getpid()), before);
}
END_TEST

/* The worker's side: a reply carries at most one descriptor. */
START_TEST(descriptors_in_a_reply)
{
	char bytes[16];
	unsigned int before = descriptors_of(getpid());
	int fd_in = -1;

	send_type_request(16, 1);
	ck_assert_int_eq(channel_receive(ends[0], bytes, 16, &fd_in), 1);
	ck_assert_int_ge(fd_in, 0);
	close(fd_in);
	send_type_request(16, (unsigned int)_i);
	ck_assert_int_eq(channel_receive(ends[0], bytes, 16, &fd_in),
			 _i > 1 ? -EBADMSG : 1);
	ck_assert_int_eq(fd_in, -1);
	send_type_request(15, 1);
	ck_assert_int_eq(channel_receive(ends[0], bytes, 16, &fd_in), -EBADMSG);
	ck_assert_uint_eq(descriptors_of(getpid()), before);
}
END_TEST

START_TEST(channel_is_closed)
{
	struct error why;

	ck_assert_int_eq(broker_serve(&broker, ends[0], &why), 1); /* empty */
	close(ends[1]);
	ck_assert_int_eq(broker_serve(&broker, ends[0], &why), 0);
}
END_TEST

START_TEST(replies_are_not_read)
{
	struct error why;
	int ret = 1;

	for (int i = 0; i < 100000 && ret == 1; i++) {
		send_type_request(16, 0);
		ret = broker_serve(&broker, ends[0], &why);
	}
	ck_assert_int_eq(ret, -EAGAIN);
}
END_TEST

/* --- orders --- */

static void
fill_pipe(int fd)
{
	static const uint8_t zeros[4096];

	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	while (write(fd, zeros, 1) > 0)
		;
}

/* Of suspend and resume orders that do not fit, the last one is sent. */
START_TEST(orders_that_do_not_fit)
{
	struct process process = { .pid = 1 };
	uint8_t bytes[1u << 17];
	int orders[2];

	ck_assert_int_eq(pipe2(orders, O_NONBLOCK | O_CLOEXEC), 0);
	process.orders = orders[1];
	fill_pipe(orders[1]);
	process_send_order(&process, CHANNEL_SUSPEND);
	process_send_order(&process, CHANNEL_RESUME);
	process_send_order(&process, CHANNEL_SUSPEND);
	process_send_order(&process, CHANNEL_TO_TRAP);
	ck_assert_uint_eq(process.pending_orders,
			  CHANNEL_SUSPEND | CHANNEL_TO_TRAP);
	ck_assert(!process_flush_orders(&process));
	ck_assert_int_gt(read(orders[0], bytes, sizeof(bytes)), 0);
	ck_assert(process_flush_orders(&process));
	ck_assert_uint_eq(process.pending_orders, 0);
	ck_assert_int_eq(read(orders[0], bytes, sizeof(bytes)), 2);
	ck_assert_int_eq(bytes[0], CHANNEL_SUSPEND);
	ck_assert_int_eq(bytes[1], CHANNEL_TO_TRAP);
	close(orders[0]);
	(void)signal(SIGPIPE, SIG_IGN);
	process_send_order(&process, CHANNEL_STOP);
	ck_assert(process_flush_orders(&process)); /* EPIPE */
}
END_TEST

/* --- texts of the report --- */

START_TEST(report_texts_are_printable)
{
	char to[8];

	text_copy_printable(to, sizeof(to), "\033[1m\"\\\xff", 8);
	ck_assert_str_eq(to, "?[1m\"\\?");
	text_copy_printable(to, sizeof(to), "unterminated", 12);
	ck_assert_str_eq(to, "untermi");
	text_copy_printable(to, sizeof(to), "unterminated", 3);
	ck_assert_str_eq(to, "unt");
	text_copy_printable(to, sizeof(to), "", 1);
	ck_assert_str_eq(to, "");
	text_copy_printable(to, 1, "text", 4);
	ck_assert_str_eq(to, "");
}
END_TEST


static void
add_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, stage_remove);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, policy, 0, COUNT(table));
	tcase_add_test(tc, unpause_undoes_its_own_pause_only);
	tcase_add_test(tc, each_worker_may_pause_for_an_administrator);
	tcase_add_test(tc, pause_for_an_administrator_counts_once);
	tcase_add_test(tc, record_gets_its_name_once);
	tcase_add_test(tc, record_that_cannot_get_its_name);
	tcase_add_test(tc, result_of_the_files);
	tcase_add_test(tc, no_lease_no_write);
	tcase_add_test(tc, number_of_a_kept_file);
	tcase_add_test(tc, errno_of_a_mode);
	tcase_add_test(tc, too_many_requests);
	tcase_add_loop_test(tc, messages, 0, 10);
	tcase_add_loop_test(tc, descriptors_in_a_reply, 2, 4);
	tcase_add_test(tc, channel_is_closed);
	tcase_add_test(tc, replies_are_not_read);
	tcase_add_test(tc, orders_that_do_not_fit);
	tcase_add_test(tc, report_texts_are_printable);
}

START_TEST(needs_a_mount_namespace)
{
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("broker");
	TCase *tc = tcase_create("policy");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (stage_possible())
		add_tests(tc);
	else
		tcase_add_test(tc, needs_a_mount_namespace);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the files of a flash on a device that is complete: the superblock, the
 * two slots of each file, their headers, and the room of the journal. The
 * devices are regular files.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/store/crc32c.h"
#include "../../src/store/journal.h"
#include "../../src/store/lock.h"
#include "../../src/store/scan.h"
#include "../../src/store/slots.h"
#include "support_store.h"

#include "pflash/le.h"
#include "pflash/queue.h"
#include "pflash/reader.h"

#define BLOCK 4096u
#define IMAGE (2 * BLOCK)
#define ROOM (2 * BLOCK)
#define SLOT (BLOCK + ROOM)
#define DEVICE (IMAGE + 8 * SLOT + SUPERBLOCK_GAP + BLOCK)
#define MAX_PENDING 10u

/* The smallest complete device for the layout 2m is larger than an image. */
#define FLASH 0x20000u

static struct superblock super;
static struct files *files;
static struct error err;
static bool named;

static void
plan_small(void)
{
	super = (struct superblock){
		.image = IMAGE,
		.device = DEVICE,
		.id = 0x1122334455667788,
	};
	for (unsigned int i = 0; i < SUPERBLOCK_AREAS; i++)
		super.area[i] = (struct area){
			IMAGE + 2 * i * SLOT +
				(i >= FILES_NEXT - 1 ? SUPERBLOCK_GAP : 0),
			SLOT,
		};
}

static void
wrap(struct files **out, const char *path, const struct sys *sys)
{
	ck_assert_int_eq(files_local(out, path, NULL, sys, &err), 0);
	ck_assert_int_eq(slots_wrap(out, &super, sys, &err), 0);
}

static void
format(const char *path)
{
	struct file device = { .sys = &sys_kernel, .path = path };

	device.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(device.fd, 0);
	ck_assert_int_eq(ftruncate(device.fd, DEVICE), 0);
	ck_assert_int_eq(slots_format(&device, &super, &err), 0);
	file_close(&device);
}

static void
setup(void)
{
	scratch_make();
	memset(&fault, 0, sizeof(fault));
	plan_small();
	format(scratch_path("DEV"));
	wrap(&files, scratch_path("DEV"), &sys_faulty);
}

static void
teardown(void)
{
	files->ops->close(files);
	scratch_remove();
}

/* --- one file --- */

/* 0, or -errno of the first call that failed. */
static int
put(struct files *to, const struct sys *sys, enum files_role role, int fill)
{
	struct file file = { .sys = sys, .fd = -1 };
	size_t len = (size_t)fill * 100;
	uint8_t bytes[ROOM];
	int rc;

	named = false;
	memset(bytes, fill, sizeof(bytes));
	rc = file_write_new(&file, to, role, bytes, len, &err);
	if (rc)
		return rc;
	file_close(&file);
	rc = to->ops->install(to, role, true, &named);
	if (!named)
		(void)to->ops->remove(to, role, true);
	return rc;
}

/*
 * The byte that fills the file, 0 without one, or -errno. Its length must be
 * 100 times the byte.
 */
static int
get(struct files *from, enum files_role role)
{
	struct file file = { .sys = &sys_kernel, .fd = -1 };
	uint8_t *bytes = NULL;
	size_t len;
	int rc = file_open(&file, from, role, false, &err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = file_read_all(&file, &bytes, &len, &err);
	file_close(&file);
	if (rc)
		return rc;
	rc = bytes[0];
	ck_assert_uint_eq(len, (size_t)rc * 100);
	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(bytes[i], rc);
	free(bytes);
	return rc;
}

#define PUT(fill) put(files, &sys_kernel, FILES_STATE, fill)
#define GET() get(files, FILES_STATE)
#define REMOVE() files->ops->remove(files, FILES_STATE, false)

START_TEST(file_is_replaced_and_removed)
{
	ck_assert_int_eq(GET(), 0);
	ck_assert_int_eq(REMOVE(), 0);
	for (int i = 1; i < 8; i++) {
		ck_assert_int_eq(PUT(i), 0);
		ck_assert_int_eq(GET(), i);
		ck_assert_int_eq(get(files, FILES_NEXT), 0);
		ck_assert_int_eq(get(files, FILES_PINS), 0);
		ck_assert_int_eq(get(files, FILES_JOURNAL), 0);
		if (i % 3)
			continue;
		ck_assert_int_eq(REMOVE(), 0);
		ck_assert_int_eq(GET(), 0);
	}
}
END_TEST

START_TEST(unfinished_file_is_none)
{
	int fd;

	ck_assert_int_eq(PUT(1), 0);
	fd = files->ops->create(files, FILES_STATE);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(GET(), 1);
	ck_assert_int_eq(files->ops->remove(files, FILES_STATE, true), 0);
	close(fd);
	ck_assert_int_eq(GET(), 1);
	ck_assert_int_eq(PUT(2), 0);
	ck_assert_int_eq(GET(), 2);
}
END_TEST

START_TEST(what_exists_is_not_replaced_by_mistake)
{
	struct file file = { .sys = &sys_kernel, .fd = -1 };

	ck_assert_int_eq(PUT(1), 0);
	ck_assert_int_eq(file_write_new(&file, files, FILES_STATE, "new", 3,
					&err),
			 0);
	ck_assert_int_eq(files->ops->install(files, FILES_STATE, false, &named),
			 -EEXIST);
	ck_assert(!named);
	file_close(&file);
	ck_assert_int_eq(GET(), 1);
	ck_assert_int_eq(files->ops->create(files, FILES_VARS), -EEXIST);
	ck_assert_int_eq(files->ops->install(files, FILES_VARS, false, &named),
			 -EPERM);
	ck_assert_int_eq(files->ops->remove(files, FILES_VARS, false), -EPERM);
}
END_TEST

START_TEST(file_has_its_room)
{
	static uint8_t bytes[ROOM + 1];
	struct file file = { .sys = &sys_kernel, .fd = -1 };
	int rc = file_write_new(&file, files, FILES_NEXT, bytes, ROOM + 1,
				&err);

	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.text, "DEV (next): write at"));
	rc = file_write_new(&file, files, FILES_NEXT, bytes, ROOM, &err);
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(file_write(&file, bytes, 1, ROOM, &err), -ENOSPC);
	ck_assert_int_eq(file_write(&file, bytes, 1, ROOM - 1, &err), 0);
	ck_assert_int_eq(file_truncate(&file, 1, ROOM, &err), 0);
	file_close(&file);
	/* The next area was not written. */
	ck_assert_int_eq(get(files, FILES_PINS), 0);
}
END_TEST

/* --- failing calls --- */

START_TEST(every_call_fails_once)
{
	const enum fault_kind kinds[] = { FAULT_ERROR, FAULT_TORN };

	for (unsigned int k = 0; k < 2; k++) {
		unsigned int n = 0, calls, failed = 0;

		ck_assert_int_eq(PUT(1), 0);
		do {
			int rc, now;

			fault = (struct fault){ .kind = kinds[k],
						.nth = ++n,
						.error = EIO };
			rc = put(files, &sys_faulty, FILES_STATE, 2);
			calls = fault.calls;
			fault.nth = 0;
			now = GET();
			failed += rc != 0;
			ck_assert_msg(now == 2 || (rc && !named && now == 1),
				      "call %u: %d, %d", n, rc, now);
			ck_assert_msg(rc == 0 || now == 1 || named,
				      "call %u: in force, but not named", n);
			ck_assert_int_eq(PUT(1), 0);
			ck_assert_int_eq(GET(), 1);
		} while (calls >= n);
		ck_assert_uint_ge(failed, 4 - 2 * k);
	}
}
END_TEST

START_TEST(every_call_of_a_removal_fails_once)
{
	unsigned int n = 0, hits;

	do {
		int rc, now;

		ck_assert_int_eq(PUT(1), 0);
		fault = (struct fault){ .nth = ++n, .error = EIO };
		rc = REMOVE();
		hits = fault.hits;
		fault.nth = 0;
		now = GET();
		ck_assert_msg(now == 0 || (rc && now == 1), "call %u: %d, %d",
			      n, rc, now);
	} while (hits);
	ck_assert_uint_ge(n, 8);
}
END_TEST

/* --- the power is lost --- */

/* The contents of the medium, and the writes that are not synced. */
static uint8_t medium[DEVICE];
static struct {
	uint8_t data[BLOCK];
	uint64_t off;
	size_t len;
} pending[MAX_PENDING];
static unsigned int pendings, cuts;
static int least, most; /* what the file may be after a cut */
static bool watching;

static void
check_medium(const uint8_t *bytes)
{
	struct files *after;
	int now;

	blob_write(scratch_path("CUT"), bytes, DEVICE);
	wrap(&after, scratch_path("CUT"), &sys_unsynced);
	now = get(after, FILES_STATE);
	ck_assert_msg(now >= least && now <= most, "cut %u: %d, not %d to %d",
		      cuts, now, least, most);
	/* The next file works, whatever the cut has left. */
	ck_assert_int_eq(put(after, &sys_unsynced, FILES_STATE, 9), 0);
	ck_assert_int_eq(get(after, FILES_STATE), 9);
	after->ops->close(after);
	cuts++;
}

/* The last write is there from sector `from` to sector `to`. */
static void
cut(unsigned int subset, size_t from, size_t to)
{
	static uint8_t after[DEVICE];

	memcpy(after, medium, DEVICE);
	for (unsigned int i = 0; i < pendings; i++) {
		size_t begin = 0, end = pending[i].len;

		if (!(subset & 1u << i))
			continue;
		if (i == pendings - 1) {
			begin = from * 512 < end ? from * 512 : end;
			end = to * 512 < end ? to * 512 : end;
		}
		memcpy(after + pending[i].off + begin, pending[i].data + begin,
		       end - begin);
	}
	check_medium(after);
}

static void
cut_power(void)
{
	unsigned int all = (1u << pendings) - 1;

	for (unsigned int subset = 0; watching && subset <= all; subset++)
		cut(subset, 0, 8);
	for (size_t n = 1; watching && pendings && n < 8; n++) {
		cut(all, 0, n);
		cut(all, n, 8);
		cut(1u << (pendings - 1), 0, n);
		cut(1u << (pendings - 1), n, 8);
	}
}

static ssize_t
noted_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	ck_assert_uint_lt(pendings, MAX_PENDING);
	ck_assert_uint_le(len, BLOCK);
	memcpy(pending[pendings].data, buf, len);
	pending[pendings].off = (uint64_t)off;
	pending[pendings++].len = len;
	cut_power();
	return pwrite(fd, buf, len, off);
}

static int
noted_sync(int fd)
{
	(void)fd;
	for (unsigned int i = 0; i < pendings; i++)
		memcpy(medium + pending[i].off, pending[i].data,
		       pending[i].len);
	pendings = 0;
	cut_power();
	return 0;
}

/* The sync of a directory is none of the device. */
static int
directory_sync(int fd)
{
	(void)fd;
	return 0;
}

static void
read_medium(void)
{
	struct blob blob = blob_read(scratch_path("DEV"));

	memcpy(medium, blob.data, DEVICE);
	blob_free(&blob);
}

START_TEST(power_is_lost_after_every_call)
{
	struct sys sys = sys_kernel;
	struct files *on;
	int last = 0;

	read_medium();
	sys.pwrite = noted_pwrite;
	sys.fdatasync = noted_sync;
	sys.fsync = directory_sync;
	wrap(&on, scratch_path("DEV"), &sys);
	watching = true;
	for (int i = 1; i < 8; i++) {
		int next = i % 4 ? i : 0;

		least = last < next ? last : next;
		most = last < next ? next : last;
		if (next)
			ck_assert_int_eq(put(on, &sys, FILES_STATE, next), 0);
		else
			ck_assert_int_eq(on->ops->remove(on, FILES_STATE,
							 false),
					 0);
		/* The call has returned: its result is durable. */
		least = most = last = next;
		cut_power();
	}
	on->ops->close(on);
	ck_assert_uint_gt(cuts, 500);
}
END_TEST

/* Counts down to the sync that fails, and loses what it should have written. */
static int sync_fails;

static int
losing_sync(int fd)
{
	if (sync_fails && !--sync_fails) {
		pendings = 0;
		errno = EIO;
		return -1;
	}
	return noted_sync(fd);
}

/*
 * The header of file 2 is in the page cache only. After a power cut there is a
 * file all the same: 1 or 2, or the next one.
 */
START_TEST(header_in_the_page_cache_only)
{
	struct sys sys = sys_kernel;
	struct files *on;
	int fd;

	ck_assert_int_eq(put(files, &sys_kernel, FILES_JOURNAL, 1), 0);
	ck_assert_int_eq(PUT(1), 0);
	read_medium();
	sys.pwrite = noted_pwrite;
	sys.fdatasync = losing_sync;
	sys.fsync = directory_sync;
	wrap(&on, scratch_path("DEV"), &sys);
	sync_fails = 2;
	ck_assert_int_eq(put(on, &sys, FILES_STATE, 2), -EIO);
	ck_assert(named);
	ck_assert_int_eq(get(on, FILES_STATE), 2);
	watching = true;
	least = 1;
	most = _i ? 2 : 3;
	cut_power();
	if (_i) { /* the next process opens the store */
		fd = on->ops->open(on, FILES_JOURNAL, true);
		ck_assert_int_ge(fd, 0);
		close(fd);
	} else { /* this one makes the next file */
		ck_assert_int_eq(put(on, &sys, FILES_STATE, 3), 0);
	}
	least = most;
	cut_power();
	on->ops->close(on);
}
END_TEST

/* --- damage and forgery --- */

static void
write_at(uint64_t off, const void *bytes, size_t len)
{
	int fd = open(scratch_path("DEV"), O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, bytes, len, (off_t)off), (ssize_t)len);
	close(fd);
}

static uint64_t
header_at(unsigned int slot)
{
	return slot_offset(superblock_area(&super, FILES_STATE), slot);
}

/* The slot that is in force after PUT() for the n-th time. */
#define SLOT_AFTER(n) ((n) % 2)

START_TEST(damage_does_not_bring_back_an_old_file)
{
	static const uint8_t zeros[BLOCK];

	ck_assert_int_eq(PUT(1), 0);
	ck_assert_int_eq(PUT(2), 0);
	write_at(header_at(SLOT_AFTER(2)), zeros, BLOCK);
	ck_assert_int_eq(GET(), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text,
				     "DEV (state): damaged: neither"));
	ck_assert_int_eq(PUT(3), -EUCLEAN);
	ck_assert_int_eq(REMOVE(), -EUCLEAN);
}
END_TEST

START_TEST(one_flipped_bit_of_a_header_is_harmless)
{
	struct blob blob;

	ck_assert_int_eq(PUT(1), 0);
	blob = blob_read(scratch_path("DEV"));
	for (size_t bit = 0; bit < 8 * (size_t)BLOCK; bit++) {
		uint8_t *p = blob.data + header_at(1) + bit / 8;
		uint8_t byte = (uint8_t)(*p ^ 1u << bit % 8);

		write_at(header_at(1) + bit / 8, &byte, 1);
		ck_assert_int_eq(GET(), 1);
		write_at(header_at(1) + bit / 8, p, 1);
	}
	blob_free(&blob);
}
END_TEST

/* Puts a header with a higher generation and a right checksum into slot 0. */
static void
forge(const struct superblock *by, enum files_role role,
      struct slot_header header)
{
	uint8_t block[BLOCK];

	slot_encode(block, by, role, &header);
	write_at(header_at(0), block, BLOCK);
}

START_TEST(headers_of_others_are_not_valid)
{
	const struct slot_header good = { SLOT_FILE, 50, 100 };
	struct superblock other = super;

	other.id++;
	ck_assert_int_eq(PUT(1), 0);
	forge(&other, FILES_STATE, good);
	ck_assert_int_eq(GET(), 1);
	forge(&super, FILES_NEXT, good);
	ck_assert_int_eq(GET(), 1);
	forge(&super, FILES_STATE, (struct slot_header){ 3, 50, 100 });
	ck_assert_int_eq(GET(), 1);
	forge(&super, FILES_STATE,
	      (struct slot_header){ SLOT_FILE, 50, ROOM + 1 });
	ck_assert_int_eq(GET(), 1);
	forge(&super, FILES_STATE,
	      (struct slot_header){ SLOT_FILE, UINT64_MAX, 100 });
	ck_assert_int_eq(GET(), 1);
	/* Without a mistake it is valid. */
	forge(&super, FILES_STATE, (struct slot_header){ SLOT_NO_FILE, 50, 0 });
	ck_assert_int_eq(GET(), 0);
}
END_TEST

START_TEST(generations_end)
{
	ck_assert_int_eq(PUT(1), 0);
	forge(&super, FILES_STATE,
	      (struct slot_header){ SLOT_NO_FILE, UINT64_MAX - 2, 0 });
	ck_assert_int_eq(PUT(2), 0);
	ck_assert_int_eq(GET(), 2);
	ck_assert_int_eq(PUT(3), -EOVERFLOW);
	ck_assert(!named);
	ck_assert_int_eq(GET(), 2);
}
END_TEST

/* --- the superblock --- */

static int
decode(const uint8_t *block, struct superblock *out)
{
	return superblock_decode(out, block, DEVICE);
}

START_TEST(superblock_survives_one_flip)
{
	uint8_t block[BLOCK];
	struct superblock now;

	superblock_encode(block, &super);
	for (size_t bit = 0; bit < 8 * (size_t)BLOCK; bit++) {
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(decode(block, &now), 1);
		ck_assert_int_eq(now.id == super.id, 1);
		ck_assert_int_eq(memcmp(now.area, super.area, sizeof(now.area)),
				 0);
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	block[20] ^= 1;
	block[BLOCK / 2 + 20] ^= 1;
	ck_assert_int_eq(decode(block, &now), -EUCLEAN);
	memset(block, 0, BLOCK);
	ck_assert_int_eq(decode(block, &now), 0);
}
END_TEST

static int
decode_encoded(const struct superblock *from)
{
	uint8_t block[BLOCK];
	struct superblock now;

	superblock_encode(block, from);
	return decode(block, &now);
}

/* The superblock with this change is refused. */
#define REFUSED(change)                                                        \
	do {                                                                   \
		struct superblock bad = super;                                 \
                                                                               \
		bad.change;                                                    \
		ck_assert_int_eq(decode_encoded(&bad), -EUCLEAN);              \
	} while (0)

START_TEST(superblock_is_checked)
{
	uint8_t block[BLOCK];
	struct superblock now;

	ck_assert_int_eq(decode_encoded(&super), 1);
	REFUSED(image = 0);
	REFUSED(image += BLOCK); /* meets the journal */
	REFUSED(image -= 512);
	REFUSED(device += BLOCK);
	for (unsigned int i = 0; i < SUPERBLOCK_AREAS; i++) {
		REFUSED(area[i].size += BLOCK); /* meets what follows */
		REFUSED(area[i].size = BLOCK);
		REFUSED(area[i].size = UINT64_MAX - BLOCK + 1);
		REFUSED(area[i].offset = UINT64_MAX - BLOCK + 1);
		REFUSED(area[i].offset -= BLOCK);
		REFUSED(area[i].offset += 512);
	}
	superblock_encode(block, &super);
	for (unsigned int off = 0; off < BLOCK; off += BLOCK / 2) {
		block[off + 8]++;
		put_le32(block + off + 104, crc32c(0, block + off, 104));
	}
	ck_assert_int_eq(decode(block, &now), -EUCLEAN);
}
END_TEST

START_TEST(plan_uses_the_device)
{
	static const uint32_t images[] = { 4096, 0x20000, 0x84000, 16u << 20 };
	struct superblock now;

	for (unsigned int i = 0; i < 4; i++) {
		uint64_t least_size = superblock_least(images[i]);
		uint8_t block[BLOCK];

		ck_assert_uint_gt(least_size, STORE_MAX_SIZE);
		ck_assert_int_eq(superblock_plan(&now, images[i],
						 least_size - 1),
				 -ENOSPC);
		for (uint64_t size = least_size; size < 1ull << 40;
		     size = size * 3 / 2 + 512) {
			ck_assert_int_eq(superblock_plan(&now, images[i], size),
					 0);
			superblock_encode(block, &now);
			ck_assert_int_eq(superblock_decode(&now, block,
							   size - size % BLOCK),
					 1);
		}
	}
	/* The manual says that 20 MiB are enough for both layouts. */
	ck_assert_uint_le(superblock_least(0x20000), 20u << 20);
	ck_assert_uint_le(superblock_least(0x84000), 20u << 20);
}
END_TEST

/* --- locks --- */

static int
lock_from(const char *path, enum files_role role, short type)
{
	struct files *other;
	struct file file = { .sys = &sys_kernel, .fd = -1 };
	int rc;

	wrap(&other, path, &sys_kernel);
	rc = file_open(&file, other, role, true, &err);
	if (!rc)
		rc = lock_file(&file, other, type, &err);
	file_close(&file);
	other->ops->close(other);
	return rc;
}

START_TEST(each_file_has_its_own_lock)
{
	const char *path = scratch_path("DEV");
	struct file vars = { .sys = &sys_kernel }, next = vars;

	ck_assert_int_eq(put(files, &sys_kernel, FILES_NEXT, 1), 0);
	ck_assert_int_eq(put(files, &sys_kernel, FILES_JOURNAL, 1), 0);
	ck_assert_int_eq(file_open(&vars, files, FILES_VARS, true, &err), 0);
	ck_assert_int_eq(lock_file(&vars, files, F_WRLCK, &err), 0);
	ck_assert_int_eq(lock_from(path, FILES_VARS, F_RDLCK), -EBUSY);
	ck_assert_int_eq(lock_from(path, FILES_NEXT, F_WRLCK), 0);
	ck_assert_int_eq(lock_from(path, FILES_JOURNAL, F_WRLCK), 0);
	ck_assert_int_eq(file_open(&next, files, FILES_NEXT, true, &err), 0);
	ck_assert_int_eq(lock_file(&next, files, F_WRLCK, &err), 0);
	ck_assert_int_eq(lock_from(path, FILES_NEXT, F_RDLCK), -EBUSY);
	file_close(&vars);
	ck_assert_int_eq(lock_from(path, FILES_VARS, F_WRLCK), 0);
	file_close(&next);
	ck_assert_int_eq(lock_from(path, FILES_NEXT, F_WRLCK), 0);
}
END_TEST

static Suite *
slots_suite(void)
{
	Suite *suite = suite_create("slots");
	TCase *tc = tcase_create("slots");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, file_is_replaced_and_removed);
	tcase_add_test(tc, unfinished_file_is_none);
	tcase_add_test(tc, what_exists_is_not_replaced_by_mistake);
	tcase_add_test(tc, file_has_its_room);
	tcase_add_test(tc, every_call_fails_once);
	tcase_add_test(tc, every_call_of_a_removal_fails_once);
	tcase_add_test(tc, power_is_lost_after_every_call);
	tcase_add_loop_test(tc, header_in_the_page_cache_only, 0, 2);
	tcase_add_test(tc, damage_does_not_bring_back_an_old_file);
	tcase_add_test(tc, one_flipped_bit_of_a_header_is_harmless);
	tcase_add_test(tc, headers_of_others_are_not_valid);
	tcase_add_test(tc, generations_end);
	tcase_add_test(tc, superblock_survives_one_flip);
	tcase_add_test(tc, superblock_is_checked);
	tcase_add_test(tc, plan_uses_the_device);
	tcase_add_test(tc, each_file_has_its_own_lock);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(slots_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replays the writes to a disk that Linux's dm-log-writes has logged.
 *
 *   logwrites LOG                          lists the entries, one on each line
 *   logwrites LOG DISK FROM TO             makes the writes FROM to TO - 1
 *   logwrites LOG DISK FROM TO lose SEED   the same, but drops some writes
 *   since
 *                                          the last flush, which a disk's cache
 *                                          could lose
 *
 * The log: a super block, then entries of one sector each, followed by their
 * data (the kernel's Documentation/admin-guide/device-mapper/log-writes.rst).
 * All numbers are little-endian, the byte order of the lab's machines.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x6a736677736872)
#define VERSION 1u
#define SECTOR 512u

enum {
	FLUSH = 1,
	FUA = 2,
	DISCARD = 4,
	MARK = 8,
};

struct super {
	uint64_t magic, version, entries;
	uint32_t sector_size;
};

struct entry {
	uint64_t sector, sectors, flags, length;
	char mark[SECTOR - 32];
};

struct range {
	int disk;
	uint64_t from, to;
	bool lose;
	unsigned int seed;
};

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
read_at(int fd, void *to, size_t length, uint64_t sector)
{
	if (pread(fd, to, length, (off_t)(sector * SECTOR)) != (ssize_t)length)
		die("the log ends too early");
}

static bool
has_data(const struct entry *entry)
{
	return entry->sectors && !(entry->flags & (DISCARD | MARK));
}

static void
name(uint64_t number, const struct entry *entry)
{
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "%s%s%s", number,
	       entry->sector, entry->sectors,
	       entry->flags & FLUSH ? " flush" : "",
	       entry->flags & FUA ? " fua" : "",
	       entry->flags & DISCARD ? " discard" : "");
	if (entry->flags & MARK)
		printf(" mark %.*s", (int)entry->length, entry->mark);
	putchar('\n');
}

static void
copy(int log, uint64_t from, int disk, const struct entry *entry)
{
	char data[SECTOR];
	uint64_t i;

	for (i = 0; i < entry->sectors; i++) {
		read_at(log, data, SECTOR, from + i);
		if (pwrite(disk, data, SECTOR,
			   (off_t)((entry->sector + i) * SECTOR)) != SECTOR)
			die("the disk can't be written");
	}
}

/* The entry after the last flush before range->to: the cache is empty there. */
static uint64_t
last_flush(int log, const struct range *range)
{
	uint64_t n, sector = 1, flush = 0;
	struct entry entry;

	for (n = 0; n < range->to; n++) {
		read_at(log, &entry, sizeof(entry), sector);
		sector += 1 + (has_data(&entry) ? entry.sectors : 0);
		if (entry.flags & FLUSH)
			flush = n + 1;
	}
	return flush;
}

static void
replay(int log, uint64_t entries, struct range *range)
{
	uint64_t n, sector = 1, cached = last_flush(log, range);
	struct entry entry;
	bool lost;

	if (range->to > entries || range->from > range->to) {
		fprintf(stderr, "the log has %" PRIu64 " entries\n", entries);
		exit(1);
	}
	for (n = 0; n < range->to; n++) {
		read_at(log, &entry, sizeof(entry), sector);
		lost = range->lose && n >= cached && !(entry.flags & FUA) &&
		       rand_r(&range->seed) / 2 % 2;
		if (n >= range->from && has_data(&entry) && !lost)
			copy(log, sector + 1, range->disk, &entry);
		sector += 1 + (has_data(&entry) ? entry.sectors : 0);
	}
}

static void
list(int log, uint64_t entries)
{
	uint64_t n, sector = 1;
	struct entry entry;

	for (n = 0; n < entries; n++) {
		read_at(log, &entry, sizeof(entry), sector);
		name(n, &entry);
		sector += 1 + (has_data(&entry) ? entry.sectors : 0);
	}
}

int
main(int argc, char **argv)
{
	struct range range = { 0 };
	struct super super;
	int log;

	if (argc != 2 && argc != 5 && argc != 7) {
		fputs("usage: logwrites LOG [DISK FROM TO [lose SEED]]\n",
		      stderr);
		return 2;
	}
	log = open(argv[1], O_RDONLY);
	if (log < 0)
		die(argv[1]);
	read_at(log, &super, sizeof(super), 0);
	if (super.magic != MAGIC || super.version != VERSION ||
	    super.sector_size != SECTOR) {
		fprintf(stderr, "%s is no log of this kind\n", argv[1]);
		return 1;
	}
	if (argc == 2) {
		list(log, super.entries);
		return 0;
	}
	range.disk = open(argv[2], O_WRONLY);
	if (range.disk < 0)
		die(argv[2]);
	range.from = strtoull(argv[3], NULL, 10);
	range.to = strtoull(argv[4], NULL, 10);
	range.lose = argc == 7;
	range.seed = range.lose ? (unsigned int)strtoul(argv[6], NULL, 10) : 0;
	replay(log, super.entries, &range);
	return close(range.disk) < 0;
}

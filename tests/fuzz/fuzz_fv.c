/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: the parsers of firmware images. Runs fv_check(), the
 * iteration over variables, the detection of the layout and fv_compact(). The
 * first byte of the input says how the image is built, because a fuzzer cannot
 * find valid checksums and few inputs are as large as a layout; the rest is the
 * image or a part of it.
 *
 * Beside memory errors it aborts unless:
 * - an image that passes fv_check() has the kind of a VARS image;
 * - an image that passes fv_check() can be opened and read to its end, with as
 *   many variables as the report counts;
 * - fv_check() predicts whether fv_compact() refuses the image;
 * - a compacted store passes fv_check() and has the same variables;
 * - a firmware for PVH guests has its entry in the SEC volume.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/effective.h"
#include "pflash/firmware.h"
#include "pflash/fv.h"
#include "pflash/identify.h"
#include "pflash/le.h"
#include "pflash/varstore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADERS 0x64u

/* Bits of the first byte. */
enum {
	RAW = 1,        /* the input is the whole image */
	FIX_SUM = 2,    /* correct the checksum of the volume header */
	SMALL = 4,      /* 4 blocks of no known layout, not the 2m layout */
	WORK_BLOCK = 8, /* the input goes into the FTW working block */
	IN_SPARE = 16,  /* and a write of the store is pending */
	HEADER = 32,   /* the input goes to the start, not behind the headers */
	PLAIN = 64,    /* variables have short headers */
	RECORDS = 128, /* each 4 bytes of input make one variable */
};

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
fix_sum(uint8_t *image, size_t size)
{
	uint16_t header = get_le16(image + 48), sum = 0;

	put_le16(image + 50, 0);
	for (size_t i = 0; i + 2 <= header && i + 2 <= size; i += 2)
		sum = (uint16_t)(sum + get_le16(image + i));
	put_le16(image + 50, (uint16_t)-sum);
}

/* An image of 4 blocks, the third of which is the working block. */
static void
make_small(uint8_t *image, const uint8_t *model)
{
	memset(image, 0xff, 0x4000);
	memcpy(image, model, HEADERS);
	memcpy(image + 0x2000, model + 0xf000, 32);
	put_le64(image + 32, 0x4000);
	put_le32(image + 56, 4);
	put_le32(image + 72 + 16, 0x2000 - 72);
	fix_sum(image, 0x4000);
}

static void
make_pending(uint8_t *image, const struct fv_layout *layout)
{
	uint8_t *write = image + layout->ftw_work + 32;

	memcpy(image + layout->ftw_spare, image, layout->variable_size);
	memset(write, 0, 80);
	write[0] = 0xfc;
	write[24] = 1;
	write[40] = 0xfd;
	put_le64(write + 40 + 16, 72);
	put_le64(write + 40 + 24, layout->variable_size - 72);
	put_le64(write + 40 + 32, -(uint64_t)layout->ftw_spare);
}

/*
 * 4 input bytes: state, length of name, length of data, bit flip in the header.
 */
static void
make_variables(uint8_t *p, const uint8_t *end, size_t header,
	       const uint8_t *data, size_t size)
{
	static const uint8_t states[] = { 0x3f, 0x3e, 0x3d, 0x3c, 0x7f, 0xff };

	for (; size >= 4; data += 4, size -= 4) {
		uint32_t name = 2u * (data[1] % 4 + 1), len = data[2] & 63;
		uint32_t total = (uint32_t)(header + name + len + 3) & ~3u;

		if ((size_t)(end - p) < total)
			return;
		memset(p, 0, header);
		put_le16(p, 0x55aa);
		p[2] = data[0] < 240 ? states[data[0] % 6] : data[0];
		p[4] = 7;
		put_le32(p + header - 24, name);
		put_le32(p + header - 20, len);
		p[header - 1] = data[1] & 16;
		memset(p + header, 0, name);
		for (uint32_t i = 0; i + 2 < name; i += 2)
			p[header + i] = 'A';
		memset(p + header + name, data[2], len);
		/* Flip one bit of the header. */
		if (data[3] & 0xc0)
			p[data[3] % header] ^= (uint8_t)(1u << (data[2] & 7));
		p += total;
	}
}

/* Returns the image, which the caller frees, and sets *size. */
static uint8_t *
make_image(uint8_t how, const uint8_t *data, size_t *size)
{
	const struct fv_layout *layout = fv_layout_by_name("2m");
	uint8_t *image = malloc(layout->size);
	size_t at = how & HEADER ? 0 : HEADERS, len = layout->size;
	uint8_t *exact;

	must(image != NULL);
	fv_format(layout, image);
	if (how & SMALL) {
		len = 0x4000;
		exact = malloc(layout->size);
		must(exact != NULL);
		make_small(exact, image);
		free(image);
		image = exact;
	}
	if (how & PLAIN)
		memcpy(image + 72,
		       "\x16\x36\xcf\xdd\x75\x32\x64\x41"
		       "\x98\xb6\xfe\x85\x70\x7f\xfe\x7d",
		       16);
	if (how & WORK_BLOCK)
		at = (how & SMALL ? 0x2000 : layout->ftw_work) +
		     (how & HEADER ? 0 : 32);
	if (how & RECORDS)
		make_variables(image + HEADERS,
			       image + (how & SMALL ? 0x2000 : 0xe000),
			       how & PLAIN ? 32 : 60, data, *size);
	else
		memcpy(image + at, data, *size < len - at ? *size : len - at);
	if (how & FIX_SUM)
		fix_sum(image, len);
	if ((how & IN_SPARE) && !(how & SMALL))
		make_pending(image, layout);
	*size = len;
	return realloc(image, len);
}

/* True if the firmware would find other variables in the second image. */
static bool
is_changed(const uint8_t *image, const uint8_t *other, size_t size)
{
	struct effective *view = effective_new((uint32_t)size);
	bool changed;

	must(view != NULL);
	effective_parse(view, image);
	effective_touch(view, 0, (uint32_t)size);
	changed = effective_update(view, other);
	effective_free(view);
	return changed;
}

/* A compacted store must be valid, have the same variables, and be minimal. */
static void
compact(const uint8_t *image, size_t size, const struct fv_report *before)
{
	uint8_t *out = malloc(size), *again = malloc(size);
	struct fv_report after;
	int gained;

	must(out != NULL && again != NULL);
	gained = fv_compact(image, size, out, NULL);
	must((gained >= 0) == before->compactable);
	if (gained >= 0) {
		must(fv_check(out, size, &after));
		must(after.free == before->free + (uint32_t)gained);
		must(after.used == after.live_bytes);
		must(after.live == before->live);
		must(!is_changed(image, out, size));
		must(fv_compact(out, size, again, NULL) == 0);
		must(memcmp(out, again, size) == 0);
	}
	free(again);
	free(out);
}

static void
check(const uint8_t *image, size_t size)
{
	struct variable v = { 0 };
	struct fv_report report;
	struct varstore store;
	struct error text;
	uint32_t live = 0, all = 0;
	int ret;
	bool fine = fv_check(image, size, &report);
	struct identity identity;

	identify_image(image, size, &identity);
	identity_text(&identity, IDENTITY_AS_VARS, &text);
	must(!fine || identity.kind == IDENTITY_VARS);
	must(fine == (report.errors == 0));
	must(report.count <= FV_MAX_FINDINGS);
	for (unsigned int i = 0; i < report.count; i++)
		fv_finding_text(&report.findings[i], &text);
	if (varstore_open(&store, image, size, NULL) < 0) {
		must(!fine);
		return;
	}
	while ((ret = varstore_next(&store, &v)) > 0) {
		char name[16], guid[GUID_TEXT_SIZE];

		must(v.next > v.offset && v.next <= store.end);
		(void)variable_name(&v, name, sizeof(name));
		guid_format(v.guid, guid);
		live += v.live;
		all++;
	}
	if (!fine) {
		must(fv_compact(image, size, NULL, NULL) < 0);
		must(!report.compactable);
		return;
	}
	compact(image, size, &report);
	must(ret == 0 && live == report.live);
	must(all == report.live + report.superseded + report.deleted +
			    report.torn + report.unknown);
	must(report.used == v.next - store.start);
	must(report.used + report.free == store.end - store.start);
	must(report.in_spare == store.in_spare);
}

static void
look_at_firmware(const uint8_t *image, size_t size)
{
	struct firmware firmware;
	struct error text;
	size_t loaded;

	must(firmware_loaded(image, size, 0x100000, &loaded, NULL) < 0 ||
	     (loaded > 0 && loaded <= FIRMWARE_MOST));
	if (firmware_examine(image, size, &firmware, NULL) < 0)
		return;
	firmware_look_inside(image, &firmware);
	firmware_text(&firmware, &text);
	must(firmware_check_pvh(&firmware, &text) < 0 ||
	     firmware.entry == FIRMWARE_ENTRY_CODE ||
	     (firmware.entered >= firmware.sec && firmware.entered < size));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fv_build build;
	uint8_t *image;
	uint8_t how;

	if (!size)
		return 0;
	how = *data++;
	size--;
	if (how & RAW) {
		/*
		 * An allocation of its own, so that the sanitizer sees reads
		 * outside it.
		 */
		image = malloc(size ? size : 1);
		must(image != NULL);
		memcpy(image, data, size);
		if ((how & FIX_SUM) && size >= 72)
			fix_sum(image, size);
	} else {
		image = make_image(how, data, &size);
	}
	check(image, size);
	(void)fv_build_find(image, size, &build, NULL);
	(void)fv_build_takes(image, size, 0x20000, NULL);
	look_at_firmware(image, size);
	free(image);
	return 0;
}

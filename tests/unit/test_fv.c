/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of firmware volumes: formatting an empty store (compared with Debian's
 * templates), finding SEC in a firmware, and detecting the variable layout for
 * which a firmware was built.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_store.h"

#include "pflash/fv.h"
#include "pflash/le.h"

struct sample {
	const char *name;
	const char *path;
};

/* Since Debian 13 the package ovmf has nothing of 2 MiB. */
static const struct sample templates[] = {
	{ "2m", "tests/data/debian12-OVMF_VARS.fd.gz" },
	{ "4m", "/usr/share/OVMF/OVMF_VARS_4M.fd" },
};

static const char *const firmware[] = {
	"/usr/share/ovmf/OVMF.fd",
	"/usr/share/OVMF/OVMF_CODE_4M.fd",
};

static struct error err;

static bool
skip(const char *path)
{
	if (!access(path, R_OK))
		return false;
	printf("SKIP: %s is not here\n", path);
	return true;
}

START_TEST(layouts_are_consistent)
{
	const struct fv_layout *layout = fv_layout_by_name(templates[_i].name);

	ck_assert_ptr_nonnull(layout);
	ck_assert_ptr_eq(fv_layout_by_size(layout->size), layout);
	ck_assert_uint_eq(layout->variable_size, layout->event_log);
	ck_assert_uint_eq(layout->event_log + FV_BLOCK_SIZE, layout->ftw_work);
	ck_assert_uint_eq(layout->ftw_work + FV_BLOCK_SIZE, layout->ftw_spare);
	/* The spare area can hold a copy of everything before it. */
	ck_assert_uint_eq(layout->ftw_spare * 2, layout->size);
	ck_assert_ptr_null(fv_layout_by_name("8m"));
	ck_assert_ptr_null(fv_layout_by_name(""));
	ck_assert_ptr_null(fv_layout_by_size(layout->size + 1));
}
END_TEST

START_TEST(bases_are_those_of_ovmf)
{
	ck_assert_uint_eq(fv_layout_by_name("2m")->base, 0xffe00000);
	ck_assert_uint_eq(fv_layout_by_name("4m")->base, 0xffc00000);
}
END_TEST

/* Checksums that edk2 computed, in case no template is installed. */
START_TEST(format_has_the_known_checksums)
{
	static const uint16_t sums[] = { 0xf919, 0xb8af };
	const struct fv_layout *layout = fv_layout_by_name(templates[_i].name);
	uint8_t *image = malloc(layout->size);

	ck_assert_ptr_nonnull(image);
	fv_format(layout, image);
	ck_assert_uint_eq(get_le16(image + 50), sums[_i]);
	ck_assert_uint_eq(get_le32(image + layout->ftw_work + 16), 0x642caf2c);
	free(image);
}
END_TEST

START_TEST(format_equals_the_template)
{
	const struct fv_layout *layout = fv_layout_by_name(templates[_i].name);
	struct blob template;
	uint8_t *image;

	if (skip(templates[_i].path))
		return;
	template = _i == 0 ? blob_gunzip(templates[_i].path) :
			     blob_read(templates[_i].path);
	image = malloc(layout->size);
	ck_assert_ptr_nonnull(image);
	fv_format(layout, image);
	ck_assert_uint_eq(template.len, layout->size);
	for (size_t i = 0; i < template.len; i++)
		if (image[i] != template.data[i])
			ck_abort_msg("offset %zx: %02x, template has %02x", i,
				     image[i], template.data[i]);
	free(image);
	blob_free(&template);
}
END_TEST

START_TEST(sec_is_found_in_firmware)
{
	struct blob image;
	size_t off;

	if (skip(firmware[_i]))
		return;
	image = blob_read(firmware[_i]);
	ck_assert_int_eq(fv_find_sec(image.data, image.len, &off, &err), 0);
	ck_assert_uint_eq(off % FV_BLOCK_SIZE, 0);
	ck_assert_uint_eq((image.len - off) / FV_BLOCK_SIZE, 52);
	ck_assert_int_eq(fv_find_sec(image.data, image.len - 8, &off, &err),
			 -ENOENT);
	ck_assert_int_eq(fv_find_sec(image.data + off + 8, image.len - off - 8,
				     &off, &err),
			 -ENOENT);
	blob_free(&image);
}
END_TEST

/* A volume made here, behind another one and garbage. */
#define IMAGE_SIZE 0x8000u
#define SEC_OFFSET 0x3008u

static uint8_t image_bytes[IMAGE_SIZE];

static void
put_volume(uint8_t *p, uint32_t len)
{
	uint16_t sum = 0;

	memset(p, 0, 72);
	put_le64(p + 32, len);
	memcpy(p + 40, "_FVH", 4);
	put_le16(p + 48, 72);
	put_le32(p + 56, 1);
	put_le32(p + 60, len);
	for (int i = 0; i < 72; i += 2)
		sum = (uint16_t)(sum + get_le16(p + i));
	put_le16(p + 50, (uint16_t)-sum);
}

static void
put_image(void)
{
	memset(image_bytes, 0x5a, IMAGE_SIZE);
	put_volume(image_bytes, SEC_OFFSET);
	put_volume(image_bytes + SEC_OFFSET, IMAGE_SIZE - SEC_OFFSET);
}

START_TEST(sec_is_the_last_volume)
{
	size_t off = 0;

	put_image();
	ck_assert_int_eq(fv_find_sec(image_bytes, IMAGE_SIZE, &off, &err), 0);
	ck_assert_uint_eq(off, SEC_OFFSET);
	put_volume(image_bytes, IMAGE_SIZE);
	ck_assert_int_eq(fv_find_sec(image_bytes, IMAGE_SIZE, &off, &err), 0);
	ck_assert_uint_eq(off, SEC_OFFSET);
}
END_TEST

START_TEST(damaged_volume_is_not_found)
{
	size_t off = 1;

	for (uint32_t i = 0; i < 72; i++) {
		put_image();
		image_bytes[SEC_OFFSET + i] ^= 1;
		ck_assert_int_eq(fv_find_sec(image_bytes, IMAGE_SIZE, &off,
					     &err),
				 -ENOENT);
	}
	ck_assert_uint_eq(off, 1);
	ck_assert_ptr_nonnull(strstr(err.text, "no firmware volume"));
}
END_TEST

/*
 * A header length that is too long, odd or too short must not cause a read
 * outside the volume.
 */
START_TEST(header_length_is_checked)
{
	static const uint16_t bad[] = { 0, 2, 70, 73, 0x7fff, 0xfffe, 0xffff };
	uint8_t *volume = malloc(80);
	size_t off;

	ck_assert_ptr_nonnull(volume);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(volume, 0, 80);
		put_volume(volume, 80);
		put_le16(volume + 50,
			 (uint16_t)(get_le16(volume + 50) + 72 - bad[i]));
		put_le16(volume + 48, bad[i]);
		ck_assert_int_eq(fv_find_sec(volume, 80, &off, &err), -ENOENT);
	}
	for (size_t len = 0; len < 72; len++)
		ck_assert_int_eq(fv_find_sec(volume + 80 - len, len, &off,
					     &err),
				 -ENOENT);
	free(volume);
}
END_TEST

/* --- which variables a firmware was built for --- */

/* Debian 12 has all, later releases only those of 4 MiB. */
static const struct built {
	const char *path;
	const char *layout; /* NULL: cannot be detected */
	size_t size;        /* 0: any */
	bool has_vars;
} built[] = {
	{ "/usr/share/OVMF/OVMF_CODE.fd", "2m", 0, false },
	{ "/usr/share/OVMF/OVMF_CODE.secboot.fd", "2m", 0, false },
	{ "/usr/share/OVMF/OVMF_CODE_4M.fd", "4m", 0, false },
	{ "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "4m", 0, false },
	{ "/usr/share/ovmf/OVMF.fd", "2m", 0x200000, true },
	{ "/usr/share/ovmf/OVMF.fd", "4m", 0x400000, true },
	{ "/usr/share/OVMF/OVMF_VARS.fd", NULL, 0, false },
	{ "/usr/share/OVMF/OVMF_VARS_4M.fd", NULL, 0, false },
};
#define BUILT (sizeof(built) / sizeof(built[0]))

static void
expect_built(const struct blob *image, const struct built *wanted)
{
	struct fv_build build;
	int ret = fv_build_find(image->data, image->len, &build, &err);

	if (!wanted->layout) {
		ck_assert_int_eq(ret, -ENOENT);
		ck_assert_ptr_null(build.layout);
		ck_assert_int_eq(fv_build_takes(image->data, image->len,
						0x20000, &err),
				 -ENOENT);
		return;
	}
	ck_assert_int_eq(ret, 0);
	ck_assert_str_eq(build.layout->name, wanted->layout);
	ck_assert_uint_eq(build.vars_base, build.layout->base);
	ck_assert_int_eq(build.has_vars, wanted->has_vars);
}

START_TEST(debian_builds_are_detected)
{
	unsigned int detected = 0;

	for (size_t i = 0; i < BUILT; i++) {
		struct blob image;

		if (access(built[i].path, R_OK))
			continue;
		image = blob_read(built[i].path);
		if (!built[i].size || image.len == built[i].size) {
			expect_built(&image, &built[i]);
			detected += built[i].layout != NULL;
		}
		blob_free(&image);
	}
	/* Two with a volume of variables behind them, and OVMF.fd. */
	if (!detected)
		printf("SKIP: the package ovmf is not here\n");
	else
		ck_assert_uint_ge(detected, 3);
}
END_TEST

/* Makes an image that looks like a build of that size. */
static uint8_t *
make_firmware(size_t size, bool vars, bool elf)
{
	const struct fv_layout *layout = fv_layout_by_name(size >= 0x37c000 ?
								   "4m" :
								   "2m");
	uint8_t *image = malloc(size);

	ck_assert_ptr_nonnull(image);
	memset(image, 0xff, size);
	if (vars || elf)
		fv_format(layout, image);
	if (elf) {
		memset(image, 0xff, layout->variable_size);
		memcpy(image, "\177ELF", 4);
	}
	put_volume(image + size - 0x4000, 0x4000);
	return image;
}

static const struct {
	size_t size;
	const char *layout;
	uint64_t base;
} sizes[] = {
	{ 0x100000, "2m", 0xfff00000 }, { 0x200000, "2m", 0xffe00000 },
	{ 0x400000, "4m", 0xffc00000 }, { 0x0e0000, "2m", 0xfff00000 },
	{ 0x1e0000, "2m", 0xffe00000 }, { 0x37c000, "4m", 0xffc00000 },
};

START_TEST(builds_of_every_size)
{
	bool is_code = _i >= 3;
	struct fv_build build;

	for (int elf = 0; elf < 2 - is_code; elf++) {
		size_t size = sizes[_i].size;
		uint8_t *image = make_firmware(size, !is_code && !elf, elf);

		ck_assert_int_eq(fv_build_find(image, size, &build, &err), 0);
		ck_assert_str_eq(build.layout->name, sizes[_i].layout);
		ck_assert_uint_eq(build.vars_base, sizes[_i].base);
		ck_assert_int_eq(build.has_vars, !is_code && !elf);
		/* An image without SEC, or of another size, must fail. */
		ck_assert_int_eq(fv_build_find(image, size - 8, &build, &err),
				 -ENOENT);
		image[size - 0x4000 + 50]++;
		ck_assert_int_eq(fv_build_find(image, size, &build, NULL),
				 -ENOENT);
		image[size - 0x4000 + 50]--;
		/* So must one that does not identify its variable layout. */
		image[0] ^= 1;
		ck_assert_int_eq(fv_build_find(image, size, &build, &err),
				 is_code ? 0 : -ENOENT);
		image[0] ^= 1;
		if (elf)
			image[fv_layout_by_name(sizes[_i].layout)->ftw_work]++;
		else
			image[16]++;
		ck_assert_int_eq(fv_build_find(image, size, &build, &err),
				 is_code ? 0 : -ENOENT);
		free(image);
	}
}
END_TEST

START_TEST(other_variables_are_refused)
{
	uint8_t *image = make_firmware(0x37c000, false, false);

	ck_assert_int_eq(fv_build_takes(image, 0x37c000, 0x84000, &err), 0);
	ck_assert_int_eq(fv_build_takes(image, 0x37c000, 0x20000, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text,
			 "the firmware was built for 0x84000 bytes of "
			 "variables (layout 4m), and would erase all variables "
			 "in a VARS file of 0x20000 bytes; use a firmware and "
			 "a VARS file of the same build");
	ck_assert_int_eq(fv_build_takes(image, 0x1000, 0x20000, &err), -ENOENT);
	ck_assert_str_eq(err.text, "not a known build of OVMF, so the size of "
				   "its VARS file is unknown");
	free(image);
}
END_TEST

static Suite *
fv_suite(void)
{
	Suite *suite = suite_create("fv");
	TCase *tc = tcase_create("fv");

	tcase_add_loop_test(tc, layouts_are_consistent, 0, 2);
	tcase_add_test(tc, bases_are_those_of_ovmf);
	tcase_add_loop_test(tc, format_has_the_known_checksums, 0, 2);
	tcase_add_loop_test(tc, format_equals_the_template, 0, 2);
	tcase_add_loop_test(tc, sec_is_found_in_firmware, 0, 2);
	tcase_add_test(tc, sec_is_the_last_volume);
	tcase_add_test(tc, damaged_volume_is_not_found);
	tcase_add_test(tc, header_length_is_checked);
	tcase_add_test(tc, debian_builds_are_detected);
	tcase_add_loop_test(tc, builds_of_every_size, 0, 6);
	tcase_add_test(tc, other_variables_are_refused);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(fv_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

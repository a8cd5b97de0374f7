/* SPDX-License-Identifier: BSD-2-Clause */
/* Formatting against Debian's templates, and finding SEC in its firmware. */
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

static const struct sample templates[] = {
	{ "2m", "/usr/share/OVMF/OVMF_VARS.fd" },
	{ "4m", "/usr/share/OVMF/OVMF_VARS_4M.fd" },
};

static const struct sample firmware[] = {
	{ "2m", "/usr/share/OVMF/OVMF_CODE.fd" },
	{ "4m", "/usr/share/OVMF/OVMF_CODE_4M.fd" },
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
	/* The spare area holds a copy of everything before it. */
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

/* The values that edk2 computed, in case there is no template to compare. */
START_TEST(format_has_the_known_sums)
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
	template = blob_read(templates[_i].path);
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

	if (skip(firmware[_i].path))
		return;
	image = blob_read(firmware[_i].path);
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

/* A volume made here, behind another one and junk. */
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

START_TEST(damaged_volume_is_none)
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

/* A header longer than what is left, odd, or too short: no read outside. */
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

static Suite *
fv_suite(void)
{
	Suite *suite = suite_create("fv");
	TCase *tc = tcase_create("fv");

	tcase_add_loop_test(tc, layouts_are_consistent, 0, 2);
	tcase_add_test(tc, bases_are_those_of_ovmf);
	tcase_add_loop_test(tc, format_has_the_known_sums, 0, 2);
	tcase_add_loop_test(tc, format_equals_the_template, 0, 2);
	tcase_add_loop_test(tc, sec_is_found_in_firmware, 0, 2);
	tcase_add_test(tc, sec_is_the_last_volume);
	tcase_add_test(tc, damaged_volume_is_none);
	tcase_add_test(tc, header_length_is_checked);
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

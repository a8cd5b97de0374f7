/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of the check before an attach: the firmware in a guest's memory, from
 * the simulated hypervisor, and whether it fits a VARS file.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "support_ovmf.h"
#include "support_store.h"
#include "support_vars.h"

#include "pflash/le.h"
#include "pflash/sim.h"
#include "worker/loaded.h"
#include "worker/preflight.h"

#define GFN (OVMF_LOAD >> FRAME_SHIFT)

static struct sim *sim;
static struct transport *t;
static struct transport_ops counting; /* of mapped frames */
static unsigned int mapped, most_mapped;
static const struct transport_ops *real;
static struct preflight preflight;
static struct options options;
static struct files *files;
static struct error err;

static void *
count_map(struct transport *transport, uint64_t gfn, unsigned int count,
	  int prot)
{
	void *frames = real->map(transport, gfn, count, prot);

	ck_assert_int_eq(prot, PROT_READ);
	if (frames)
		mapped += count;
	if (mapped > most_mapped)
		most_mapped = mapped;
	return frames;
}

static void
count_unmap(struct transport *transport, void *frames, unsigned int count)
{
	real->unmap(transport, frames, count);
	mapped -= count;
}

/* A guest with this many bytes of memory. */
static void
start(size_t memory)
{
	const struct sim_config config = {
		.ram_frames = (unsigned int)(memory / FRAME_SIZE),
		.spare_frames = 64,
	};

	ck_assert_int_eq(sim_create(&sim, &config), 0);
	t = sim_transport(sim);
	real = t->ops;
	counting = *real;
	counting.map = count_map;
	counting.unmap = count_unmap;
	t->ops = &counting;
	mapped = most_mapped = 0;
	preflight = (struct preflight){ .initial = NULL };
}

static void
end(void)
{
	ck_assert_uint_eq(mapped, 0);
	preflight_free(&preflight);
	t->ops = real;
	sim_destroy(sim);
}

/* As Xen's domain builder does it. */
static void
load(const uint8_t *image, size_t size)
{
	for (size_t off = 0; off < size; off += FRAME_SIZE)
		memcpy(sim_frame(sim, GFN + off / FRAME_SIZE), image + off,
		       FRAME_SIZE);
}

static const struct ovmf_shape two = { 2 * MIB, "2m", 0x34000, true, 2 * MIB };
static const struct ovmf_shape one = { MIB, "2m", 0x14000, true, MIB };
static const struct ovmf_shape four = { 4 * MIB, "4m", 0x34000, true, 4 * MIB };

/* Loads an image of this shape, and takes it. */
static void
take(const struct ovmf_shape *shape)
{
	uint8_t *image = ovmf_make(shape);

	load(image, shape->size);
	preflight_take_loaded(&preflight, t);
	ck_assert_msg(preflight.loaded, "%s", preflight.no_code.text);
	ck_assert_uint_eq(preflight.code_size, shape->size);
	ck_assert_mem_eq(preflight.code, image, shape->size);
	free(image);
}

static void
has_none(const char *why)
{
	preflight_take_loaded(&preflight, t);
	ck_assert(!preflight.loaded);
	ck_assert_ptr_null(preflight.code);
	ck_assert_uint_eq(preflight.code_size, 0);
	ck_assert_msg(strstr(preflight.no_code.text, why) != NULL, "%s",
		      preflight.no_code.text);
}

/* --- the firmware in memory --- */

START_TEST(takes_the_image)
{
	static const struct ovmf_shape *const shapes[] = { &one, &two, &four };
	const struct ovmf_shape *shape = shapes[_i];
	uint64_t gfn = ((UINT64_C(1) << 32) - shape->sec_size) >> FRAME_SHIFT;
	size_t off;

	start(8 * MIB);
	take(shape);
	ck_assert_str_eq(preflight.no_code.text, "");
	ck_assert_uint_eq(preflight.firmware.sec_size, shape->sec_size);
	ck_assert_uint_eq(most_mapped, shape->size / FRAME_SIZE);
	/* Later writes of the guest do not change the copy. */
	sim_frame(sim, GFN)[0] = 0;
	sim_frame(sim, GFN + shape->size / FRAME_SIZE - 1)[FRAME_SIZE - 1] = 0;
	ck_assert_uint_eq(preflight.code[0], 0x7f);
	ck_assert_uint_eq(preflight.code[shape->size - 1], 0xff);
	t->ops = real;
	off = firmware_served(&preflight.firmware);
	ck_assert_int_eq(window_install_code(t, preflight.code + off,
					     shape->size - off, &err),
			 0);
	ck_assert_int_eq(t->ops->get_type(t, gfn), HVMMEM_ram_ro);
	ck_assert_mem_eq(sim_frame(sim, gfn), preflight.code + off, FRAME_SIZE);
	end();
}
END_TEST

/* A Linux kernel has zeros at 1 MiB; a small guest has no memory there. */
START_TEST(other_kernels)
{
	uint8_t page[FRAME_SIZE] = { 0 };

	start(MIB / 2);
	has_none("cannot be mapped");
	end();
	start(2 * MIB);
	has_none("no ELF header is at 0x100000");
	ck_assert_uint_eq(most_mapped, 1);
	/* A header that names more memory than the guest has. */
	ovmf_put_elf(page, 2 * MIB);
	load(page, sizeof(page));
	has_none("512 frames of the guest's memory at 0x100000 cannot be");
	ovmf_put_elf(page, MIB);
	load(page, sizeof(page));
	has_none("no firmware volume ends at offset 1048576");
	ovmf_put_elf(page, MIB + 1);
	load(page, sizeof(page));
	has_none("not the size of a firmware image");
	put_le32(page + 0x38, FRAME_SIZE);
	load(page, sizeof(page));
	has_none("no segment at 0x100000 begins with the ELF header");
	end();
}
END_TEST

/* Images from which Xen could not have started the guest. */
START_TEST(images_without_an_entry)
{
	struct ovmf_shape shape = four;
	uint8_t *image;

	start(8 * MIB);
	/* edk2's header of 2 MiB: the rest is not in memory. */
	shape.elf_size = 2 * MIB;
	image = ovmf_make(&shape);
	load(image, 2 * MIB);
	has_none("no firmware volume ends at offset 2097152");
	free(image);
	image = ovmf_make(&two);
	put_le32(image + 0x84, OVMF_LOAD);
	load(image, two.size);
	has_none("the entry for Xen is not in the SEC volume");
	put_le32(image + 0x7c, 17);
	load(image, two.size);
	has_none("names no entry for Xen");
	free(image);
	end();
}
END_TEST

/* --- does it fit the VARS file? --- */

static const struct {
	const struct ovmf_shape *shape;
	const char *layout; /* of VARS */
	const char *base;   /* of --base; NULL: not given */
	const char *why;    /* a part of the refusal; NULL: accepted */
} fits[] = {
	{ &two, "2m", NULL, NULL },
	{ &two, "2m", "0xffe00000", NULL },
	{ &two, "4m", NULL,
	  "built for 0x20000 bytes of variables (layout 2m)" },
	{ &two, "4m", "0xffe00000", "built for 0x20000 bytes" },
	/* another flash, which the firmware does not know */
	{ &two, "4m", "0xffc00000", NULL },
	{ &two, "2m", "0xffd00000", NULL },
	{ &four, "4m", NULL, NULL },
	{ &four, "2m", NULL,
	  "built for 0x84000 bytes of variables (layout 4m)" },
	{ &one, "2m", NULL,
	  "looks for its variables at 0xfff00000, not at 0xffe00000: give the "
	  "address with --base" },
	{ &one, "2m", "0xfff00000", NULL },
};
#define FITS (sizeof(fits) / sizeof(fits[0]))

static void
parse(const char *base, bool force)
{
	static char vars[256], number[32];
	char *argv[] = { "pflashd", "--domain", "1",  "--vars", vars,
			 NULL,      NULL,       NULL, NULL };
	int argc = 5;

	(void)snprintf(vars, sizeof(vars), "%s", scratch_path("VARS"));
	if (base) {
		(void)snprintf(number, sizeof(number), "%s", base);
		argv[argc++] = "--base";
		argv[argc++] = number;
	}
	if (force)
		argv[argc++] = "--force";
	ck_assert_int_eq(options_parse(&options, argc, argv, NULL, NULL, &err),
			 EXIT_OK);
}

static int
check_all(void)
{
	int code = preflight_check(&preflight, &options, files, &err);

	return code == EXIT_OK ? preflight_check_contents(&preflight, &options,
							  files, &err) :
				 code;
}

START_TEST(fits_the_file)
{
	struct vars vars = vars_make(fits[_i].layout);

	scratch_make();
	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), vars.image,
				     vars.size, &err),
			 0);
	ck_assert_int_eq(files_local(&files, scratch_path("VARS"), NULL, NULL,
				     &err),
			 0);
	start(8 * MIB);
	take(fits[_i].shape);
	parse(fits[_i].base, false);
	if (fits[_i].why) {
		ck_assert_int_eq(check_all(), EXIT_FILE);
		ck_assert_msg(strstr(err.text, "VARS, the guest's firmware: "),
			      "%s", err.text);
		ck_assert_msg(strstr(err.text, fits[_i].why), "%s", err.text);
		options_free(&options);
		parse(fits[_i].base, true);
	}
	ck_assert_int_eq(check_all(), EXIT_OK);
	options_free(&options);
	end();
	files->ops->close(files);
	vars_free(&vars);
	scratch_remove();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("preflight");
	TCase *tc = tcase_create("preflight");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, takes_the_image, 0, 3);
	tcase_add_test(tc, other_kernels);
	tcase_add_test(tc, images_without_an_entry);
	tcase_add_loop_test(tc, fits_the_file, 0, FITS);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

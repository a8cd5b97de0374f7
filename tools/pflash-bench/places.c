/* SPDX-License-Identifier: BSD-2-Clause */
/* The commit of a burst at several places, such as NFS and a shared disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "pflash/store.h"

#define PLACES 16u
#define BURSTS 100u

/* The bursts replace what the flash has: it must have nothing. */
static int
check_empty(const char *vars, uint32_t size, struct error *err)
{
	const struct store_config config = { .path = vars, .size = size };
	uint8_t *image = image_make(size);
	struct store *store;
	int ret;

	if (!image)
		return error_set(err, ENOMEM, "out of memory");
	ret = store_open(&store, &config, NULL, err);
	if (ret == 0) {
		if (memcmp(store_image(store), image, size) != 0)
			ret = error_set(err, EINVAL,
					"%s: has contents, which would be "
					"lost: make an empty flash with "
					"`pflashctl create`",
					vars);
		(void)store_close(store);
	}
	free(image);
	return ret;
}

static int
open_place(struct subject *subject, const char *vars, uint32_t size,
	   struct error *err)
{
	int ret = check_empty(vars, size, err);

	*subject = (struct subject){ .ops = &path_burst };
	if (ret < 0)
		return ret;
	errno = 0;
	subject->flash = path_burst.open(vars, size);
	return subject->flash ?
		       0 :
		       error_errno(err, errno ? errno : EIO, "%s", vars);
}

/* In turn, burst by burst: the load of the machine is the same for all. */
static void
run_round(struct subject *subjects, unsigned int count, unsigned int bursts,
	  uint32_t size, uint32_t *off)
{
	uint64_t sum[PLACES] = { 0 };

	for (unsigned int n = 0; n < bursts; n++) {
		for (unsigned int i = 0; i < count; i++) {
			uint64_t start = now();

			write_variable(subjects[i].ops, subjects[i].flash,
				       *off);
			sum[i] += now() - start;
		}
		*off = (*off + VARIABLE) % (size - VARIABLE);
	}
	for (unsigned int i = 0; i < count; i++)
		row_add(subjects[i].row, (double)sum[i] / bursts / 1e3);
}

int
bench_places(struct report *report, const struct options *options,
	     struct error *err)
{
	unsigned int bursts = options->count ? options->count : BURSTS;
	unsigned int count = (unsigned int)options->argument_count, opened = 0;
	struct subject subjects[PLACES];
	uint32_t off = 0;
	int ret = 0;

	if (count < 2 || count > PLACES)
		return error_set(err, EINVAL,
				 "places: name 2 to %u empty flashes, files or "
				 "prepared devices (see --help)",
				 PLACES);
	while (ret == 0 && opened < count) {
		const char *vars = options->arguments[opened];
		struct subject *subject = &subjects[opened++];

		ret = open_place(subject, vars, options->size, err);
		subject->row = report_row(report, ROW_PAIRED, "us", "%s", vars);
		if (opened > 1)
			subject->row->against = subjects[0].row;
	}
	report_title(report,
		     "Wait for the commit of a burst of %u bytes: lower is "
		     "better",
		     VARIABLE);
	for (unsigned int r = 0; ret == 0 && r < options->rounds; r++)
		run_round(subjects, count, bursts, options->size, &off);
	for (unsigned int i = 0; i < opened; i++)
		subject_close(&subjects[i]);
	report_note(report,
		    "the mean of %u bursts in each round, the places in turn",
		    bursts);
	return ret;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "pflash/transport.h"
#include "pflash/view.h"

#define MAX_CODE (16u << 20)

/* A new image from template or layout. */
static int
make_initial(struct preflight *preflight, const struct options *options,
	     uint64_t *size, struct error *err)
{
	size_t loaded = 0;
	int ret = 0;

	if (options->template) {
		ret = file_load(options->template, STORE_MAX_SIZE,
				&preflight->initial, &loaded, err);
		*size = loaded;
		return ret;
	}
	if (!options->layout)
		return error_set(err, ENOENT,
				 "%s: does not exist, and neither "
				 "--template nor --layout says what to begin "
				 "with",
				 options->vars);
	preflight->initial = malloc(options->layout->size);
	if (!preflight->initial)
		return error_set(err, ENOMEM, "out of memory");
	*size = options->layout->size;
	fv_format(options->layout, preflight->initial);
	return 0;
}

/* Devices come in sizes of their own; the volume at the start knows its own. */
static int
device_size(const char *path, uint64_t *size, struct error *err)
{
	uint8_t start[FV_BLOCK_SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t end = -1;
	uint64_t length;

	if (fd >= 0)
		end = lseek(fd, 0, SEEK_END);
	if (end < 0 ||
	    pread(fd, start, sizeof(start), 0) != (ssize_t)sizeof(start)) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return error_errno(err, error, "%s", path);
	}
	close(fd);
	length = fv_length(start, sizeof(start));
	*size = length && length <= (uint64_t)end ? length : (uint64_t)end;
	return 0;
}

static int
find_size(struct preflight *preflight, const struct options *options,
	  uint64_t *size, struct error *err)
{
	struct stat st;

	if (stat(options->vars, &st) == 0) {
		*size = (uint64_t)st.st_size;
		return S_ISBLK(st.st_mode) ?
			       device_size(options->vars, size, err) :
			       0;
	}
	if (errno != ENOENT)
		return error_errno(err, errno, "%s", options->vars);
	if (options->read_only)
		return error_errno(err, ENOENT, "%s", options->vars);
	return make_initial(preflight, options, size, err);
}

/* The file whose size and contents it is. */
static const char *
source(const struct preflight *preflight, const struct options *options)
{
	return preflight->initial && options->template ? options->template :
							 options->vars;
}

static int
find_base(struct preflight *preflight, const struct options *options,
	  uint64_t size, struct error *err)
{
	const struct fv_layout *layout = fv_layout_by_size(size);
	const char *path = source(preflight, options);

	if (size == 0 || size % FV_BLOCK_SIZE || size > STORE_MAX_SIZE)
		return error_set(err, EINVAL,
				 "%s: %" PRIu64 " bytes is no "
				 "flash: a multiple of %u up to %u was "
				 "expected",
				 path, size, FV_BLOCK_SIZE, STORE_MAX_SIZE);
	if (!options->base_given && !layout)
		return error_set(err, EINVAL,
				 "%s: %" PRIu64 " bytes is no "
				 "size of OVMF's, so --base must say where the "
				 "flash goes",
				 path, size);
	preflight->base = options->base_given ? options->base : layout->base;
	return 0;
}

static int
load_code(struct preflight *preflight, const char *path, struct error *err)
{
	size_t off = 0;
	int ret = file_load(path, MAX_CODE, &preflight->code,
			    &preflight->code_size, err);

	if (ret < 0)
		return ret;
	if (preflight->code_size % FRAME_SIZE)
		return error_set(err, EINVAL,
				 "%s: %zu bytes is no firmware image: a "
				 "multiple of %u was expected",
				 path, preflight->code_size, FRAME_SIZE);
	if (fv_find_sec(preflight->code, preflight->code_size, &off, err) < 0)
		return error_set(err, EINVAL,
				 "%s: no firmware volume at its end", path);
	preflight->sec = off & ~(size_t)(FRAME_SIZE - 1);
	return 0;
}

static int
check_image(const char *path, const uint8_t *image, size_t size, bool force,
	    struct fv_report *report, struct error *err)
{
	struct error text;

	fv_check(image, size, report);
	for (unsigned int i = 0; i < report->count; i++) {
		const struct fv_finding *finding = &report->findings[i];

		fv_finding_text(finding, &text);
		if (finding->severity == FV_ERROR && !force)
			return error_set(err, EUCLEAN,
					 "%s: %s (--force attaches it all the "
					 "same)",
					 path, text.text);
		if (finding->severity != FV_NOTE)
			log_line(LOG_WARNING, "%s: %s", path, text.text);
	}
	return 0;
}

static struct store_config
files_of(const struct preflight *preflight, const struct options *options,
	 const struct sys *sys)
{
	return (struct store_config){
		.path = options->vars,
		.journal = options->journal,
		.size = preflight->geometry.size,
		.read_only = options->read_only,
		.sys = sys,
	};
}

/*
 * Would the firmware take what it finds?  `strict` is for other drivers, and
 * for contents of any kind.
 */
static int
check_contents(struct preflight *preflight, const struct options *options,
	       const struct sys *sys, struct error *err)
{
	const struct store_config config = files_of(preflight, options, sys);
	uint32_t size = preflight->geometry.size;
	struct fv_report report = { .count = 0 };
	struct error why;
	struct view *view;
	int ret;

	if (preflight->code &&
	    fv_build_takes(preflight->code, preflight->code_size, size, &why) ==
		    -EINVAL) {
		if (!options->force)
			return error_set(err, EINVAL,
					 "%s, %s: %s (--force attaches it all "
					 "the same)",
					 options->vars, options->code,
					 why.text);
		log_line(LOG_WARNING, "%s", why.text);
	}
	if (preflight->initial)
		return options->personality == CFI_STRICT ?
			       0 :
			       check_image(source(preflight, options),
					   preflight->initial, size,
					   options->force, &report, err);
	ret = view_open_files(&view, &config, err);
	if (ret < 0)
		return ret;
	if (options->personality != CFI_STRICT)
		ret = check_image(options->vars, view_image(view), size,
				  options->force, &report, err);
	view_close(view);
	preflight->compact = options->compact && !options->read_only &&
			     fv_compact_is_due(&report);
	return ret;
}

/* A guest that is started anew may come before the end of its last pflashd. */
static int
wait_for_lock(const struct store_config *config, uint64_t seconds,
	      struct error *err)
{
	const struct timespec step = { .tv_nsec = 100000000 };
	struct timespec now;
	uint64_t end;
	int ret = store_check_free(config, err);

	clock_gettime(CLOCK_MONOTONIC, &now);
	end = (uint64_t)now.tv_sec + seconds;
	while (ret == -EBUSY && (uint64_t)now.tv_sec < end) {
		nanosleep(&step, NULL);
		ret = store_check_free(config, err);
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	return ret;
}

static int
check_files(struct preflight *preflight, const struct options *options,
	    struct error *err)
{
	const struct store_config config = files_of(preflight, options, NULL);
	int ret = 0;

	if (!preflight->initial)
		ret = wait_for_lock(&config, options->wait, err);
	if (ret < 0)
		return ret == -EBUSY ? EXIT_BUSY : EXIT_FILE;
	if (options->code)
		ret = load_code(preflight, options->code, err);
	return ret < 0 ? EXIT_FILE : EXIT_OK;
}

int
preflight_check(struct preflight *preflight, const struct options *options,
		struct error *err)
{
	uint64_t size = 0;

	*preflight = (struct preflight){ .initial = NULL };
	if (find_size(preflight, options, &size, err) < 0 ||
	    find_base(preflight, options, size, err) < 0)
		return EXIT_FILE;
	if (geometry_parse(&preflight->geometry, (uint32_t)size, options->width,
			   options->interleave, options->blocks, err) < 0)
		return EXIT_USAGE;
	return check_files(preflight, options, err);
}

int
preflight_check_contents(struct preflight *preflight,
			 const struct options *options, const struct sys *sys,
			 struct error *err)
{
	return check_contents(preflight, options, sys, err) < 0 ? EXIT_FILE :
								  EXIT_OK;
}

void
preflight_free(struct preflight *preflight)
{
	free(preflight->initial);
	free(preflight->code);
}

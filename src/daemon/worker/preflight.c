/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/preflight.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "pflash/identify.h"
#include "pflash/known.h"
#include "pflash/load.h"
#include "pflash/reader.h"
#include "worker/loaded.h"

/* The flash of `strict` may hold anything, and --force takes anything. */
static bool
takes_anything(const struct options *options)
{
	return options->personality == CFI_STRICT || options->force;
}

static int
load_template(struct preflight *preflight, const struct options *options,
	      struct error *err)
{
	struct error note;
	int ret;

	if (takes_anything(options))
		return load_file(options->template, STORE_MAX_SIZE,
				 &preflight->initial, &preflight->initial_size,
				 err);
	ret = identify_template(options->template, &preflight->initial,
				&preflight->initial_size, &note, err);
	if (ret > 0)
		log_line(LOG_NOTICE, "%s", note.text);
	return ret < 0 ? ret : 0;
}

/*
 * 0: VARS, which is missing, was never there.  Otherwise the sentence has each
 * reason and each way out.
 */
static int
check_new(struct files *files, struct error *err)
{
	const struct store_config config = { .files = files };
	struct error known, journal;
	int ret = store_check_new(&config, &journal), known_ret;

	if (ret == -EREMCHG)
		return error_set(err, EREMCHG, "%s", journal.text);
	known_ret = known_check(NULL, files, &known);
	if (known_ret)
		return error_set(err, -known_ret, "%.500s%s%s", known.text,
				 ret ? "; " : "", ret ? journal.text : "");
	return ret ? error_set(err, -ret, "%s", journal.text) : 0;
}

/* Makes the image of a new VARS file, from template or layout. */
static int
make_initial(struct preflight *preflight, const struct options *options,
	     struct files *files, struct error *err)
{
	int ret = check_new(files, err);

	if (ret)
		return ret;
	if (options->read_only)
		return error_errno(err, ENOENT, "%s", options->vars);
	if (options->template)
		return load_template(preflight, options, err);
	if (!options->layout)
		return error_set(err, ENOENT,
				 "%s: does not exist, and neither --template "
				 "nor --layout is given to create it",
				 options->vars);
	preflight->initial = malloc(options->layout->size);
	if (!preflight->initial)
		return error_set(err, ENOMEM, "out of memory");
	preflight->initial_size = options->layout->size;
	fv_format(options->layout, preflight->initial);
	return 0;
}

static int
find_size(const struct preflight *preflight, struct files *files,
	  uint64_t *size, struct error *err)
{
	const char *path = files->name[FILES_VARS];
	struct stat st;
	int fd, ret = 0;

	*size = preflight->initial_size;
	if (preflight->initial)
		return 0;
	fd = files->ops->open(files, FILES_VARS, false);
	if (fd < 0)
		return identify_open_error(-fd, path, err);
	if (files->place[FILES_VARS].room)
		*size = files->place[FILES_VARS].room;
	else if (sys_kernel.fstat(fd, &st) < 0)
		ret = error_errno(err, errno, "%s", path);
	else if (identify_type(st.st_mode, path, err) < 0)
		ret = -EINVAL;
	else if (S_ISBLK(st.st_mode))
		ret = load_device_size(fd, path, size, err);
	else
		*size = (uint64_t)st.st_size;
	close(fd);
	return ret;
}

/* The file that the size and the contents are from. */
static const char *
source(const struct preflight *preflight, const struct options *options)
{
	return preflight->initial && options->template ? options->template :
							 options->vars;
}

/*
 * Replaces the message by what the VARS file is, if it has a known kind, with
 * `foreign` a foreign one.
 */
static void
explain_vars(struct files *files, bool foreign, struct error *err)
{
	int fd = files->ops->open(files, FILES_VARS, false);

	if (fd < 0)
		return;
	(void)identify_explain(&sys_kernel, fd, files->name[FILES_VARS],
			       foreign, err);
	close(fd);
}

static bool
is_flash_size(uint64_t size)
{
	return size > 0 && size % FV_BLOCK_SIZE == 0 && size <= STORE_MAX_SIZE;
}

static int
find_base(struct preflight *preflight, const struct options *options,
	  uint64_t size, struct error *err)
{
	const struct fv_layout *layout = fv_layout_by_size(size);
	const char *path = source(preflight, options);

	if (!is_flash_size(size))
		return identify_size_error(path, size, err);
	if (!options->base_given && !layout)
		return error_set(err, EINVAL,
				 "%s: %" PRIu64 " bytes is not a size of "
				 "OVMF's flash: give its address with --base",
				 path, size);
	preflight->base = options->base_given ? options->base : layout->base;
	return 0;
}

/* True if the image is no VARS image, with the reason. */
static bool
is_no_image(const uint8_t *image, size_t size, struct error *text)
{
	struct fv_report report = { .count = 0 };
	struct identity identity;
	unsigned int i = 0;

	identify_image(image, size, &identity);
	if (identity_is_known(&identity)) {
		identity_text(&identity, IDENTITY_AS_VARS, text);
		return true;
	}
	if (fv_check(image, size, &report))
		return false;
	while (i < report.count && report.findings[i].severity != FV_ERROR)
		i++;
	fv_finding_text(&report.findings[i], text);
	return true;
}

/* Replaces the message by what is wrong with the contents, if anything is. */
static void
explain_image(const char *path, const uint8_t *image, size_t size,
	      struct error *err)
{
	struct identity identity;
	struct error text;

	if (!is_no_image(image, size, &text))
		return;
	identify_image(image, size, &identity);
	error_set(err, EINVAL, "%s: %s%s", path, text.text,
		  identity_is_known(&identity) ?
			  "" :
			  " (a flash of another system needs --base)");
}

static void
explain_contents(const struct preflight *preflight,
		 const struct options *options, struct files *files,
		 size_t size, struct error *err)
{
	const struct store_config config = { .files = files };
	const char *path = source(preflight, options);
	struct reader *reader;
	struct error ignored;

	if (preflight->initial) {
		explain_image(path, preflight->initial, size, err);
		return;
	}
	if (reader_open_files(&reader, &config, &ignored) < 0) {
		explain_vars(files, false, err);
		return;
	}
	explain_image(path, reader_image(reader), reader_size(reader), err);
	reader_close(reader);
}

/*
 * A file that gives the flash neither a size nor an address is explained by its
 * contents first: --base does not help a file of another kind.
 */
static int
find_address(struct preflight *preflight, const struct options *options,
	     struct files *files, uint32_t *found, struct error *err)
{
	uint64_t size = 0;
	int ret = find_size(preflight, files, &size, err);

	if (ret < 0)
		return ret;
	ret = find_base(preflight, options, size, err);
	if (ret < 0 && (!is_flash_size(size) || !takes_anything(options)))
		explain_contents(preflight, options, files, (size_t)size, err);
	*found = (uint32_t)size;
	return ret;
}

static int
load_code(struct preflight *preflight, const char *path, struct error *err)
{
	size_t off = 0;
	int ret = identify_firmware(path, &preflight->code,
				    &preflight->code_size, &off, err);

	if (ret < 0)
		return ret;
	return firmware_examine(preflight->code, preflight->code_size,
				&preflight->firmware, err);
}

static void
drop_code(struct preflight *preflight)
{
	free(preflight->code);
	preflight->code = NULL;
	preflight->code_size = 0;
}

void
preflight_take_loaded(struct preflight *preflight, struct transport *t)
{
	struct error *why = &preflight->no_code;
	int ret = loaded_read(t, &preflight->code, &preflight->code_size, why);

	if (ret == 0)
		ret = firmware_examine(preflight->code, preflight->code_size,
				       &preflight->firmware, why);
	if (ret == 0)
		ret = firmware_check_pvh(&preflight->firmware, why);
	preflight->loaded = ret == 0;
	if (ret == 0)
		why->text[0] = '\0';
	else
		drop_code(preflight);
}

static int
check_image(const char *path, const uint8_t *image, size_t size, bool force,
	    struct fv_report *report, struct error *err)
{
	struct identity identity;
	struct error text;

	identify_image(image, size, &identity);
	if (!force && identity_is_known(&identity)) {
		identity_text(&identity, IDENTITY_AS_VARS, &text);
		return error_set(err, EUCLEAN, "%s: %s", path, text.text);
	}
	fv_check(image, size, report);
	for (unsigned int i = 0; i < report->count; i++) {
		const struct fv_finding *finding = &report->findings[i];

		fv_finding_text(finding, &text);
		if (finding->severity == FV_ERROR && !force)
			return error_set(err, EUCLEAN,
					 "%s: %s (--force attaches it anyway)",
					 path, text.text);
		if (finding->severity != FV_NOTE)
			log_line(LOG_WARNING, "%s: %s", path, text.text);
	}
	return 0;
}

static struct store_config
store_of(const struct preflight *preflight, const struct options *options,
	 struct files *files)
{
	return (struct store_config){
		.files = files,
		.size = preflight->geometry.size,
		.read_only = options->read_only,
	};
}

/* Why the firmware would not find these variables, or would erase them. */
static int
find_misfit(const struct preflight *preflight, const struct options *options,
	    struct error *why)
{
	const struct firmware *firmware = &preflight->firmware;
	int ret = fv_build_takes(preflight->code, preflight->code_size,
				 preflight->geometry.size, why);

	if (ret == -EINVAL || options->base_given || !firmware->layout ||
	    firmware->vars_base == preflight->base)
		return ret == -EINVAL ? ret : 0;
	return error_set(why, EINVAL,
			 "the firmware looks for its variables at %#" PRIx64
			 ", not at %#" PRIx64 ": give the address with --base",
			 firmware->vars_base, preflight->base);
}

/*
 * Refuses a firmware for variables of another size or at another address.  The
 * one in the guest's memory, which nobody has named, says nothing about a flash
 * that --base puts at another address.
 */
static int
check_fit(const struct preflight *preflight, const struct options *options,
	  struct error *err)
{
	struct error why;

	if (!preflight->code ||
	    (preflight->loaded && options->base_given &&
	     preflight->base != preflight->firmware.vars_base) ||
	    find_misfit(preflight, options, &why) == 0)
		return 0;
	if (!options->force)
		return error_set(err, EINVAL,
				 "%s, %s: %s (--force attaches it anyway)",
				 options->vars,
				 preflight->loaded ? "the guest's firmware" :
						     options->code,
				 why.text);
	log_line(LOG_WARNING, "%s", why.text);
	return 0;
}

/*
 * Checks that the firmware would accept the image.  The personality `strict` is
 * for other drivers, which may store anything.
 */
static int
check_contents(struct preflight *preflight, const struct options *options,
	       struct files *files, struct error *err)
{
	struct store_config config = store_of(preflight, options, files);
	uint32_t size = preflight->geometry.size;
	struct fv_report report = { .count = 0 };
	struct reader *reader;
	int ret = check_fit(preflight, options, err);

	if (ret < 0)
		return ret;
	if (preflight->initial)
		return options->personality == CFI_STRICT ?
			       0 :
			       check_image(source(preflight, options),
					   preflight->initial, size,
					   options->force, &report, err);
	config.takes_arrived = preflight->takes_arrived;
	ret = reader_open_files(&reader, &config, err);
	if (ret < 0) {
		if (!takes_anything(options))
			explain_vars(files, true, err);
		return ret;
	}
	if (options->personality != CFI_STRICT)
		ret = check_image(options->vars, reader_image(reader), size,
				  options->force, &report, err);
	reader_close(reader);
	preflight->compact = options->compact && !options->read_only &&
			     fv_compact_is_due(&report);
	return ret;
}

/* A guest that restarts may need its file before its last pflashd ended. */
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

int
preflight_load(struct preflight *preflight, const struct options *options,
	       struct files *files, struct error *err)
{
	int ret = 0, fd = files->ops->open(files, FILES_VARS, false);

	*preflight = (struct preflight){ .initial = NULL };
	if (fd >= 0)
		close(fd);
	else if (fd == -ENOENT)
		ret = make_initial(preflight, options, files, err);
	else
		ret = identify_path_error(-fd, files->name[FILES_VARS], err);
	if (ret == 0 && options->code)
		ret = load_code(preflight, options->code, err);
	return ret < 0 ? EXIT_FILE : EXIT_OK;
}

int
preflight_check(struct preflight *preflight, const struct options *options,
		struct files *files, struct error *err)
{
	struct store_config config;
	uint32_t size = 0;
	int ret = 0;

	if (find_address(preflight, options, files, &size, err) < 0)
		return EXIT_FILE;
	if (geometry_parse(&preflight->geometry, size, options->width,
			   options->interleave, options->blocks, err) < 0 ||
	    cfi_check_partition(&preflight->geometry, options->personality,
				(uint32_t)options->partition, err) < 0)
		return EXIT_USAGE;
	config = store_of(preflight, options, files);
	if (!preflight->initial)
		ret = wait_for_lock(&config, options->wait, err);
	if (ret < 0)
		return ret == -EBUSY ? EXIT_BUSY : EXIT_FILE;
	return EXIT_OK;
}

int
preflight_check_contents(struct preflight *preflight,
			 const struct options *options, struct files *files,
			 struct error *err)
{
	return check_contents(preflight, options, files, err) < 0 ? EXIT_FILE :
								    EXIT_OK;
}

int
preflight_check_pvh(const struct preflight *preflight,
		    const struct options *options, struct error *err)
{
	struct error why;

	/* The one in the guest's memory was checked when it was taken. */
	if (!preflight->code || preflight->loaded ||
	    firmware_check_pvh(&preflight->firmware, &why) == 0)
		return EXIT_OK;
	if (!options->force) {
		error_set(err, EINVAL, "%s: %s (--force attaches it anyway)",
			  options->code, why.text);
		return EXIT_FILE;
	}
	log_line(LOG_WARNING, "%s: %s", options->code, why.text);
	return EXIT_OK;
}

void
preflight_free(struct preflight *preflight)
{
	free(preflight->initial);
	drop_code(preflight);
}

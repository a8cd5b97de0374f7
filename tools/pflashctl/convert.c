/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl convert: gives a VARS file the layout of another build of OVMF. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pflash/convert.h"
#include "pflash/statetag.h"
#include "undo.h"

struct converting {
	const char *path; /* of VARS, for messages */
	const struct fv_layout *from, *to;
	int count;              /* of variables converted */
	unsigned int misfits;   /* variables that do not fit */
	struct fv_report after; /* on the new image */
};

/* Names a variable that does not fit. */
static void
print_misfit(void *opaque, const struct fv_misfit *misfit)
{
	struct converting *converting = opaque;
	const struct variable *variable = &misfit->variable;
	char name[CTL_NAME_SIZE], guid[GUID_TEXT_SIZE];
	const char *known = guid_name(variable->guid);

	converting->misfits++;
	ctl_name(variable, name);
	guid_format(variable->guid, guid);
	(void)ctl_fail(0,
		       "%s: %s %s does not fit: it has %u bytes with its "
		       "header and name, %s %u",
		       converting->path, known ? known : guid, name,
		       misfit->size,
		       misfit->too_large ?
			       "the largest variable of the layout has" :
			       "the room left in the store is",
		       misfit->limit);
}

int
convert_check_waiting(const struct store *store, struct error *err)
{
	struct store_state state;
	int ret = store_load_state(store, &state, err);

	if (ret < 0 || !state_tag_needs_image(&state, store_checksum(store)))
		return ret;
	return error_set(err, EINVAL,
			 "%s: not converted: its .state file belongs to a "
			 "guest that was saved, or that runs without its "
			 "pflashd; shut that guest down, or remove the .state "
			 "file, which also removes the protection registers",
			 store_path(store));
}

static int
convert(void *opaque, const struct store *store, uint8_t *image,
	struct error *err)
{
	struct converting *converting = opaque;
	struct error why;
	int ret = convert_check_waiting(store, err);

	if (ret < 0)
		return ret;
	converting->count = fv_convert(store_image(store), store_size(store),
				       converting->to, image, print_misfit,
				       converting, &why);
	if (converting->count < 0)
		return error_set(err, EINVAL, "%s: not converted: %s",
				 converting->path, why.text);
	(void)fv_check(image, converting->to->size, &converting->after);
	return 1;
}

static void
print_result(const struct converting *converting,
	     const struct ctl_options *options, const struct files *files,
	     const char *kept)
{
	const struct fv_report *report = &converting->after;

	printf("converted from layout %s to %s: %d variables, %" PRIu32
	       " bytes used, %" PRIu32 " free\n",
	       converting->from->name, converting->to->name, converting->count,
	       report->used, report->free);
	ctl_print_findings(report);
	printf("the guest now needs a firmware of the layout %s\n",
	       converting->to->name);
	printf("the former file and its history are kept in ");
	ctl_print_word(kept);
	printf(" and its journal\n"
	       "to undo it while the guest is shut down:\n  ");
	undo_print_command(options, files);
}

static int
convert_files(const struct ctl_options *options, struct files *files,
	      struct converting *converting)
{
	struct store_config config = ctl_config(options);
	char suffix[8], *kept;
	struct store_resize resize = {
		.size = converting->to->size,
		.suffix = suffix,
		.edit = convert,
		.opaque = converting,
	};
	struct error err;
	int ret;

	config.files = files;
	(void)snprintf(suffix, sizeof(suffix), ".%s", converting->from->name);
	ret = store_resize(&config, &resize, &kept, &err);
	if (kept)
		print_result(converting, options, files, kept);
	free(kept);
	if (ret < 0 && converting->misfits)
		return CTL_FILE;
	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

/*
 * Converts in memory first, so that a file that cannot be converted is not
 * written, not even by the recovery.
 */
static int
try_first(const struct reader *reader, struct converting *converting)
{
	uint8_t *image = malloc(converting->to->size);
	struct error err;
	int ret;

	if (!image)
		return ctl_fail(CTL_FAILED, "out of memory");
	ret = fv_convert(reader_image(reader), reader_size(reader),
			 converting->to, image, print_misfit, converting, &err);
	free(image);
	if (ret < 0 && !converting->misfits)
		return ctl_fail(CTL_FILE, "%s: not converted: %s",
				converting->path, err.text);
	return ret < 0 ? CTL_FILE : CTL_OK;
}

static int
convert_vars(const struct ctl_options *options, struct files *files,
	     struct converting *converting)
{
	struct store_config config = ctl_config(options);
	struct reader *reader;
	struct error err;
	int code, ret;

	config.files = files;
	ret = undo_interrupted(options, files, &err);
	if (ret >= 0)
		ret = reader_open_files(&reader, &config, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	code = ctl_check_kind(options, reader_image(reader),
			      reader_size(reader), false);
	if (code != CTL_OK) {
		reader_close(reader);
		return code;
	}
	converting->from = fv_layout_by_size(reader_size(reader));
	if (converting->from == converting->to) {
		printf("nothing was changed: the layout is %s already\n",
		       converting->to->name);
		reader_close(reader);
		return CTL_OK;
	}
	code = try_first(reader, converting);
	reader_close(reader);
	return code == CTL_OK ? convert_files(options, files, converting) :
				code;
}

int
ctl_convert(const struct ctl_options *options)
{
	struct converting converting = { .path = options->files[0] };
	struct files *files;
	struct error err;
	int code, ret;

	if (!options->layout == !options->undo)
		return ctl_fail(CTL_USAGE,
				"convert: --layout or --undo, one of them");
	if (options->layout)
		converting.to = fv_layout_by_name(options->layout);
	if (options->layout && !converting.to)
		return ctl_fail(CTL_USAGE,
				"convert: --layout: '%s' is not 2m or 4m",
				options->layout);
	ret = files_find(&files, options->files[0], options->journal, NULL,
			  &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	if (files->place[FILES_VARS].room)
		code = ctl_fail(CTL_FILE,
				"%s: is a complete device, which has one size: "
				"`pflashctl export` its image, convert that "
				"file, and prepare the device with `pflashctl "
				"create --device --reset --template`",
				options->files[0]);
	else if (options->undo)
		code = undo_conversion(options, files);
	else
		code = convert_vars(options, files, &converting);
	files->ops->close(files);
	return code;
}

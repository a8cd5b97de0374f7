/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "pflash/fv.h"
#include "pflash/identify.h"
#include "pflash/load.h"
#include "pflash/text.h"
#include "pflashctl.h"

struct store_config
ctl_config(const struct ctl_options *options)
{
	/* pflashd limits the history: pflashctl drops nothing. */
	static const struct store_history all = { .bytes = UINT64_MAX };

	return (struct store_config){
		.path = options->files[0],
		.journal = options->journal,
		.size = load_flash_size(options->files[0]),
		.history = &all,
	};
}

bool
ctl_is_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

int
ctl_load(const char *path, uint8_t **bytes, size_t *size)
{
	struct error note, err;
	int ret = identify_template(path, bytes, size, &note, &err);

	if (ret < 0)
		return ctl_fail(CTL_FILE, "%s", err.text);
	if (ret > 0)
		puts(note.text);
	return CTL_OK;
}

int
ctl_check_kind(const struct ctl_options *options, const uint8_t *image,
	       size_t size, bool contents)
{
	struct identity identity;
	struct error text;

	identify_image(image, size, &identity);
	if (!identity_is_foreign(&identity) &&
	    !(contents && identity_is_blank(&identity)))
		return CTL_OK;
	identity_text(&identity, IDENTITY_AS_VARS, &text);
	return ctl_fail(CTL_FILE, "%s: %s", options->files[0], text.text);
}

int
ctl_image(const struct reader *reader, bool past, uint64_t sequence,
	  uint8_t **image, struct error *err)
{
	*image = malloc(reader_size(reader));
	if (!*image)
		return error_set(err, ENOMEM, "out of memory");
	if (past)
		return reader_past(reader, sequence, *image, err);
	memcpy(*image, reader_image(reader), reader_size(reader));
	return 0;
}

void
ctl_format_time(uint64_t ns, char *text, size_t room)
{
	time_t seconds = (time_t)(ns / 1000000000u);
	struct tm local;

	if (!localtime_r(&seconds, &local) ||
	    !strftime(text, room, "%Y-%m-%d %H:%M:%S", &local))
		snprintf(text, room, "?");
}

void
ctl_print_word(const char *path)
{
	char *word = text_word(path);

	fputs(word ? word : "?", stdout);
	free(word);
}

void
ctl_print_findings(const struct fv_report *report)
{
	for (unsigned int i = 0; i < report->count; i++) {
		const struct fv_finding *finding = &report->findings[i];
		struct error text;

		fv_finding_text(finding, &text);
		printf("%s: %s: %s\n", fv_severity_name(finding->severity),
		       fv_code_name(finding->code), text.text);
	}
}

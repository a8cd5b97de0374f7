/* SPDX-License-Identifier: BSD-2-Clause */
#include "edit_pins.h"

static int
read_record(struct pins **pins, struct files *files, struct error *err)
{
	int ret = pins_parse(pins, "auto", err);

	return ret < 0 ? ret : pins_read(*pins, files, NULL, err);
}

int
edit_pins_change(struct edit_pins *edit, struct files *files,
		 const struct changes *changes, struct error *err)
{
	struct pins *after = NULL;
	int ret = read_record(&edit->before, files, err);

	edit->files = files;
	if (ret == 0)
		ret = read_record(&after, files, err);
	if (ret == 0)
		ret = pins_host_changes(after, changes, err);
	if (ret == 0 && pins_changed(after)) {
		ret = pins_write(after, files, NULL, err);
	} else {
		pins_free(edit->before);
		edit->before = NULL;
	}
	pins_free(after);
	return ret;
}

void
edit_pins_end(struct edit_pins *edit, bool failed)
{
	if (failed && edit->before)
		(void)pins_write(edit->before, edit->files, NULL, NULL);
	pins_free(edit->before);
	edit->before = NULL;
}

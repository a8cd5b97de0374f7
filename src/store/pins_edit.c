/* SPDX-License-Identifier: BSD-2-Clause */
/* The record of pinned variables while the host changes variables. */
#include "pflash/pins.h"

static int
read_record(struct pins **pins, const struct pins_edit *edit, struct error *err)
{
	int ret = pins_parse(pins, "auto", err);

	return ret < 0 ? ret : pins_read(*pins, edit->files, edit->sys, err);
}

int
pins_edit_change(struct pins_edit *edit, const struct changes *changes,
		 struct error *err)
{
	struct pins *after = NULL;
	int ret = read_record(&edit->before, edit, err);

	if (ret == 0)
		ret = read_record(&after, edit, err);
	if (ret == 0)
		ret = pins_host_changes(after, changes, err);
	if (ret == 0 && pins_changed(after)) {
		ret = pins_write(after, edit->files, edit->sys, err);
	} else {
		pins_free(edit->before);
		edit->before = NULL;
	}
	pins_free(after);
	return ret;
}

void
pins_edit_end(struct pins_edit *edit, bool failed)
{
	if (failed && edit->before)
		(void)pins_write(edit->before, edit->files, edit->sys, NULL);
	pins_free(edit->before);
	edit->before = NULL;
}

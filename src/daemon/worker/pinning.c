/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/pinning.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "pflash/pins.h"
#include "worker/client.h"

/* A line of the log takes LINE units, so that a guest cannot fill the disk. */
#define LINE 10
static const struct limit_config log_limit = { .rate = 1, .burst = 5 * LINE };

/* --- the start --- */

static void
log_pins(const struct pins *pins)
{
	if (pins_active(pins))
		log_line(LOG_INFO, "%zu names of variables are pinned",
			 pins_count(pins));
	else
		log_line(LOG_INFO,
			 "no variable is pinned: the flash has no PK");
}

int
pinning_read(struct flash *flash, struct error *err)
{
	int ret = pins_parse(&flash->pins, flash->options->pin, err);

	limit_init(&flash->refusals, &log_limit, 0, limit_clock());
	if (ret == 0 && flash->pins)
		ret = pins_read(flash->pins, flash->files, NULL, err);
	return ret;
}

int
pinning_start(struct flash *flash, const struct store_config *config,
	      struct error *err)
{
	int ret = pins_restore(flash->pins, &flash->store, config, err);

	if (ret < 0)
		return ret;
	if (ret > 0)
		log_line(LOG_WARNING, "the pinned variables did not have the "
				      "values of the host, and have them again "
				      "(`pflashctl log` lists the changes)");
	log_pins(flash->pins);
	if (!pins_active(flash->pins)) {
		store_unpin(flash->store);
		pins_free(flash->pins);
		flash->pins = NULL;
	}
	return 0;
}

int
pinning_continue(struct flash *flash, struct error *err)
{
	int ret = pins_continue(flash->pins, store_image(flash->store),
				store_size(flash->store), err);

	if (ret > 0)
		return error_set(
			err, EINVAL,
			"%s: the pinned variables do not have the "
			"values of the host; they get them at the next "
			"start of a guest that has not run, without "
			"--read-only",
			store_path(flash->store));
	if (ret == 0)
		log_pins(flash->pins);
	return ret;
}

/* --- refusals --- */

static void
pause_guest(void)
{
	int ret = client_pause_for_admin();

	if (ret < 0)
		log_line(LOG_ERR, "the guest could not be paused: %s",
			 strerror(-ret));
	else
		log_line(LOG_ERR, "the guest is paused: `xl unpause` "
				  "continues it");
}

void
pinning_refused(void *opaque, const char *why)
{
	struct flash *flash = opaque;
	struct limit *limit = &flash->refusals;

	if (limit_allows(limit, limit->used, limit_clock())) {
		log_line(LOG_WARNING,
			 "refused a write to a pinned variable: %s (%" PRIu64
			 " so far)",
			 why, store_stats(flash->store)->refused);
		(void)limit_allows(limit, limit->used + LINE, limit_clock());
	}
	flash_report(flash);
	if (flash->options->pause_on_pin)
		pause_guest();
}

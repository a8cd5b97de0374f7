/* SPDX-License-Identifier: BSD-2-Clause */
#include "flash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "log.h"
#include "pflash/xen.h"
#include "reset.h"

#define MAX_CODE (16u << 20)

/* What a new VARS file begins with; size 0 if it is there already. */
struct initial {
	uint8_t *image;
	size_t size;
};

static int
initial_image(struct initial *initial, const struct options *options,
	      struct error *err)
{
	if (options->template)
		return file_load(options->template, STORE_MAX_SIZE,
				 &initial->image, &initial->size, err);
	if (!options->layout)
		return error_set(err, ENOENT,
				 "%s: does not exist, and neither "
				 "--template nor --layout says what to begin "
				 "with",
				 options->vars);
	initial->image = malloc(options->layout->size);
	if (!initial->image)
		return error_set(err, ENOMEM, "out of memory");
	initial->size = options->layout->size;
	fv_format(options->layout, initial->image);
	return 0;
}

/* The size VARS has or will have, without touching it. */
static int
find_size(const struct options *options, struct initial *initial,
	  uint64_t *size, struct error *err)
{
	struct stat st;
	int ret;

	if (stat(options->vars, &st) == 0) {
		*size = (uint64_t)st.st_size;
		return 0;
	}
	if (errno != ENOENT)
		return error_errno(err, errno, "%s", options->vars);
	ret = initial_image(initial, options, err);
	*size = initial->size;
	return ret;
}

/* `path` is the file whose size it is. */
static int
find_base(const struct options *options, const char *path, uint64_t size,
	  uint64_t *base, struct error *err)
{
	const struct fv_layout *layout = fv_layout_by_size(size);

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
	*base = options->base_given ? options->base : layout->base;
	return 0;
}

static int
connect_store(struct flash *flash, const struct options *options,
	      const struct initial *initial, struct error *err)
{
	const struct store_config config = {
		.path = options->vars,
		.journal = options->journal,
		.size = flash->size,
		.read_only = options->read_only,
		.history = &options->history,
		.sync = options->sync,
	};
	struct store_recovery found = { 0 };
	int ret = 0;

	if (initial->image) {
		ret = store_create(NULL, options->vars, initial->image,
				   initial->size, err);
		if (ret == 0)
			log_line(LOG_INFO, "created");
	}
	if (ret == 0)
		ret = store_open(&flash->store, &config, &found, err);
	if (ret < 0)
		return ret;
	if (found.bursts)
		log_line(LOG_NOTICE,
			 "recovered %" PRIu64 " bursts from the "
			 "journal",
			 found.bursts);
	if (found.dropped_bytes)
		log_line(LOG_WARNING,
			 "dropped a torn tail of %" PRIu64
			 " bytes from the journal",
			 found.dropped_bytes);
	return device_connect(flash->device, flash->store, err);
}

/* The code must not come to lie where the flash is. */
static int
install_code(struct flash *flash, const uint8_t *code, size_t size,
	     uint64_t flash_end, struct error *err)
{
	uint64_t base = WINDOW_HOLE_LAST + 1 - size;

	if (base < flash_end)
		return error_set(err, EINVAL,
				 "the firmware's code from %#" PRIx64
				 " on and the flash up to %#" PRIx64 " overlap",
				 base, flash_end - 1);
	return window_install_code(flash->transport, code, size, err);
}

static int
attach_code(struct flash *flash, const char *path, uint64_t flash_end,
	    struct error *err)
{
	size_t size = 0, off = 0;
	uint8_t *code;
	int exit_code = EXIT_OK;

	if (file_load(path, MAX_CODE, &code, &size, err) < 0)
		return EXIT_FILE;
	if (size % FRAME_SIZE) {
		error_set(err, EINVAL,
			  "%s: %zu bytes is no firmware image: a "
			  "multiple of %u was expected",
			  path, size, FRAME_SIZE);
		exit_code = EXIT_FILE;
	} else if (fv_find_sec(code, size, &off, err) < 0) {
		error_set(err, EINVAL, "%s: no firmware volume at its end",
			  path);
		exit_code = EXIT_FILE;
	}
	off &= ~(size_t)(FRAME_SIZE - 1);
	if (exit_code == EXIT_OK &&
	    install_code(flash, code + off, size - off, flash_end, err) < 0)
		exit_code = EXIT_DOMAIN;
	free(code);
	return exit_code;
}

static void
set_context(struct flash *flash, const struct options *options)
{
	char text[256];

	snprintf(text, sizeof(text), "%s (%" PRIu32 "), %s",
		 domain_name(flash->domain), domain_id(flash->domain),
		 options->vars);
	log_context(text);
}

static int
attach_domain(struct flash *flash, const struct options *options,
	      struct error *err)
{
	int ret = domain_open(&flash->domain, options->domain, err);

	if (ret == 0) {
		set_context(flash, options);
		ret = xen_transport_open(&flash->transport,
					 domain_id(flash->domain), err);
	}
	if (ret == 0)
		ret = ioreq_server_open(&flash->server, flash->transport, err);
	return ret;
}

/* Before the guest's answer: it is said once, and the chip tells the guest. */
static void
on_failure(void *opaque)
{
	struct flash *flash = opaque;
	int ret;

	log_line(LOG_ERR, "%s; the flash is read-only from now on",
		 store_failure(flash->store));
	if (!flash->pause)
		return;
	ret = flash->transport->ops->pause(flash->transport);
	if (ret < 0)
		log_line(LOG_ERR, "the guest could not be paused: %s",
			 strerror(-ret));
	else
		log_line(LOG_ERR, "the guest is paused: make room or repair, "
				  "start pflashd again, then `xl unpause`");
}

static int
attach_device(struct flash *flash, const struct options *options, uint64_t base,
	      const struct geometry *geometry, struct error *err)
{
	struct device_config config = {
		.base = base,
		.geometry = *geometry,
		.show_busy = options->sync == STORE_SYNC_OP,
		.failed = on_failure,
		.opaque = flash,
		.mode = options->mode,
		.personality = options->personality,
	};
	struct error note;
	int ret;

	domain_life(flash->domain, config.life, sizeof(config.life));
	ret = device_open(&flash->device, flash->server, flash->transport,
			  &config, &note, err);

	if (ret < 0)
		return ret;
	flash->trap_reason = note;
	if (domain_is_pvh(flash->domain))
		ret = reset_add(flash->server, flash->transport, err);
	return ret;
}

static void
log_attached(const struct flash *flash, uint64_t base)
{
	if (flash->trap_reason.text[0])
		log_line(LOG_NOTICE, "reads are trapped: %s",
			 flash->trap_reason.text);
	if (!domain_is_pvh(flash->domain))
		log_line(LOG_WARNING,
			 "not a PVH guest: hvmloader puts memory "
			 "over a flash inside the firmware's image, and the "
			 "firmware will not find it");
	log_line(LOG_INFO, "%u bytes at %#" PRIx64 ", %s mode",
		 store_size(flash->store), base,
		 device_mode(flash->device) == WINDOW_DIRECT ? "direct" :
							       "trap");
}

/* Files are looked at first, then Xen is asked; the disk is changed last. */
static int
attach(struct flash *flash, const struct options *options,
       struct initial *initial, struct error *err)
{
	uint64_t size = 0, base = 0;
	struct geometry geometry;
	int code, ret;

	flash->pause = options->pause;
	if (find_size(options, initial, &size, err) < 0 ||
	    find_base(options,
		      initial->size && options->template ? options->template :
							   options->vars,
		      size, &base, err) < 0)
		return EXIT_FILE;
	if (geometry_parse(&geometry, (uint32_t)size, options->width,
			   options->interleave, options->blocks, err) < 0)
		return EXIT_USAGE;
	ret = initial->size ? 0 :
			      store_check_free(
				      &(struct store_config){
					      .path = options->vars,
					      .journal = options->journal,
					      .size = (uint32_t)size,
					      .read_only = options->read_only,
				      },
				      err);
	if (ret < 0)
		return ret == -EBUSY ? EXIT_BUSY : EXIT_FILE;
	if (attach_domain(flash, options, err) < 0 ||
	    attach_device(flash, options, base, &geometry, err) < 0)
		return EXIT_DOMAIN;
	if (options->code) {
		code = attach_code(flash, options->code, base + size, err);
		if (code != EXIT_OK)
			return code;
	}
	ret = connect_store(flash, options, initial, err);
	if (ret < 0)
		return ret == -EBUSY ? EXIT_BUSY : EXIT_FILE;
	if (ioreq_server_start(flash->server, err) < 0)
		return EXIT_DOMAIN;
	flash->started = true;
	log_attached(flash, base);
	return EXIT_OK;
}

int
flash_attach(struct flash *flash, const struct options *options,
	     struct error *err)
{
	struct initial initial = { NULL, 0 };
	int code = attach(flash, options, &initial, err);

	free(initial.image);
	return code;
}

int
flash_detach(struct flash *flash)
{
	struct transport *t = flash->transport;
	struct error err;
	int ret = 0;

	/* A guest that lives on may find another server. */
	if (flash->device &&
	    device_close(flash->device, flash->started && t->ops->alive(t),
			 &err) < 0)
		log_line(LOG_ERR, "the flash's state is lost: %s", err.text);
	if (flash->server)
		ioreq_server_close(flash->server);
	if (t)
		t->ops->close(t);
	if (flash->store)
		ret = store_close(flash->store);
	if (flash->domain)
		domain_close(flash->domain);
	return ret;
}

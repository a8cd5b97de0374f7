/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pflash/fv.h"
#include "pflash/varstore.h"
#include "pflashctl.h"

/* A device is larger than the flash on it, whose volume knows its length. */
static uint32_t
device_size(const char *path)
{
	uint8_t start[FV_BLOCK_SIZE];
	struct stat st;
	uint64_t length = 0;
	int fd;

	if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && pread(fd, start, sizeof(start), 0) == sizeof(start))
		length = fv_length(start, sizeof(start));
	if (fd >= 0)
		close(fd);
	return length <= STORE_MAX_SIZE ? (uint32_t)length : 0;
}

struct store_config
ctl_config(const struct ctl_options *options)
{
	/* How much history is kept is pflashd's to say: nothing is dropped. */
	static const struct store_history all = { .bytes = UINT64_MAX };

	return (struct store_config){
		.path = options->files[0],
		.journal = options->journal,
		.size = device_size(options->files[0]),
		.history = &all,
		.burst_limit = STORE_MAX_SIZE,
	};
}

int
ctl_load(const char *path, uint8_t **bytes, size_t *size)
{
	size_t room = STORE_MAX_SIZE + 1, n;
	FILE *file = fopen(path, "re");

	*bytes = malloc(room);
	*size = 0;
	if (!file || !*bytes) {
		int error = file ? ENOMEM : errno;

		if (file)
			fclose(file);
		return ctl_fail(CTL_FILE, "%s: %s", path, strerror(error));
	}
	while ((n = fread(*bytes + *size, 1, room - *size, file)) > 0)
		*size += n;
	if (ferror(file) || *size == room) {
		fclose(file);
		return ctl_fail(CTL_FILE, "%s: cannot be read, or is too large",
				path);
	}
	fclose(file);
	return CTL_OK;
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

/* Nothing is left half done: it is one burst, or it is not there. */
int
ctl_replace(const struct ctl_options *options, const uint8_t *image,
	    size_t size)
{
	const struct store_config config = ctl_config(options);
	struct store *store;
	struct error err;
	int ret = store_open(&store, &config, NULL, &err);

	if (ret < 0)
		return ctl_refused(ret, &err);
	if (size != store_size(store)) {
		store_close(store);
		return ctl_fail(CTL_FILE, "%s: has %u bytes, not %zu",
				options->files[0], store_size(store), size);
	}
	ret = store_replace(store, image);
	if (ret == 0)
		ret = store_commit(store);
	if (ret < 0)
		error_set(&err, -ret, "%s", store_failure(store));
	if (store_close(store) < 0 && ret == 0)
		ret = error_set(&err, EIO,
				"%s: could not be brought up to "
				"date; its journal has it all",
				options->files[0]);
	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

struct printing {
	const char *indent;
	unsigned int count;
};

static int
print_change(void *opaque, enum varstore_change change,
	     const struct variable *old, const struct variable *new)
{
	static const char signs[] = {
		[VARSTORE_REMOVED] = '-',
		[VARSTORE_CHANGED] = '~',
		[VARSTORE_ADDED] = '+',
	};
	struct printing *printing = opaque;
	const struct variable *variable = change == VARSTORE_REMOVED ? old :
								       new;
	char name[256], guid[GUID_TEXT_SIZE];
	const char *known = guid_name(variable->guid);

	variable_name(variable, name, sizeof(name));
	guid_format(variable->guid, guid);
	printf("%s%c %s %s", printing->indent, signs[change],
	       known ? known : guid, name);
	if (change == VARSTORE_CHANGED)
		printf(", %u to %u bytes\n", old->data_size, new->data_size);
	else
		printf(", %u bytes\n", variable->data_size);
	printing->count++;
	return 0;
}

unsigned int
ctl_print_changes(const char *indent, const uint8_t *from, const uint8_t *to,
		  size_t size)
{
	struct printing printing = { .indent = indent };
	struct varstore old, new;
	struct error err;

	if (varstore_open(&old, from, size, &err) == 0 &&
	    varstore_open(&new, to, size, &err) == 0)
		(void)varstore_diff(&old, &new, print_change, &printing);
	return printing.count;
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

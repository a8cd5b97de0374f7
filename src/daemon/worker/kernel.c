/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pflash/sys.h"

#define FILE_MOST (1u << 20)
#define DEPTH_MOST 32
#define UUID_LENGTH 36u

/* The UUID of "/vm/UUID".  NULL: it is none. */
static const char *
uuid_of(const struct guest *guest)
{
	const char *uuid = strrchr(guest->uuid, '/');

	uuid = uuid ? uuid + 1 : guest->uuid;
	return strlen(uuid) == UUID_LENGTH &&
			       strspn(uuid, "0123456789abcdef-") ==
				       UUID_LENGTH ?
		       uuid :
		       NULL;
}

static int
check_file(int fd, const char *name, size_t *size, struct error *err)
{
	struct stat st;

	if (sys_kernel.fstat(fd, &st) < 0)
		return error_errno(err, errno, "%s", name);
	if (!S_ISREG(st.st_mode) ||
	    (st.st_uid != 0 && st.st_uid != geteuid()) ||
	    st.st_mode & (S_IWGRP | S_IWOTH) || st.st_size > FILE_MOST)
		return error_set(err, EINVAL,
				 "%s is not a small file that only its owner, "
				 "root, may write",
				 name);
	*size = (size_t)st.st_size;
	return 0;
}

/* Reads the file into *text, which the caller frees. */
static int
read_file(const char *name, char **text, size_t *size, struct error *err)
{
	int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;
	int ret;

	if (fd < 0)
		return error_errno(err, errno, "%s", name);
	ret = check_file(fd, name, size, err);
	*text = ret == 0 ? malloc(*size + 1) : NULL;
	if (ret == 0 && !*text)
		ret = error_set(err, ENOMEM, "out of memory");
	if (ret == 0) {
		n = pread(fd, *text, *size, 0);
		if (n < 0)
			ret = error_errno(err, errno, "%s", name);
		else
			*size = (size_t)n;
	}
	close(fd);
	return ret;
}

/* The string b_info.kernel, which the object owns; NULL: there is none. */
static const char *
kernel_of(struct json_object *root)
{
	struct json_object *info, *kernel;
	const char *text;

	if (!json_object_is_type(root, json_type_object) ||
	    !json_object_object_get_ex(root, "b_info", &info) ||
	    !json_object_is_type(info, json_type_object) ||
	    !json_object_object_get_ex(info, "kernel", &kernel) ||
	    !json_object_is_type(kernel, json_type_string))
		return NULL;
	text = json_object_get_string(kernel);
	/* A path has no NUL. */
	return strlen(text) == (size_t)json_object_get_string_len(kernel) ?
		       text :
		       NULL;
}

static struct json_object *
parse(const char *text, size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MOST);
	struct json_object *root;

	if (!tokener)
		return NULL;
	root = json_tokener_parse_ex(tokener, text, (int)size);
	if (json_tokener_get_error(tokener) != json_tokener_success) {
		json_object_put(root);
		root = NULL;
	}
	json_tokener_free(tokener);
	return root;
}

static int
find_kernel(const char *name, const char *text, size_t size, char **path,
	    struct error *err)
{
	struct json_object *root = parse(text, size);
	const char *kernel;
	int ret = 0;

	if (!root)
		return error_set(err, EINVAL, "%s is not JSON", name);
	kernel = kernel_of(root);
	if (!kernel || !*kernel)
		ret = error_set(err, ENOENT, "%s names no kernel", name);
	else if (*kernel != '/')
		ret = error_set(err, EINVAL,
				"the kernel of %s is not an absolute path",
				name);
	else if (!(*path = strdup(kernel)))
		ret = error_set(err, ENOMEM, "out of memory");
	json_object_put(root);
	return ret;
}

int
kernel_find(const struct guest *guest, const char *directory, char **path,
	    struct error *err)
{
	const char *uuid = uuid_of(guest);
	char name[256], *text = NULL;
	size_t size = 0;
	int ret;

	*path = NULL;
	if (!uuid)
		return error_set(err, ENOENT, "the guest has no UUID");
	(void)snprintf(name, sizeof(name),
		       "%s/userdata-d.%" PRIu32 ".%s.libxl-json", directory,
		       guest->id, uuid);
	ret = read_file(name, &text, &size, err);
	if (ret == 0)
		ret = find_kernel(name, text, size, path, err);
	free(text);
	return ret;
}

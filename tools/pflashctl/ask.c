/* SPDX-License-Identifier: BSD-2-Clause */
#include "ask.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "pflash/control.h"

#define FIRST_RESERVED 0x7ff0 /* DOMID_FIRST_RESERVED, Xen's public/xen.h */
#define RETRY_MS 20 /* after a full backlog, or without a free descriptor */

static const char *ask_root = "";

void
ask_set_root(const char *root)
{
	ask_root = root;
}

bool
ask_domain(const char *text, size_t len, uint32_t *domain)
{
	if (len == 0 || len > 5 || (text[0] == '0' && len > 1))
		return false;
	*domain = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*domain = *domain * 10 + (uint32_t)(text[i] - '0');
	}
	return *domain < FIRST_RESERVED;
}

int64_t
ask_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
add_guest(struct guests *guests, uint32_t domain, struct error *err)
{
	struct guest *all = reallocarray(guests->all, guests->count + 1,
					 sizeof(*all));

	if (!all)
		return error_set(err, ENOMEM, "out of memory");
	guests->all = all;
	all[guests->count++] = (struct guest){ .domain = domain, .fd = -1 };
	return 0;
}

int
guests_one(struct guests *guests, uint32_t domain, struct error *err)
{
	*guests = (struct guests){ .count = 0 };
	return add_guest(guests, domain, err);
}

static int
by_domain(const void *a, const void *b)
{
	const struct guest *left = a, *right = b;

	return (left->domain > right->domain) - (left->domain < right->domain);
}

int
guests_find(struct guests *guests, struct error *err)
{
	static const char end[] = ".sock";
	char path[PATH_MAX];
	DIR *directory;
	struct dirent *entry;
	int ret = 0;

	*guests = (struct guests){ .count = 0 };
	(void)snprintf(path, sizeof(path), "%s" PFLASH_RUN_DIR, ask_root);
	directory = opendir(path);
	if (!directory && errno == ENOENT)
		return 0;
	if (!directory)
		return error_errno(err, errno, "%s", path);
	while (ret == 0 && (entry = readdir(directory))) {
		size_t len = strlen(entry->d_name);
		uint32_t domain;

		if (len >= sizeof(end) &&
		    strcmp(entry->d_name + len - strlen(end), end) == 0 &&
		    ask_domain(entry->d_name, len - strlen(end), &domain))
			ret = add_guest(guests, domain, err);
	}
	closedir(directory);
	if (guests->count)
		qsort(guests->all, guests->count, sizeof(*guests->all),
		      by_domain);
	return ret;
}

static void
disconnect(struct guest *guest)
{
	if (guest->fd >= 0)
		close(guest->fd);
	free(guest->bytes);
	guest->fd = -1;
	guest->bytes = NULL;
}

void
guests_close(struct guests *guests)
{
	for (size_t i = 0; i < guests->count; i++) {
		disconnect(&guests->all[i]);
		answer_close(&guests->all[i].answer);
	}
	free(guests->all);
	*guests = (struct guests){ .count = 0 };
}

static void
end(struct guest *guest, enum ask_state state)
{
	disconnect(guest);
	guest->state = state;
}

/* The kernel recorded these credentials when the process called listen(). */
static int
check_peer(struct guest *guest)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(guest->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return error_errno(&guest->why, errno, "SO_PEERCRED");
	if (peer.uid != 0 && peer.uid != geteuid())
		return error_set(&guest->why, EPERM,
				 "belongs to user %u, not to root or to this "
				 "user: ignored",
				 (unsigned int)peer.uid);
	guest->pid = peer.pid;
	return 0;
}

/* 0, or -errno: -EAGAIN to try it again, -ENOENT if there is no socket. */
static int
connect_socket(struct guest *guest)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;

	if (snprintf(address.sun_path, sizeof(address.sun_path),
		     "%s" PFLASH_RUN_DIR "/%" PRIu32 ".sock", ask_root,
		     guest->domain) >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	if (lstat(address.sun_path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOENT;
	guest->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			   0);
	if (guest->fd < 0)
		return errno == EMFILE || errno == ENFILE ? -EAGAIN : -errno;
	if (connect(guest->fd, (const struct sockaddr *)&address,
		    sizeof(address)) < 0)
		return -errno;
	return 0;
}

static void
give_up(struct guest *guest, int error)
{
	if (error == ENOENT)
		error_set(&guest->why, error, "does not exist");
	else if (error == ECONNREFUSED)
		error_set(&guest->why, error,
			  "no process listens: its pflashd was killed");
	else
		error_set(&guest->why, error, "%s", strerror(error));
	end(guest, error == ENOENT ? ASK_ABSENT : ASK_FAILED);
}

static void
start(struct guest *guest, const char *line)
{
	int ret = connect_socket(guest);

	if (ret == -EAGAIN) {
		disconnect(guest);
		return;
	}
	if (ret < 0) {
		give_up(guest, -ret);
		return;
	}
	guest->bytes = malloc(CONTROL_ANSWER + 1);
	if (!guest->bytes) {
		give_up(guest, ENOMEM);
	} else if (check_peer(guest) < 0) {
		end(guest, ASK_FAILED);
	} else {
		/* A pflashd before 0.1 answers without reading the line. */
		(void)send(guest->fd, line, strlen(line), MSG_NOSIGNAL);
		guest->state = ASK_CONNECTED;
	}
}

int
ask_connect(struct guest *guest, const char *line, int64_t deadline)
{
	start(guest, line);
	while (guest->state == ASK_UNCONNECTED && ask_clock() < deadline) {
		(void)poll(NULL, 0, RETRY_MS);
		start(guest, line);
	}
	if (guest->state == ASK_CONNECTED)
		return 0;
	return guest->state == ASK_UNCONNECTED ?
		       error_set(&guest->why, ETIMEDOUT, "does not answer") :
		       -ECONNREFUSED;
}

static void
finish(struct guest *guest)
{
	int ret;

	if (guest->len == 0) {
		error_set(&guest->why, ECONNRESET,
			  "closed the connection without an answer");
		end(guest, ASK_CLOSED);
		return;
	}
	ret = answer_read(&guest->answer, guest->domain, guest->pid,
			  guest->bytes, guest->len, &guest->why);
	end(guest, ret < 0 ? ASK_FAILED : ASK_ANSWERED);
}

/* A peer that closes without having read the line causes ECONNRESET. */
static void
receive(struct guest *guest)
{
	ssize_t n = recv(guest->fd, guest->bytes + guest->len,
			 CONTROL_ANSWER + 1 - guest->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 0 || (n < 0 && errno == ECONNRESET)) {
		finish(guest);
		return;
	}
	if (n < 0) {
		give_up(guest, errno);
		return;
	}
	guest->len += (size_t)n;
	if (guest->len <= CONTROL_ANSWER)
		return;
	error_set(&guest->why, EMSGSIZE, "its answer exceeds %d bytes",
		  CONTROL_ANSWER);
	end(guest, ASK_FAILED);
}

/*
 * Connects to the guests without a connection, and fills `fds` for poll().
 * Sets *later if a connection must be tried again.
 */
static size_t
start_all(struct guests *guests, const char *line, struct pollfd *fds,
	  bool *later)
{
	size_t count = 0;

	*later = false;
	for (size_t i = 0; i < guests->count; i++) {
		struct guest *guest = &guests->all[i];

		if (guest->state == ASK_UNCONNECTED)
			start(guest, line);
		if (guest->state == ASK_UNCONNECTED)
			*later = true;
		else if (guest->state == ASK_CONNECTED)
			fds[count++] = (struct pollfd){ .fd = guest->fd,
							.events = POLLIN };
	}
	return count;
}

static void
receive_all(struct guests *guests, const struct pollfd *fds)
{
	for (size_t i = 0, k = 0; i < guests->count; i++)
		if (guests->all[i].state == ASK_CONNECTED && fds[k++].revents)
			receive(&guests->all[i]);
}

static void
time_out(struct guests *guests, int64_t began)
{
	int64_t seconds = (ask_clock() - began + 500) / 1000;

	for (size_t i = 0; i < guests->count; i++) {
		struct guest *guest = &guests->all[i];

		if (guest->state > ASK_CONNECTED)
			continue;
		error_set(&guest->why, ETIMEDOUT,
			  "no %sanswer within %" PRId64 " seconds",
			  guest->len ? "complete " : "", seconds);
		end(guest, ASK_FAILED);
	}
}

/* Each guest needs a descriptor. */
static void
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void
ask(struct guests *guests, const char *line, int64_t deadline)
{
	struct pollfd *fds = calloc(guests->count + 1, sizeof(*fds));
	int64_t began = ask_clock(), left;

	raise_limit();
	while (fds && (left = deadline - ask_clock()) > 0) {
		bool later;
		size_t count = start_all(guests, line, fds, &later);

		if (count == 0 && !later)
			break;
		if (later && left > RETRY_MS)
			left = RETRY_MS;
		if (poll(fds, count, (int)left) > 0)
			receive_all(guests, fds);
	}
	free(fds);
	time_out(guests, began);
}

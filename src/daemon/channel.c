/* SPDX-License-Identifier: BSD-2-Clause */
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union passing {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int
channel_send(int fd, const void *message, uint32_t size, int passed)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)message,
			      .iov_len = size };
	union passing control = { .bytes = { 0 } };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (passed >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &passed, sizeof(int));
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
	}
	do
		sent = sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

static int
passed_of(struct msghdr *header)
{
	const struct cmsghdr *control = CMSG_FIRSTHDR(header);
	int passed = -1;

	if (control && control->cmsg_level == SOL_SOCKET &&
	    control->cmsg_type == SCM_RIGHTS &&
	    control->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&passed, CMSG_DATA(control), sizeof(int));
	return passed;
}

/*
 * The kernel installs as many descriptors as there is room for, and CMSG_SPACE
 * has room for two.  With the exact length there is room for one, or none.
 */
int
channel_receive(int fd, void *message, uint32_t size, int *passed)
{
	struct iovec part = { .iov_base = message, .iov_len = size };
	union passing control = { .bytes = { 0 } };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	int came = -1;
	ssize_t got;

	if (passed) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_LEN(sizeof(int));
		*passed = -1;
	}
	do
		got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got < 0 ? -errno : 0;
	if (passed)
		came = passed_of(&header);
	if ((size_t)got != size ||
	    header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		if (came >= 0)
			close(came);
		return -EBADMSG;
	}
	if (passed)
		*passed = came;
	return 1;
}

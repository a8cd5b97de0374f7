/* SPDX-License-Identifier: BSD-2-Clause */
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control_buffer {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int
channel_send(int fd, const void *message, uint32_t size, int fd_out)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)message,
			      .iov_len = size };
	union control_buffer control = { .bytes = { 0 } };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (fd_out >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd_out, sizeof(int));
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
	}
	do
		sent = sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* The descriptor that a received message carries, or -1. */
static int
received_fd(struct msghdr *header)
{
	const struct cmsghdr *control = CMSG_FIRSTHDR(header);
	int fd = -1;

	if (control && control->cmsg_level == SOL_SOCKET &&
	    control->cmsg_type == SCM_RIGHTS &&
	    control->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(control), sizeof(int));
	return fd;
}

/*
 * The kernel installs as many received descriptors as the control buffer can
 * hold, and CMSG_SPACE(sizeof(int)) is large enough for two.  The exact length,
 * CMSG_LEN, admits one descriptor; without a buffer the kernel installs none.
 */
int
channel_receive(int fd, void *message, uint32_t size, int *fd_in)
{
	struct iovec part = { .iov_base = message, .iov_len = size };
	union control_buffer control = { .bytes = { 0 } };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	int received = -1;
	ssize_t got;

	if (fd_in) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_LEN(sizeof(int));
		*fd_in = -1;
	}
	do
		got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got < 0 ? -errno : 0;
	if (fd_in)
		received = received_fd(&header);
	if ((size_t)got != size ||
	    header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		if (received >= 0)
			close(received);
		return -EBADMSG;
	}
	if (fd_in)
		*fd_in = received;
	return 1;
}

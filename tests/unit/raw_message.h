/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages that channel_send() cannot send: of any size, with descriptors. */
#ifndef RAW_MESSAGE_H
#define RAW_MESSAGE_H

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define RAW_DESCRIPTORS 8u /* at most */

/*
 * Sends `size` bytes, and `count` times the descriptor of standard input, as
 * one message.  The result of sendmsg(2).
 */
static inline ssize_t
send_raw(int socket, const void *bytes, size_t size, unsigned int count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(RAW_DESCRIPTORS * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { (void *)(uintptr_t)bytes, size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	size_t fds = count * sizeof(int);

	if (count > 0) {
		/* The data is all zero, and STDIN_FILENO is 0. */
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fds);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(fds);
	}
	return sendmsg(socket, &message, 0);
}

#endif

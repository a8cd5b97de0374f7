/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Persistent reservations of SCSI-3 (SPC-4, 5.13).  A write of a host without a
 * registration fails with EBADE, but a write through the page cache loses that
 * code: fdatasync(2) returns EIO.  So the disk is asked before the first write.
 * No command tells a host whether it is registered itself.  The registration of
 * no key with no key is an answer: it succeeds, and changes nothing, for a host
 * that is not registered; it is a conflict for a host that is.
 */
#include "pflash/sys.h"

#include <scsi/sg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#define RESERVE_IN 0x5e
#define RESERVE_OUT 0x5f
#define READ_RESERVATION 0x01
#define REGISTER 0x00
#define DATA 24       /* of a reservation, and of a registration */
#define HELD_LENGTH 7 /* offset of the length of a reservation, low byte */

#define TIMEOUT_MS 10000u
#define TRIES 3

enum status {
	STATUS_GOOD = 0x00,
	STATUS_CHECK = 0x02, /* also once after an event: ask again */
	STATUS_NONE = 0xff,  /* the command was not executed */
};

static enum status
execute(int fd, uint8_t opcode, uint8_t action, uint8_t data[DATA])
{
	uint8_t command[10] = { opcode, action, [8] = DATA }, sense[32];
	struct sg_io_hdr io = {
		.interface_id = 'S',
		.dxfer_direction = opcode == RESERVE_IN ? SG_DXFER_FROM_DEV :
							  SG_DXFER_TO_DEV,
		.cmd_len = sizeof(command),
		.mx_sb_len = sizeof(sense),
		.dxfer_len = DATA,
		.dxferp = data,
		.cmdp = command,
		.sbp = sense,
		.timeout = TIMEOUT_MS,
	};

	if (ioctl(fd, SG_IO, &io) < 0 || io.host_status)
		return STATUS_NONE;
	return (enum status)io.status;
}

static bool
succeeds(int fd, uint8_t opcode, uint8_t action, uint8_t data[DATA])
{
	enum status status = STATUS_CHECK;

	for (int i = 0; i < TRIES && status == STATUS_CHECK; i++) {
		memset(data, 0, DATA);
		status = execute(fd, opcode, action, data);
	}
	return status == STATUS_GOOD;
}

bool
sys_reserved(int fd)
{
	uint8_t data[DATA];

	return succeeds(fd, RESERVE_IN, READ_RESERVATION, data) &&
	       data[HELD_LENGTH] &&
	       succeeds(fd, RESERVE_OUT, REGISTER, data);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the Intel/Sharp extended set that the guest uses, and the
 * area of a 128 KiB image that it writes to.
 */
#ifndef LAB_GUEST_CHIP_H
#define LAB_GUEST_CHIP_H

#define CMD_PROGRAM 0x10
#define CMD_PROGRAM_ALT 0x40
#define CMD_ERASE 0x20
#define CMD_LOCK_BLOCK 0x01
#define CMD_LOCK_SETUP 0x60
#define CMD_SUSPEND 0xb0
#define CMD_BUFFER 0xe8
#define CMD_CLEAR_STATUS 0x50
#define CMD_READ_STATUS 0x70
#define CMD_READ_ID 0x90
#define CMD_CFI_QUERY 0x98
#define CMD_CONFIRM 0xd0
#define CMD_READ_ARRAY 0xff

#define FLASH_SIZE 0x20000u
#define SPARE 0x10000u
#define SPARE_SIZE 0x10000u

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest as firmware: 2 MiB, as large as OVMF, so that the flash lies over
 * its beginning. hvmloader copies it to the last 2 MiB below 4 GiB and its
 * last 64 KiB to 0xf0000, and enters it like a processor after a reset. Like
 * OVMF it continues in low memory and reads QEMU's fw_cfg. Then it enters the
 * guest by the PVH entry (start.S).
 *
 * The first 256 bytes of the last 64 KiB are the command line; to set it: dd
 * seek=7936 bs=256 conv=notrunc.
 */

#define ROM 0xffe00000
#define ROM_SIZE 0x200000
#define GUEST 0x100000
#define LOW 0xf0000
#define LOW_SIZE 0x10000
#define LINE_SIZE 256
#define FW_CFG 0x510
#define START_MAGIC 0x336ec578	/* XEN_HVM_START_MAGIC_VALUE */

	.section .rom, "ax"
rom:
	.skip GUEST
guest:
	.incbin ROM_IMAGE
guest_end:
	.org ROM_SIZE - LOW_SIZE
low:
	.skip LINE_SIZE

	.align 8
start_info:
	.long START_MAGIC, 0, 0, 0
	.quad 0, LOW, 0			/* modules, command line, RSDP */

	.align 8
gdt:
	.quad 0
	.quad 0x00cf9a000000ffff	/* 32-bit code */
	.quad 0x00cf92000000ffff	/* data */
gdt_pointer:
	.word . - gdt - 1
	.long LOW + (gdt - low)

	.code16
enter:
	cli
	movw $LOW >> 4, %ax
	movw %ax, %ds
	lgdtl gdt_pointer - low
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $8, $LOW + (enter32 - low)

	.code32
enter32:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	cld
	movl $ROM + (guest - rom), %esi
	movl $GUEST, %edi
	movl $(guest_end - guest), %ecx
	rep movsb
	movl $_end, %ecx
	subl %edi, %ecx
	xorl %eax, %eax
	rep stosb
	movw $FW_CFG, %dx
	outw %ax, %dx
	incl %edx
	inb %dx, %al
	movl $LOW + (start_info - low), %ebx
	movl $_start, %eax
	jmp *%eax

	.org ROM_SIZE - 16
	/* jmp enter; the offset wraps at 64 KiB, which clang refuses to encode */
	.byte 0xe9
	.word (enter - rom - (ROM_SIZE - 16 + 3)) & 0xffff
	.org ROM_SIZE

	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small EFI application for x86-64, with its PE header: prints a line on the
 * console, and then ends the emulator through its device isa-debug-exit.  With
 * UPDATE, the name of a file, it has written this signed update to dbx before,
 * with the ATTRIBUTES.
 *
 * `objcopy -O binary` makes the file of it.  File and memory have the same
 * layout, so that it needs no relocations.
 */
	.set align, 0x200
	.set headers, 0x200

	.text
	.code64
start:
	/* DOS header */
	.ascii "MZ"
	.org 0x3c
	.long pe - start
pe:
	.ascii "PE\0\0"
	.short 0x8664			/* x86-64 */
	.short 1			/* sections */
	.long 0, 0, 0
	.short optional_end - optional
	.short 0x022e			/* executable, no line numbers */
optional:
	.short 0x20b			/* PE32+ */
	.byte 0, 0
	.long code_size, 0, 0
	.long entry - start
	.long headers			/* base of code */
	.quad 0				/* image base */
	.long align, align
	.short 0, 0, 0, 0, 0, 0
	.long 0
	.long headers + code_size	/* of the image */
	.long headers
	.long 0				/* checksum */
	.short 10			/* EFI application */
	.short 0
	.quad 0, 0, 0, 0
	.long 0
	.long 6				/* data directories */
	.quad 0, 0, 0, 0, 0, 0
optional_end:
	.ascii ".text\0\0\0"
	.long code_size, headers, code_size, headers
	.long 0, 0
	.short 0, 0
	.long 0x60000020		/* code, executable, readable */
	.org headers

	/* efi_main(handle in %rcx, system table in %rdx) */
entry:
	pushq %rbx
	subq $48, %rsp
	movq %rdx, %rbx
#ifdef UPDATE
	/* SetVariable(name, GUID, attributes, size, data) */
	leaq name(%rip), %rcx
	leaq guid(%rip), %rdx
	movl $ATTRIBUTES, %r8d
	movl $update_end - update, %r9d
	leaq update(%rip), %rax
	movq %rax, 32(%rsp)
	movq 88(%rbx), %rax		/* runtime services */
	call *88(%rax)
	leaq refused(%rip), %rdx
	testq %rax, %rax
	jnz say
#endif
	leaq text(%rip), %rdx
say:
	movq 64(%rbx), %rcx		/* ConOut */
	call *8(%rcx)			/* OutputString() */
	movl $0x10, %eax
	movw $0xf4, %dx
	outl %eax, %dx
	xorl %eax, %eax
	addq $48, %rsp
	popq %rbx
	ret

	.balign 2
text:
	.string16 "pflash: the program runs\r\n"
refused:
	.string16 "pflash: the update is refused\r\n"
#ifdef UPDATE
name:
	.string16 "dbx"
guid:	/* d719b2cb-3d3a-4596-a3bc-dad00e67656f */
	.long 0xd719b2cb
	.short 0x3d3a, 0x4596
	.byte 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f
	.balign 16
update:
	.incbin UPDATE
update_end:
#endif
	.balign 0x200
	.set code_size, . - entry

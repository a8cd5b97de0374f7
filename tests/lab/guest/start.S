/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PVH entry (Xen docs/misc/pvh.pandoc): 32-bit protected mode, flat segments,
 * no paging, %ebx = struct hvm_start_info. Goes on to long mode with the low
 * 4 GiB mapped one to one, SSE on, and calls guest_main(start_info).
 */

#define XEN_ELFNOTE_PHYS32_ENTRY 18     /* <xen/elfnote.h> is C only */

#define CR0_PE_MP_WP_PG 0x80010003
#define CR4_PAE_OSFXSR_OSXMMEXCPT 0x620
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define PTE_PRESENT_WRITE 0x3
#define PDE_PRESENT_WRITE_2M 0x83

	.section .note.Xen, "a", @note
	.align 4
	.long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long _start

	.text
	.code32
	.globl _start
_start:
	cld
	movl $stack_top, %esp
	movl %ebx, %ebp

	/* 4 GiB in 2 MiB pages: 2048 entries in four adjacent directories. */
	movl $pd, %edi
	movl $PDE_PRESENT_WRITE_2M, %eax
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $8, %edi
	addl $0x200000, %eax
	jnc 1b

	movl $(pd + PTE_PRESENT_WRITE), %eax
	movl $pdpt, %edi
	movl $4, %ecx
2:	movl %eax, (%edi)
	addl $8, %edi
	addl $0x1000, %eax
	loop 2b
	movl $(pdpt + PTE_PRESENT_WRITE), pml4

	movl $pml4, %eax
	movl %eax, %cr3
	movl $CR4_PAE_OSFXSR_OSXMMEXCPT, %eax
	movl %eax, %cr4
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl $CR0_PE_MP_WP_PG, %eax
	movl %eax, %cr0
	lgdt gdt_pointer
	ljmp $8, $start64

	.code64
start64:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	call fill_idt
	lidt idt_pointer(%rip)
	movl %ebp, %edi
	call guest_main
	ud2

/* Entry of another vCPU: in long mode, on a stack of its own, with its number
 * in %edi (vcpu.c); Xen has filled the segment registers. */
	.globl vcpu_entry
vcpu_entry:
	lgdt gdt_pointer(%rip)
	lidt idt_pointer(%rip)
	call vcpu_main
	ud2

/* Writes the 32 gates; every stub is 16 bytes, so gate n is at stubs + 16n. */
fill_idt:
	leaq idt(%rip), %rdi
	leaq stubs(%rip), %rax
	movl $32, %ecx
1:	movw %ax, (%rdi)
	movw $8, 2(%rdi)
	movw $0x8e00, 4(%rdi)
	movl %eax, %edx
	shrl $16, %edx
	movw %dx, 6(%rdi)
	addq $16, %rax
	addq $16, %rdi
	loop 1b
	ret

/* An exception ends the guest: guest_exception(vector, stack of the fault). */
	.align 16
stubs:
	.set vector, 0
	.rept 32
	.align 16
	movl $vector, %edi
	jmp exception
	.set vector, vector + 1
	.endr

exception:
	cld
	movq %rsp, %rsi
	andq $-16, %rsp
	call guest_exception
	ud2

	.section .rodata
	.align 16
gdt:
	.quad 0
	.quad 0x00af9a000000ffff	/* 64-bit code */
	.quad 0x00cf92000000ffff	/* data */
gdt_pointer:
	.word . - gdt - 1
	.quad gdt
	.align 8
idt_pointer:
	.word 32 * 16 - 1
	.quad idt

	.bss
	.align 4096
pml4:	.skip 4096
pdpt:	.skip 4096
pd:	.skip 4 * 4096
idt:	.skip 32 * 16
	.align 16
	.skip 16384
stack_top:

	.section .note.GNU-stack, "", @progbits

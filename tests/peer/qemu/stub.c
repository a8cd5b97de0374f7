/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A multiboot kernel that performs flash accesses on request.
 *
 * The guest's memory is a file that the test has mapped too. The test writes a
 * packet of accesses to PACKET, and sends a byte on the serial port. The kernel
 * performs the accesses, stores the values that it read in the packet, and
 * sends a byte back. In between the CPU is halted, so that waiting costs
 * nothing.
 */
#include <stdint.h>

#define PACKET ((volatile struct packet *)0x1000000)
#define COM1 0x3f8
#define COM1_IRQ 4
#define FIRST_VECTOR 0x20

struct access {
	uint32_t address;
	uint8_t write;
	uint8_t size;
	uint16_t unused;
	uint64_t value;
};

struct packet {
	uint64_t count;
	struct access access[];
};

struct gate {
	uint16_t offset_low, selector, type, offset_high;
};

void stub_main(void);
extern char serial_interrupt[];

static struct gate idt[FIRST_VECTOR + COM1_IRQ + 1];

/* The interrupt handler only ends a halt: wait_byte() reads the byte. */
__asm__(".section .multiboot, \"a\"\n"
	"	.align 4\n"
	"	.long 0x1badb002, 0, -0x1badb002\n"
	".text\n"
	"	.globl _start\n"
	"_start:\n"
	"	cli\n"
	"	cld\n"
	"	lgdt gdt_pointer\n"
	"	ljmp $8, $1f\n"
	"1:	movw $16, %ax\n"
	"	movw %ax, %ds\n"
	"	movw %ax, %es\n"
	"	movw %ax, %ss\n"
	"	movl $stack_top, %esp\n"
	"	call stub_main\n"
	"serial_interrupt:\n"
	"	pushl %eax\n"
	"	movb $0x20, %al\n"
	"	outb %al, $0x20\n"
	"	popl %eax\n"
	"	iret\n"
	".data\n"
	"	.align 8\n"
	"gdt:	.quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff\n"
	"gdt_pointer:\n"
	"	.word 23\n"
	"	.long gdt\n"
	".bss\n"
	"	.align 16\n"
	"	.skip 4096\n"
	"stack_top:\n"
	".text\n");

static void
outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t
inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/*
 * Remaps both interrupt controllers away from the exceptions; unmasks COM1
 * only.
 */
static void
init_interrupts(void)
{
	uint32_t handler = (uint32_t)serial_interrupt;
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint32_t)idt };

	idt[FIRST_VECTOR + COM1_IRQ] = (struct gate){
		.offset_low = (uint16_t)handler,
		.selector = 8,
		.type = 0x8e00, /* present, 32-bit interrupt gate */
		.offset_high = (uint16_t)(handler >> 16),
	};
	__asm__ volatile("lidt %0" : : "m"(pointer), "m"(idt));
	outb(0x20, 0x11);
	outb(0x21, FIRST_VECTOR);
	outb(0x21, 0x04);
	outb(0x21, 0x01);
	outb(0x21, (uint8_t) ~(1u << COM1_IRQ));
	outb(0xa0, 0x11);
	outb(0xa1, FIRST_VECTOR + 8);
	outb(0xa1, 0x02);
	outb(0xa1, 0x01);
	outb(0xa1, 0xff);
}

static void
init_serial(void)
{
	outb(COM1 + 3, 0x03); /* 8N1, divisor latch closed */
	outb(COM1 + 2, 0x00); /* no FIFO */
	outb(COM1 + 4, 0x0b); /* DTR, RTS, interrupt line */
	outb(COM1 + 1, 0x01); /* interrupt on received data */
}

static void
send_byte(uint8_t byte)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, byte);
}

static void
wait_byte(void)
{
	/* Interrupts stay off between sti and hlt, so that none is lost. */
	while (!(inb(COM1 + 5) & 0x01))
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	inb(COM1);
}

/* In 32-bit mode only MMX can access eight bytes at once. */
static uint64_t
read64(uint32_t address)
{
	uint64_t value;

	__asm__ volatile("movq (%1), %%mm0\n\tmovq %%mm0, %0\n\temms"
			 : "=m"(value)
			 : "r"(address)
			 : "memory");
	return value;
}

static void
write64(uint32_t address, uint64_t value)
{
	__asm__ volatile("movq %1, %%mm0\n\tmovq %%mm0, (%0)\n\temms"
			 :
			 : "r"(address), "m"(value)
			 : "memory");
}

static uint64_t
read(uint32_t address, unsigned int size)
{
	switch (size) {
	case 1: return *(volatile uint8_t *)address;
	case 2: return *(volatile uint16_t *)address;
	case 4: return *(volatile uint32_t *)address;
	default: return read64(address);
	}
}

static void
write(uint32_t address, unsigned int size, uint64_t value)
{
	switch (size) {
	case 1: *(volatile uint8_t *)address = (uint8_t)value; break;
	case 2: *(volatile uint16_t *)address = (uint16_t)value; break;
	case 4: *(volatile uint32_t *)address = (uint32_t)value; break;
	default: write64(address, value); break;
	}
}

void
stub_main(void)
{
	init_interrupts();
	init_serial();
	for (;;) {
		send_byte('.');
		wait_byte();
		for (uint32_t i = 0; i < (uint32_t)PACKET->count; i++) {
			volatile struct access *a = &PACKET->access[i];

			if (a->write)
				write(a->address, a->size, a->value);
			else
				a->value = read(a->address, a->size);
		}
	}
}

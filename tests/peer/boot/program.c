/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An EFI program that prints its name, the number of its boot entry and its
 * optional data on the console, in one line:
 *
 *   [entry NAME 0003 "DATA"]
 *
 * Then it shuts the machine down, or if NAME begins with "try" it fails, so
 * that the firmware boots the next entry.  With SECURE_BOOT, the line ends with
 * " secure 1" and the value of the variable SecureBoot. efi.py makes an EFI
 * image of it: there are no relocations, so no static data may have an address.
 *
 * Offsets: UEFI specification 2.10, sections 4.3, 4.4, 4.5 and 9.1.1.
 */
#include <stdint.h>

#define EFI __attribute__((ms_abi))
/* All is one function, which begins at the first byte. */
#define PART static inline __attribute__((always_inline))
#define NOT_FOUND (0x8000000000000000u | 14)
#define SHUTDOWN 2u

typedef uint64_t EFI handle_protocol(void *handle, const void *guid,
				     void **protocol);
typedef uint64_t EFI get_variable(const uint16_t *name, const void *guid,
				  uint32_t *attributes, uint64_t *size,
				  void *data);
typedef void EFI reset_system(uint32_t type, uint64_t status, uint64_t size,
			      const void *data);
typedef uint64_t EFI output_string(void *console, const uint16_t *text);

struct guid {
	uint32_t a;
	uint16_t b, c;
	uint8_t d[8];
};

/* The member at this offset, a pointer. */
PART void *
member(const void *table, unsigned int offset)
{
	return *(void *const *)((const uint8_t *)table + offset);
}

PART void
print(const void *table, const uint16_t *text)
{
	void *console = member(table, 64);

	((output_string *)member(console, 8))(console, text);
}

/* Reads a variable of EFI_GLOBAL_VARIABLE; without it, *value stays. */
PART void
read_global(const void *table, const uint16_t *name, uint64_t size, void *value)
{
	const struct guid guid = { 0x8be4df61,
				   0x93ca,
				   0x11d2,
				   { 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b,
				     0x8c } };

	((get_variable *)member(member(table, 88), 72))(name, &guid, 0, &size,
							value);
}

PART void
print_number(const void *table)
{
	uint16_t number = 0xffff, text[5] = { 0 };

	read_global(table, u"BootCurrent", sizeof(number), &number);
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int digit = number >> (12 - 4 * i) & 15;

		text[i] = (uint16_t)(digit < 10 ? '0' + digit :
						  'A' + digit - 10);
	}
	print(table, text);
}

PART void
print_data(void *handle, const void *table)
{
	const struct guid guid = { 0x5b1b31a1,
				   0x9562,
				   0x11d2,
				   { 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72,
				     0x3b } };
	uint16_t text[64] = { 0 };
	const uint16_t *data;
	uint32_t size;
	void *image;

	if (((handle_protocol *)member(member(table, 96), 152))(handle, &guid,
								&image))
		return;
	size = *(const uint32_t *)((const uint8_t *)image + 48);
	data = member(image, 56);
	for (unsigned int i = 0; i < 63 && 2 * i + 1 < size; i++)
		text[i] = data[i];
	print(table, text);
}

#ifdef SECURE_BOOT
PART void
print_secure(const void *table)
{
	uint16_t text[2] = { 0 };
	uint8_t secure = '-' - '0';

	read_global(table, u"SecureBoot", sizeof(secure), &secure);
	text[0] = (uint16_t)('0' + secure);
	print(table, u" secure ");
	print(table, text);
}
#endif

uint64_t EFI
start(void *handle, const void *table)
{
	const uint16_t name[] = u"" NAME;

	print(table, u"\r\n[entry ");
	print(table, name);
	print(table, u" ");
	print_number(table);
	print(table, u" \"");
	print_data(handle, table);
	print(table, u"\"");
#ifdef SECURE_BOOT
	print_secure(table);
#endif
	print(table, u"]\r\n");
	if (name[0] != 't')
		((reset_system *)member(member(table, 88), 104))(SHUTDOWN, 0, 0,
								 0);
	return NOT_FOUND;
}

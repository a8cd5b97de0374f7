/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reference model of the chip, see model.h. Section numbers are those of
 * docs/chip.md.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum {
	SR_READY = 0x80,
	SR_ERASE_SUSPENDED = 0x40,
	SR_ERASE = 0x20,
	SR_PROGRAM = 0x10,
	SR_VOLTAGE = 0x08,
	SR_PROGRAM_SUSPENDED = 0x04,
	SR_PROTECTED = 0x02,
};

/* Section 1: geometry. */

static unsigned int
lane_size(const struct model *m)
{
	return m->geometry.width / m->geometry.interleave;
}

static bool
is_x16(const struct model *m)
{
	return lane_size(m) == 2;
}

/* The offset in the bank of byte `b` of the part's word at `address`. */
static uint64_t
bank_offset(const struct model *m, unsigned int part, uint64_t address,
	    unsigned int b)
{
	return address * m->geometry.width + part * lane_size(m) + b;
}

struct block {
	uint32_t number;
	uint64_t first_address; /* a part's address */
	uint64_t addresses;
};

/* The block of a part's address; blocks are the same in all parts. */
static struct block
block_of(const struct model *m, uint64_t address)
{
	uint64_t off = address * m->geometry.width;
	uint64_t first = 0;
	uint32_t number = 0;
	unsigned int r;
	uint32_t i;

	for (r = 0; r < m->geometry.region_count; r++) {
		uint32_t size = m->geometry.regions[r].block_size;

		for (i = 0; i < m->geometry.regions[r].count; i++) {
			if (off >= first && off < first + size)
				return (struct block){
					.number = number,
					.first_address = first /
							 m->geometry.width,
					.addresses = size / m->geometry.width,
				};
			first += size;
			number++;
		}
	}
	abort();
}

/* Sections 6 and 7: the ID and QUERY views. */

static uint8_t
byte_of_sum(uint32_t number, unsigned int n)
{
	return (uint8_t)(number >> (8 * n));
}

static void
put(uint8_t *table, unsigned int at, const char *bytes, unsigned int n)
{
	memcpy(table + at, bytes, n);
}

static unsigned int
log2_of_part(const struct model *m)
{
	uint64_t part = m->geometry.size / m->geometry.interleave;
	unsigned int n = 0;

	while ((UINT64_C(1) << n) < part)
		n++;
	return n;
}

/* Section 7, the last table. */
static void
partition_table(const struct model *m, uint8_t *p)
{
	unsigned int r;

	p[4] = '3';
	p[6] = 0x02;
	p[0x15] = (uint8_t)m->geometry.region_count;
	for (r = 0; r < m->geometry.region_count; r++) {
		uint32_t size = m->geometry.regions[r].block_size;
		uint32_t count = m->geometry.regions[r].count;
		uint32_t parts = size * count / m->partition;
		uint32_t blocks = m->partition / size - 1;
		uint32_t units = size / m->geometry.interleave / 256;
		uint8_t *at = p + 0x16 + 14 * r;

		at[0] = byte_of_sum(parts, 0);
		at[1] = byte_of_sum(parts, 1);
		put(at, 2, "\x11\x00\x00\x01", 4);
		at[6] = byte_of_sum(blocks, 0);
		at[7] = byte_of_sum(blocks, 1);
		at[8] = byte_of_sum(units, 0);
		at[9] = byte_of_sum(units, 1);
		put(at, 10, "\x64\x00\x01\x00", 4);
	}
}

/* The query table, from part address 0 on; undefined bytes are zero. */
static void
query_table(const struct model *m, uint8_t table[256])
{
	unsigned int regions = m->geometry.region_count;
	unsigned int p = 0x2d + 4 * regions;
	unsigned int r;

	memset(table, 0, 256);
	put(table, 0x10, "QRY", 3);
	put(table, 0x13, "\x01\x00", 2);
	table[0x15] = (uint8_t)p;
	put(table, 0x1b, "\x27\x36\x00\x00", 4);
	put(table, 0x1f, "\x07\x07\x0a\x00", 4);
	put(table, 0x23, "\x04\x04\x04\x00", 4);
	table[0x27] = (uint8_t)log2_of_part(m);
	table[0x28] = is_x16(m) ? 1 : 0;
	put(table, 0x2a, "\x08\x00", 2);
	table[0x2c] = (uint8_t)regions;
	for (r = 0; r < regions; r++) {
		uint32_t blocks = m->geometry.regions[r].count - 1;
		uint32_t units = m->geometry.regions[r].block_size /
				 m->geometry.interleave / 256;

		table[0x2d + 4 * r] = byte_of_sum(blocks, 0);
		table[0x2e + 4 * r] = byte_of_sum(blocks, 1);
		table[0x2f + 4 * r] = byte_of_sum(units, 0);
		table[0x30 + 4 * r] = byte_of_sum(units, 1);
	}
	put(table, p, "PRI11", 5);
	put(table, p + 5, "\x66\x00\x00\x00", 4);
	put(table, p + 9, "\x01", 1);
	put(table, p + 0xa, "\x03\x00", 2);
	put(table, p + 0xc, "\x33\x00", 2);
	put(table, p + 0xe, "\x01\x80\x00\x03\x03", 5);
	if (m->configured && m->personality == CFI_STRICT)
		partition_table(m, table + p);
}

/* A word of the protection registers; -1: `address` is not in them. */
static int
protection_word(const struct model *m, unsigned int part, uint64_t address)
{
	const struct model_part *p = &m->part[part];
	unsigned int n = 16 / lane_size(m);
	uint64_t i = address - 0x81;

	if (address == 0x80)
		return is_x16(m) ? p->protect_lock : p->protect_lock & 0xff;
	if (address < 0x81 || i >= n)
		return -1;
	if (is_x16(m))
		return p->protect_bytes[2 * i] | p->protect_bytes[2 * i + 1]
							 << 8;
	return p->protect_bytes[i];
}

/* A word of the ID or QUERY view. */
static uint16_t
identifier(const struct model *m, unsigned int part, uint64_t address,
	   enum model_view view)
{
	const struct model_part *p = &m->part[part];
	struct block block = block_of(m, address);
	int word = protection_word(m, part, address);
	uint8_t table[256];

	if (address == 0)
		return 0x89;
	if (address == 1)
		return 0x18;
	if (address == block.first_address + 2)
		return (uint16_t)(p->locks[block.number].locked |
				  p->locks[block.number].down << 1);
	if (view == MODEL_ID)
		return word < 0 ? 0 : (uint16_t)word;
	if (address >= sizeof(table))
		return 0;
	query_table(m, table);
	return table[address];
}

/* Section 2: the view. */

uint8_t
model_byte(const struct model *m, uint64_t off)
{
	unsigned int in_word = (unsigned int)(off % m->geometry.width);
	unsigned int part = in_word / lane_size(m);
	unsigned int b = in_word % lane_size(m);
	uint64_t address = off / m->geometry.width;
	const struct model_shown *shown;
	uint16_t word = 0;

	if (off >= m->geometry.size)
		return 0xff;
	shown = &m->part[part].shown[off / m->partition];
	switch (shown->view) {
	case MODEL_ARRAY: return m->array[off];
	case MODEL_STATUS:
	case MODEL_XSR: word = shown->word; break;
	case MODEL_ID:
	case MODEL_QUERY:
		word = identifier(m, part, address, shown->view);
		break;
	}
	return (uint8_t)(word >> (8 * b));
}

uint64_t
model_read(const struct model *m, uint64_t off, unsigned int size)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < size; i++) {
		/* Choice: offsets that wrap around read as outside the bank. */
		uint8_t byte = off + i < off ? 0xff : model_byte(m, off + i);

		value |= (uint64_t)byte << (8 * i);
	}
	return value;
}

void
model_render(const struct model *m, uint8_t *dst)
{
	uint32_t off;

	for (off = 0; off < m->geometry.size; off++)
		dst[off] = model_byte(m, off);
}

static void
set_view(struct model_part *p, enum model_view view)
{
	p->shown[p->partition].view = view;
}

/* The partition that was addressed last shows the present status. */
static void
show_status(struct model *m)
{
	unsigned int i;

	for (i = 0; i < m->geometry.interleave; i++) {
		struct model_part *p = &m->part[i];

		if (p->shown[p->partition].view == MODEL_STATUS)
			p->shown[p->partition].word = p->status;
	}
}

/* Section 3: how commands end. */

static void
ended(struct model_part *p, uint8_t errors)
{
	p->status |= SR_READY | errors;
	set_view(p, MODEL_STATUS);
	p->wait = MODEL_COMMAND;
}

static void
refuse(struct model *m, struct model_part *p, uint8_t errors)
{
	ended(p, errors);
	m->refused++;
}

static void
sequence_error(struct model *m, struct model_part *p)
{
	refuse(m, p, SR_ERASE | SR_PROGRAM);
}

/* The bits set beside SR.4 or SR.5 when the host fails. */
static uint8_t
host_bits(int error)
{
	if (error == -EROFS)
		return SR_PROTECTED;
	if (error == -ENOSPC)
		return 0;
	return SR_VOLTAGE;
}

/* Section 8: the burst. */

static void
burst_failed(struct model *m, int error)
{
	unsigned int i;

	for (i = 0; i < m->geometry.interleave; i++) {
		struct model_part *p = &m->part[i];

		if (p->programmed_in_burst)
			p->status |= SR_PROGRAM | host_bits(error);
		if (p->erased_in_burst)
			p->status |= SR_ERASE | host_bits(error);
	}
}

static void
burst_ends(struct model *m)
{
	unsigned int i;

	m->burst = false;
	for (i = 0; i < m->geometry.interleave; i++) {
		m->part[i].programmed_in_burst = false;
		m->part[i].erased_in_burst = false;
	}
}

static void
commit(struct model *m)
{
	if (!m->burst)
		return;
	m->commits++;
	if (m->host.commit)
		burst_failed(m, m->host.commit);
	if (m->host.commit && m->host.undo)
		memcpy(m->array, m->committed, m->geometry.size);
	else
		memcpy(m->committed, m->array, m->geometry.size);
	burst_ends(m);
}

void
model_report(struct model *m, int error)
{
	burst_failed(m, error);
	if (m->host.undo)
		memcpy(m->array, m->committed, m->geometry.size);
	else
		memcpy(m->committed, m->array, m->geometry.size);
	/* Choice: reporting the failure of a burst ends the burst. */
	burst_ends(m);
	show_status(m);
}

/* Section 4: programming and erasing. */

/* Returns true if the block is locked; never for personality qemu. */
static bool
is_locked(const struct model_part *p, struct block block)
{
	return p->locks[block.number].locked;
}

/* Section 5, last table: whether programs at `address` are allowed. */
static bool
program_allowed(const struct model *m, const struct model_part *p,
		uint64_t address)
{
	if (p->status & SR_PROGRAM_SUSPENDED)
		return false;
	if (p->status & SR_ERASE_SUSPENDED)
		return block_of(m, address).number != p->erased_block;
	return true;
}

static void
program_word(struct model *m, unsigned int part, uint64_t address,
	     uint16_t data)
{
	unsigned int b;

	for (b = 0; b < lane_size(m); b++) {
		uint8_t *byte = &m->array[bank_offset(m, part, address, b)];
		uint8_t want = (uint8_t)(data >> (8 * b));

		*byte = m->personality == CFI_QEMU ? want : *byte & want;
	}
}

static void
program_succeeded(struct model *m, struct model_part *p)
{
	m->burst = true;
	p->programmed_in_burst = true;
	ended(p, 0);
	p->last = MODEL_PROGRAMMED;
}

static void
program(struct model *m, unsigned int part, uint64_t address, uint16_t data)
{
	struct model_part *p = &m->part[part];

	if (!program_allowed(m, p, address)) {
		sequence_error(m, p);
	} else if (is_locked(p, block_of(m, address))) {
		refuse(m, p, SR_PROGRAM | SR_PROTECTED);
	} else if (m->host.program != 0) {
		refuse(m, p, SR_PROGRAM | host_bits(m->host.program));
	} else {
		program_word(m, part, address, data);
		program_succeeded(m, p);
	}
}

static void
erase(struct model *m, unsigned int part, uint64_t address, uint8_t confirm)
{
	struct model_part *p = &m->part[part];
	struct block block = block_of(m, address);
	uint64_t a;
	unsigned int b;

	if (confirm != 0xd0 ||
	    p->status & (SR_ERASE_SUSPENDED | SR_PROGRAM_SUSPENDED)) {
		sequence_error(m, p);
		return;
	}
	if (is_locked(p, block)) {
		refuse(m, p, SR_ERASE | SR_PROTECTED);
		return;
	}
	if (m->host.erase != 0) {
		refuse(m, p, SR_ERASE | host_bits(m->host.erase));
		return;
	}
	for (a = 0; a < block.addresses; a++) {
		for (b = 0; b < lane_size(m); b++)
			m->array[bank_offset(m, part, block.first_address + a,
					     b)] = 0xff;
	}
	m->burst = true;
	p->erased_in_burst = true;
	ended(p, 0);
	p->last = MODEL_ERASED;
	p->erased_block = block.number;
}

/* Section 4.1. */

static void
buffer_begins(struct model_part *p)
{
	unsigned int i;

	for (i = 0; i < MODEL_BUFFER; i++)
		p->loaded[i] = false;
	p->shown[p->partition] = (struct model_shown){ MODEL_XSR, 0x80 };
	p->wait = MODEL_BUFFER_COUNT;
}

static void
buffer_count(const struct model *m, struct model_part *p, uint16_t data)
{
	unsigned int words = MODEL_BUFFER / lane_size(m);

	p->count = (is_x16(m) ? data : data & 0xffu) + 1u;
	p->taken = 0;
	p->bad_load = p->count > words;
	set_view(p, MODEL_STATUS);
	p->wait = MODEL_BUFFER_DATA;
}

static void
buffer_data(const struct model *m, struct model_part *p, uint64_t address,
	    uint16_t data)
{
	if (p->taken == 0) {
		struct block block = block_of(m, address);

		p->start = (uint32_t)address;
		if (address + p->count > block.first_address + block.addresses)
			p->bad_load = true;
	}
	if (address < p->start || address >= (uint64_t)p->start + p->count)
		p->bad_load = true;
	if (!p->bad_load) {
		p->buffer[address - p->start] = data;
		p->loaded[address - p->start] = true;
	}
	p->taken++;
	if (p->taken == p->count)
		p->wait = MODEL_BUFFER_CONFIRM;
}

static void
buffer_confirm(struct model *m, unsigned int part, uint8_t confirm)
{
	struct model_part *p = &m->part[part];
	uint32_t i;

	if (confirm != 0xd0 || !program_allowed(m, p, p->start) ||
	    p->bad_load) {
		sequence_error(m, p);
	} else if (is_locked(p, block_of(m, p->start))) {
		refuse(m, p, SR_PROGRAM | SR_PROTECTED);
	} else if (m->host.program != 0) {
		refuse(m, p, SR_PROGRAM | host_bits(m->host.program));
	} else {
		for (i = 0; i < p->count; i++) {
			if (p->loaded[i])
				program_word(m, part, p->start + i,
					     p->buffer[i]);
		}
		program_succeeded(m, p);
	}
}

/* Section 6. */

static void
lock_code(struct model *m, unsigned int part, uint64_t address, uint8_t code)
{
	struct model_part *p = &m->part[part];
	struct model_lock *lock = &p->locks[block_of(m, address).number];
	bool keeps = m->personality != CFI_QEMU;

	if ((code != 0x01 && code != 0xd0 && code != 0x2f) ||
	    p->status & SR_PROGRAM_SUSPENDED) {
		sequence_error(m, p);
		return;
	}
	if (keeps && code == 0x01)
		lock->locked = true;
	if (keeps && code == 0xd0 && !lock->down)
		lock->locked = false;
	if (keeps && code == 0x2f)
		lock->locked = lock->down = true;
	/* Choice: a lock command is an operation, so it sets SR.7. */
	ended(p, 0);
}

/* Which half of the protection registers a word is in: 0 factory, 1 user. */
static unsigned int
protection_half(const struct model *m, uint64_t address)
{
	return (address - 0x81) * lane_size(m) < 8 ? 0 : 1;
}

static void
protect(struct model *m, unsigned int part, uint64_t address, uint16_t data)
{
	struct model_part *p = &m->part[part];
	uint64_t i = (address - 0x81) * lane_size(m);

	if (p->status & (SR_ERASE_SUSPENDED | SR_PROGRAM_SUSPENDED)) {
		sequence_error(m, p);
		return;
	}
	if (protection_word(m, part, address) < 0 ||
	    (address != 0x80 &&
	     !(p->protect_lock & (1u << protection_half(m, address))))) {
		refuse(m, p, SR_PROGRAM | SR_PROTECTED);
		return;
	}
	if (m->host.protect != 0) {
		refuse(m, p, SR_PROGRAM | host_bits(m->host.protect));
		return;
	}
	/* Choice: one-time programmable in every personality. */
	if (address == 0x80) {
		p->protect_lock &= is_x16(m) ? data : data | 0xff00;
	} else {
		p->protect_bytes[i] &= (uint8_t)data;
		if (is_x16(m))
			p->protect_bytes[i + 1] &= (uint8_t)(data >> 8);
	}
	ended(p, 0);
}

bool
model_protect_is_new(const struct model *m)
{
	unsigned int i, b;

	for (i = 0; i < m->geometry.interleave; i++) {
		if (m->part[i].protect_lock != 0xfffe)
			return false;
		for (b = 0; b < 16; b++) {
			if (m->part[i].protect_bytes[b] != 0xff)
				return false;
		}
	}
	return true;
}

/* Section 5. */

static void
suspend(struct model_part *p, enum model_last last)
{
	if (last == MODEL_ERASED)
		p->status |= SR_ERASE_SUSPENDED | SR_READY;
	if (last == MODEL_PROGRAMMED)
		p->status |= SR_PROGRAM_SUSPENDED | SR_READY;
	set_view(p, MODEL_STATUS);
}

static void
resume(struct model_part *p)
{
	if (p->status & SR_PROGRAM_SUSPENDED) {
		p->status &= (uint8_t)~SR_PROGRAM_SUSPENDED;
		p->last = MODEL_PROGRAMMED;
	} else if (p->status & SR_ERASE_SUSPENDED) {
		p->status &= (uint8_t)~SR_ERASE_SUSPENDED;
		p->last = MODEL_ERASED;
	}
	p->status |= SR_READY;
	set_view(p, MODEL_STATUS);
}

/* Personalities: READ ARRAY of ovmf and qemu concerns all partitions. */
static void
view_array(const struct model *m, struct model_part *p)
{
	uint32_t i;

	if (m->personality == CFI_STRICT) {
		set_view(p, MODEL_ARRAY);
		return;
	}
	for (i = 0; i < MODEL_MAX_PARTITIONS; i++)
		p->shown[i].view = MODEL_ARRAY;
}

static void
clear_status(const struct model *m, struct model_part *p)
{
	p->status &= (uint8_t) ~(SR_ERASE | SR_PROGRAM | SR_VOLTAGE |
				 SR_PROTECTED);
	if (m->personality == CFI_OVMF)
		p->status &= (uint8_t)~SR_READY;
	if (m->personality == CFI_QEMU) {
		p->status = 0;
		view_array(m, p);
	}
}

/* Section 4: the table of commands. */
static void
command(const struct model *m, struct model_part *p, uint8_t code)
{
	enum model_last last = p->last;

	if (code != 0x70)
		p->last = MODEL_NOTHING;
	switch (code) {
	case 0x90: set_view(p, MODEL_ID); return;
	case 0x98: set_view(p, MODEL_QUERY); return;
	case 0x70: set_view(p, MODEL_STATUS); return;
	case 0x50: clear_status(m, p); return;
	case 0x40:
	case 0x10: p->wait = MODEL_PROGRAM_DATA; break;
	case 0x20: p->wait = MODEL_ERASE_CONFIRM; break;
	case 0x60: p->wait = MODEL_LOCK_CODE; break;
	case 0xc0: p->wait = MODEL_PROTECT_DATA; break;
	case 0xe8:
		if (m->personality == CFI_STRICT &&
		    p->status & (SR_PROGRAM | SR_ERASE)) {
			p->shown[p->partition] = (struct model_shown){
				MODEL_XSR, 0x00
			};
		} else {
			buffer_begins(p);
		}
		return;
	case 0xb0: suspend(p, last); return;
	case 0xd0: resume(p); return;
	default: view_array(m, p); return;
	}
	set_view(p, MODEL_STATUS);
}

/* Returns true if this cycle sets the part's view to ARRAY. */
static bool
goes_to_array(const struct model *m, const struct model_part *p, uint8_t code)
{
	static const uint8_t others[] = { 0x10, 0x20, 0x40, 0x60, 0x70, 0x90,
					  0x98, 0xb0, 0xc0, 0xd0, 0xe8 };

	if (p->wait != MODEL_COMMAND)
		return false;
	if (code == 0x50)
		return m->personality == CFI_QEMU;
	return memchr(others, code, sizeof(others)) == NULL;
}

/* Executes one write cycle in one part. */
static void
part_cycle(struct model *m, unsigned int part, uint64_t address, uint16_t data)
{
	struct model_part *p = &m->part[part];
	uint8_t low = (uint8_t)data;

	p->partition = (uint32_t)(address * m->geometry.width / m->partition);
	if (p->wait != MODEL_COMMAND ||
	    p->shown[p->partition].view == MODEL_XSR)
		set_view(p, MODEL_STATUS);
	switch (p->wait) {
	case MODEL_COMMAND: command(m, p, low); break;
	case MODEL_PROGRAM_DATA: program(m, part, address, data); break;
	case MODEL_ERASE_CONFIRM: erase(m, part, address, low); break;
	case MODEL_LOCK_CODE: lock_code(m, part, address, low); break;
	case MODEL_PROTECT_DATA: protect(m, part, address, data); break;
	case MODEL_BUFFER_COUNT: buffer_count(m, p, data); break;
	case MODEL_BUFFER_DATA: buffer_data(m, p, address, data); break;
	case MODEL_BUFFER_CONFIRM: buffer_confirm(m, part, low); break;
	}
}

/*
 * Section 1: a write cycle on the bus word at `address`, of the covered bytes.
 */
static void
bus_cycle(struct model *m, uint64_t address, const bool *covered,
	  const uint8_t *bytes)
{
	bool reached[GEOMETRY_MAX_PARTS] = { false };
	bool waiting[GEOMETRY_MAX_PARTS];
	uint16_t data[GEOMETRY_MAX_PARTS] = { 0 };
	bool array = false;
	unsigned int part, b;

	for (part = 0; part < m->geometry.interleave; part++) {
		for (b = 0; b < lane_size(m); b++) {
			unsigned int i = part * lane_size(m) + b;
			uint8_t byte = covered[i] ? bytes[i] : 0xff;

			reached[part] |= covered[i];
			data[part] = (uint16_t)(data[part] | byte << (8 * b));
		}
		array |= reached[part] &&
			 goes_to_array(m, &m->part[part], (uint8_t)data[part]);
	}
	/*
	 * Choice: parts that expect a command execute it first, then the burst
	 * is committed, then the other parts use the cycle as data or confirm.
	 * So a cycle that ends a burst commits the operations before it, and a
	 * program that another part does in the same cycle begins the next
	 * burst.
	 */
	for (part = 0; part < m->geometry.interleave; part++) {
		waiting[part] = m->part[part].wait != MODEL_COMMAND;
		if (reached[part] && !waiting[part])
			part_cycle(m, part, address, data[part]);
	}
	if (array)
		commit(m);
	for (part = 0; part < m->geometry.interleave; part++) {
		if (reached[part] && waiting[part])
			part_cycle(m, part, address, data[part]);
	}
	show_status(m);
}

void
model_write(struct model *m, uint64_t off, unsigned int size, uint64_t value)
{
	unsigned int width = m->geometry.width;
	uint64_t words = m->geometry.size / width;
	uint64_t address = off / width;
	unsigned int n;

	/* 8 bytes touch at most 9 words */
	for (n = 0; n < 9; n++, address++) {
		bool covered[GEOMETRY_MAX_WIDTH] = { false };
		uint8_t bytes[GEOMETRY_MAX_WIDTH] = { 0 };
		bool touched = false;
		unsigned int i;

		if (address >= words)
			return;
		for (i = 0; i < width; i++) {
			uint64_t at = address * width + i;

			if (at < off || at - off >= size)
				continue;
			covered[i] = touched = true;
			bytes[i] = (uint8_t)(value >> (8 * (at - off)));
		}
		if (touched)
			bus_cycle(m, address, covered, bytes);
	}
}

/* Section 9: power-on. */

void
model_power_cycle(struct model *m)
{
	uint32_t blocks = 0, b;
	unsigned int i;

	for (i = 0; i < m->geometry.region_count; i++)
		blocks += m->geometry.regions[i].count;
	burst_ends(m);
	for (i = 0; i < m->geometry.interleave; i++) {
		struct model_part *p = &m->part[i];

		p->wait = MODEL_COMMAND;
		for (b = 0; b < MODEL_MAX_PARTITIONS; b++)
			p->shown[b].view = MODEL_ARRAY;
		p->partition = 0;
		p->status = SR_READY;
		p->last = MODEL_NOTHING;
		for (b = 0; b < blocks; b++)
			p->locks[b] = (struct model_lock){
				.locked = m->personality == CFI_STRICT,
			};
	}
}

/* Section 2: the size of a partition that is not configured. */
static uint32_t
own_partition(const struct geometry *g, enum cfi_personality personality)
{
	uint32_t size = 0;
	unsigned int r;

	if (personality != CFI_OVMF)
		return 0x80000000u;
	for (r = 0; r < g->region_count; r++)
		if (g->regions[r].block_size > size)
			size = g->regions[r].block_size;
	while ((g->size + size - 1) / size * g->interleave > 4096)
		size *= 2;
	return size;
}

void
model_init(struct model *m, const struct geometry *geometry,
	   enum cfi_personality personality, uint32_t partition,
	   const uint8_t *array)
{
	unsigned int i;

	memset(m, 0, sizeof(*m));
	m->geometry = *geometry;
	m->personality = personality;
	m->configured = partition != 0;
	m->partition = partition ? partition :
				   own_partition(geometry, personality);
	m->array = malloc(geometry->size);
	m->committed = malloc(geometry->size);
	if (!m->array || !m->committed)
		abort();
	memcpy(m->array, array, geometry->size);
	memcpy(m->committed, array, geometry->size);
	for (i = 0; i < geometry->interleave; i++) {
		m->part[i].protect_lock = 0xfffe;
		memset(m->part[i].protect_bytes, 0xff, 16);
	}
	model_power_cycle(m);
}

void
model_free(struct model *m)
{
	free(m->array);
	free(m->committed);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writer stores into struct handover, which has the layout of the stream.
 * The reader accepts sections in any order, copies the values of the sections
 * that it knows into a struct handover, and checks the copy.
 */
#include "pflash/handover.h"

#include <errno.h>
#include <string.h>

#include "handover_v01.h"
#include "pflash/le.h"

#define HEADER_SIZE 16u
#define SECTION_SIZE 8u
#define RECORD_ROOM 48u /* for the record header in front of a burst */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "struct handover has the byte order of the stream");

/* Asserts that a value directly follows its section header. */
#define AT(section, value)                                                     \
	_Static_assert(offsetof(struct handover, value) ==                     \
			       offsetof(struct handover, section) +            \
				       SECTION_SIZE,                           \
		       #value " follows " #section)

AT(flash_section, attached);
AT(incarnation_section, incarnation);
AT(vars_section, vars);
AT(request_section, turn);
AT(state[0].state_section, state[0].request);
AT(state[0].chip_section, state[0].chip);
AT(burst_section, burst);
AT(counts_section, takeovers);
AT(trail_section, trail);

/* Asserts that each section header directly follows the value before it. */
_Static_assert(
	sizeof(struct handover_section) == SECTION_SIZE &&
		offsetof(struct handover, flash_section) == HEADER_SIZE &&
		offsetof(struct handover, incarnation_section) == 24 + 32 &&
		offsetof(struct handover, vars_section) == 64 + 96 &&
		offsetof(struct handover, request_section) == 168 + 1024 &&
		offsetof(struct handover, state) == 1200 + 24 &&
		offsetof(struct handover_state, chip_section) == 8 + 40 &&
		sizeof(struct handover_state) == 56 + CFI_STATE_MAX &&
		offsetof(struct handover, burst_section) == 1224 + 2 * 10296 &&
		offsetof(struct handover, counts_section) == 21824 + 69696 &&
		offsetof(struct handover, trail_section) == 91528 + 8 &&
		offsetof(struct handover, end_section) == 91544 + 32 &&
		sizeof(struct handover) == 91584,
	"the structure is a stream without gaps");
_Static_assert(sizeof(struct handover) <= HANDOVER_SIZE &&
		       HANDOVER_SIZE % 4096 == 0,
	       "HANDOVER_SIZE is whole pages and has room for a record");

/* The sections that this program writes and knows. */
static const struct known {
	uint32_t type;
	uint32_t at;    /* offset of the value in struct handover */
	uint32_t size;  /* of the value in struct handover, bytes */
	uint32_t least; /* a shorter value is damaged */
} sections[] = {
	{ HANDOVER_FLASH, offsetof(struct handover, attached), 32, 32 },
	{ HANDOVER_INCARNATION, offsetof(struct handover, incarnation),
	  STORE_TAG_SIZE, 1 },
	{ HANDOVER_VARS, offsetof(struct handover, vars), 1024, 1 },
	{ HANDOVER_REQUEST, offsetof(struct handover, turn), 24, 24 },
	{ HANDOVER_STATE_0, offsetof(struct handover, state[0].request), 40,
	  40 },
	{ HANDOVER_CHIP_0, offsetof(struct handover, state[0].chip),
	  CFI_STATE_MAX, 0 },
	{ HANDOVER_STATE_1, offsetof(struct handover, state[1].request), 40,
	  40 },
	{ HANDOVER_CHIP_1, offsetof(struct handover, state[1].chip),
	  CFI_STATE_MAX, 0 },
	{ HANDOVER_BURST, offsetof(struct handover, burst),
	  STORE_BURST_ROOM(HANDOVER_BURST_LIMIT), 0 },
	{ HANDOVER_OPTIONAL | HANDOVER_COUNTS,
	  offsetof(struct handover, takeovers), 8, 8 },
	{ HANDOVER_OPTIONAL | HANDOVER_TRAIL, offsetof(struct handover, trail),
	  32, 32 },
};

#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static void
lay_out(struct handover *record)
{
	memcpy(record->magic, HANDOVER_MAGIC, sizeof(record->magic));
	record->version = HANDOVER_VERSION;
	record->length = sizeof(*record);
	for (size_t i = 0; i < SECTIONS; i++) {
		const struct known *known = &sections[i];
		const struct handover_section section = {
			.type = known->type,
			.length = known->size,
		};

		memcpy((uint8_t *)record + known->at - SECTION_SIZE, &section,
		       sizeof(section));
	}
}

void
handover_make(struct handover **out, void *memory)
{
	*out = memory;
	lay_out(*out);
}

static void
empty(struct handover *record)
{
	memset(record, 0, sizeof(*record));
	lay_out(record);
}

/* The reader's position in the stream, and the sections found so far. */
struct reader {
	const uint8_t *bytes;
	size_t length;    /* of the stream, bytes */
	size_t at;        /* offset of the next section */
	size_t room;      /* length of the burst section's value */
	uint32_t found;   /* bit N: sections[N] was read */
	uint32_t unknown; /* type of an unknown mandatory section, or 0 */
};

/* Reads a section header, sets *value, and moves behind the value. */
static int
next_section(struct reader *r, struct handover_section *section,
	     const uint8_t **value, struct error *err)
{
	size_t left = r->length - r->at, padded;

	if (left < SECTION_SIZE)
		return error_set(err, EINVAL,
				 "the handover record is damaged: at byte %zu, "
				 "expected a section",
				 r->at);
	section->type = get_le32(r->bytes + r->at);
	section->length = get_le32(r->bytes + r->at + 4);
	padded = ((size_t)section->length + 7) / 8 * 8;
	left -= SECTION_SIZE;
	if (padded > left)
		return error_set(err, EINVAL,
				 "the handover record is damaged: section %#x "
				 "at byte %zu has %u bytes, %zu are left",
				 section->type, r->at, section->length, left);
	*value = r->bytes + r->at + SECTION_SIZE;
	r->at += SECTION_SIZE + padded;
	return 0;
}

static const struct known *
find_known(uint32_t type)
{
	for (size_t i = 0; i < SECTIONS; i++)
		if (sections[i].type == type)
			return &sections[i];
	return NULL;
}

/* Pads a value that is shorter than this program's: `to` is zeroed. */
static int
copy_value(struct reader *r, struct handover *to,
	   const struct handover_section *section, const uint8_t *value,
	   struct error *err)
{
	const struct known *known = find_known(section->type);
	uint32_t length = section->length, bit;

	if (!known) {
		if (!(section->type & HANDOVER_OPTIONAL))
			r->unknown = section->type;
		return 0;
	}
	bit = 1u << (known - sections);
	if (r->found & bit || length < known->least)
		return error_set(err, EINVAL,
				 "the handover record is damaged: section %#x "
				 "of %u bytes%s, expected at least %u bytes",
				 known->type, length,
				 r->found & bit ? " a second time" : "",
				 known->least);
	if (length > known->size)
		length = known->size;
	r->found |= bit;
	memcpy((uint8_t *)to + known->at, value, length);
	if (known->type == HANDOVER_BURST)
		r->room = length;
	return 0;
}

static int
check_found(const struct reader *r, struct error *err)
{
	for (size_t i = 0; i < SECTIONS; i++)
		if (!(sections[i].type & HANDOVER_OPTIONAL) &&
		    !(r->found & 1u << i))
			return error_set(err, EINVAL,
					 "the handover record is damaged: "
					 "section %#x is missing",
					 sections[i].type);
	if (r->at != r->length)
		return error_set(
			err, EINVAL,
			"the handover record is damaged: its end is at "
			"byte %zu, expected %zu",
			r->at, r->length);
	return 0;
}

static int
copy_sections(struct reader *r, struct handover *to, struct error *err)
{
	struct handover_section section = { .type = HANDOVER_END };
	const uint8_t *value = NULL;
	int ret;

	do {
		ret = next_section(r, &section, &value, err);
		if (ret == 0 && section.type != HANDOVER_END)
			ret = copy_value(r, to, &section, value, err);
	} while (ret == 0 && section.type != HANDOVER_END);
	return ret == 0 ? check_found(r, err) : ret;
}

static int
read_header(struct reader *r, size_t size, struct error *err)
{
	uint32_t version, length;

	if (size < HEADER_SIZE ||
	    memcmp(r->bytes, HANDOVER_MAGIC, strlen(HANDOVER_MAGIC)) != 0)
		return error_set(err, EINVAL,
				 "the handover record is damaged: expected "
				 "\"" HANDOVER_MAGIC "\" at its beginning");
	version = get_le32(r->bytes + 8);
	length = get_le32(r->bytes + 12);
	if (version != HANDOVER_VERSION)
		return error_set(err, EINVAL,
				 "the handover record has version %u, expected "
				 "%u: only another version of pflashd can take "
				 "over the guest's flash",
				 version, HANDOVER_VERSION);
	if (length < HEADER_SIZE || length > size)
		return error_set(err, EINVAL,
				 "the handover record is damaged: its length "
				 "is %u bytes, but the file has %zu bytes",
				 length, size);
	r->length = length;
	r->at = HEADER_SIZE;
	return 0;
}

static int
copy_stream(struct reader *r, struct handover *to, size_t size,
	    struct error *err)
{
	int ret = read_header(r, size, err);

	return ret == 0 ? copy_sections(r, to, err) : ret;
}

static bool
is_of(const struct handover *record, const char *incarnation)
{
	return record->attached && incarnation[0] &&
	       strncmp(record->incarnation, incarnation,
		       sizeof(record->incarnation)) == 0;
}

static int
check_value(uint32_t value, uint32_t most, const char *name, struct error *err)
{
	if (value <= most)
		return 0;
	return error_set(err, EINVAL,
			 "the handover record has the unsupported value %s = "
			 "%u",
			 name, value);
}

static int
check_burst(const struct handover *to, size_t room, struct error *err)
{
	uint32_t length = handover_now(to)->burst.length;

	if (length == 0 ||
	    (length <= HANDOVER_BURST_LIMIT && room >= RECORD_ROOM &&
	     length <= room - RECORD_ROOM))
		return 0;
	return error_set(err, EINVAL,
			 "the handover record has a burst of %u bytes, "
			 "expected at most %u bytes, and at most %zu bytes "
			 "with its header",
			 length, HANDOVER_BURST_LIMIT, room);
}

/* Checks the values of a record whose flash is attached. */
static int
check(const struct reader *r, const struct handover *to, struct error *err)
{
	int ret;

	if (r->unknown)
		return error_set(err, EINVAL,
				 "the handover record has an unknown section "
				 "%#x: only a newer version of pflashd can "
				 "take over the guest's flash",
				 r->unknown);
	ret = check_value(to->attached, HANDOVER_SAVED, "attached", err);
	if (ret == 0)
		ret = check_value(to->mode,
				  HANDOVER_DIRECT | HANDOVER_CHANGING |
					  HANDOVER_PAUSED,
				  "mode", err);
	if (ret == 0)
		ret = check_value(to->window_ready, 1, "window_ready", err);
	return ret == 0 ? check_burst(to, r->room, err) : ret;
}

/* Copies the valid state over the other state, which may be incomplete. */
static void
settle(struct handover *to)
{
	*handover_next(to) = *handover_now(to);
	to->vars[sizeof(to->vars) - 1] = '\0';
	lay_out(to);
}

/* pflashd 0.1 creates the file with zeros before it attaches a flash. */
static bool
is_blank(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size && i < HEADER_SIZE; i++)
		if (bytes[i])
			return false;
	return true;
}

int
handover_load(struct handover *to, const void *bytes, size_t size,
	      const char *incarnation, struct error *err)
{
	struct reader r = { .bytes = bytes, .room = sizeof(to->burst) };
	int ret = 0;

	if (is_blank(bytes, size))
		return 0;
	if (handover_v01_is(bytes, size))
		ret = handover_v01_copy(to, bytes, size, err);
	else
		ret = copy_stream(&r, to, size, err);
	if (ret == 0 && is_of(to, incarnation)) {
		ret = check(&r, to, err);
		if (ret == 0) {
			settle(to);
			return 1;
		}
	}
	empty(to);
	return ret;
}

void
handover_write(const struct handover_writer *writer, uint32_t accesses)
{
	struct handover *record = writer->record;
	struct handover_state *state = handover_next(record);

	state->request = record->request;
	state->progress = accesses;
	if (writer->chip) {
		store_note_burst(writer->store, &state->burst);
		cfi_save_again(writer->chip, state->chip, &state->changes);
	}
	handover_turn(record);
}

uint32_t
handover_progress(const struct handover *record, unsigned int vcpu)
{
	const struct handover_state *now = handover_now(record);

	return record->vcpu == vcpu + 1 && now->request == record->request ?
		       now->progress :
		       0;
}

uint32_t
handover_under_way(const struct handover *record)
{
	return record->vcpu ? handover_progress(record, record->vcpu - 1) : 0;
}

int
handover_check_vars(const struct handover *record, const char *path,
		    struct error *err)
{
	if (strncmp(record->vars, path, sizeof(record->vars) - 1) == 0)
		return 0;
	return error_set(err, EINVAL,
			 "the guest's flash is attached with %.200s: start "
			 "pflashd with this VARS file",
			 record->vars);
}

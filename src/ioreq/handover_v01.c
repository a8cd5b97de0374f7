/* SPDX-License-Identifier: BSD-2-Clause */
#include "handover_v01.h"

#include <errno.h>
#include <string.h>

#include "pflash/le.h"

/* Offsets in the file (docs/format.md); STATE_*: offsets in each state. */
enum {
	ATTACHED = 8,
	SERVER = 12,
	INCARNATION = 16,
	VARS = 112,
	BASE = 1136,
	FLASH_SIZE = 1144,
	MODE = 1148,
	WINDOW_READY = 1152,
	VCPU = 1156,
	REQUEST = 1160,
	TURN = 1168,
	TAKEOVERS = 1176,
	STATE = 1184,
	STATE_SIZE = 8232,
	BURST = 17648,
	BURST_SIZE = 69696,
	ALL = BURST + BURST_SIZE,

	STATE_PROGRESS = 8,
	STATE_CHANGES = 12,
	STATE_SEQUENCE = 16,
	STATE_LENGTH = 24,
	STATE_OPERATION = 28,
	STATE_NEXT = 32,
	STATE_CHIP = 40,
	CHIP_SIZE = STATE_SIZE - STATE_CHIP,
};

_Static_assert(
	sizeof(((struct handover *)0)->incarnation) == VARS - INCARNATION &&
		sizeof(((struct handover *)0)->vars) == BASE - VARS &&
		sizeof(((struct handover *)0)->burst) == BURST_SIZE &&
		CFI_STATE_MAX >= CHIP_SIZE,
	"fields of struct handover have room for those of the old record");

bool
handover_v01_is(const uint8_t *bytes, size_t size)
{
	static const char magic[] = "PFLASHL1";
	size_t len = sizeof(magic) - 1;

	return size >= len && memcmp(bytes, magic, len) == 0;
}

static void
copy_state(struct handover_state *to, const uint8_t *at)
{
	to->request = get_le64(at);
	to->progress = get_le32(at + STATE_PROGRESS);
	to->changes = get_le32(at + STATE_CHANGES);
	to->burst.sequence = get_le64(at + STATE_SEQUENCE);
	to->burst.length = get_le32(at + STATE_LENGTH);
	to->burst.operation = get_le32(at + STATE_OPERATION);
	to->burst.next = get_le32(at + STATE_NEXT);
	memcpy(to->chip, at + STATE_CHIP, CHIP_SIZE);
}

int
handover_v01_copy(struct handover *to, const uint8_t *bytes, size_t size,
		  struct error *err)
{
	if (size < ALL)
		return error_set(err, EINVAL,
				 "the handover record of pflashd 0.1 is "
				 "truncated: it has %zu bytes, expected %d",
				 size, ALL);
	to->attached = get_le32(bytes + ATTACHED);
	to->server = get_le32(bytes + SERVER);
	memcpy(to->incarnation, bytes + INCARNATION, sizeof(to->incarnation));
	memcpy(to->vars, bytes + VARS, sizeof(to->vars));
	to->base = get_le64(bytes + BASE);
	to->size = get_le32(bytes + FLASH_SIZE);
	to->mode = get_le32(bytes + MODE);
	to->window_ready = get_le32(bytes + WINDOW_READY);
	to->vcpu = get_le32(bytes + VCPU);
	to->request = get_le64(bytes + REQUEST);
	to->turn = get_le64(bytes + TURN);
	to->takeovers = get_le64(bytes + TAKEOVERS);
	for (unsigned int i = 0; i < 2; i++)
		copy_state(&to->state[i], bytes + STATE + i * STATE_SIZE);
	memcpy(to->burst, bytes + BURST, BURST_SIZE);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "order.h"

#include "chip.h"

#define SR_READY 0x80
#define SR_SEQUENCE 0x30
#define SR_CLEARED 0xba /* personality ovmf: SR.7 too */

#define TABLE_SIZE (1u << 18)
#define TABLE_FULL (TABLE_SIZE / 4 * 3)

enum waits { FOR_COMMAND, FOR_DATA, FOR_CONFIRM };

/* The state of a chip, and the number of accesses of each vCPU so far. */
union moment {
	struct {
		uint8_t done[ORDER_VCPUS];
		uint8_t byte[ORDER_PLACES];
		uint8_t erased; /* a bit for each place's block */
		uint8_t waits;
		uint8_t shows_array;
		uint8_t status;
	};
	uint64_t word[2];
};

struct search {
	const struct order *order;
	unsigned int unit;
	unsigned int visited;
	/* By vCPU and number of accesses made: the places at which it still
	 * sends a byte that may confirm an erase; a bit each. */
	uint8_t confirms[ORDER_VCPUS][ORDER_ACCESSES + 1];
};

/* --- the chip ------------------------------------------------------------- */

static void
command(union moment *m, uint8_t value)
{
	m->shows_array = 0;
	switch (value) {
	case CMD_PROGRAM:
	case CMD_PROGRAM_ALT: m->waits = FOR_DATA; break;
	case CMD_ERASE: m->waits = FOR_CONFIRM; break;
	case CMD_CONFIRM: m->status |= SR_READY; break; /* RESUME */
	case CMD_READ_STATUS: break;
	default: m->shows_array = 1;
	}
}

/* CLEAR STATUS leaves the view. */
static void
chip_write(union moment *m, unsigned int place, uint8_t value)
{
	uint8_t waits = m->waits;

	m->waits = FOR_COMMAND;
	if (waits == FOR_COMMAND && value == CMD_CLEAR_STATUS) {
		m->status &= (uint8_t)~SR_CLEARED;
		return;
	}
	if (waits == FOR_COMMAND) {
		command(m, value);
		return;
	}
	m->status |= SR_READY;
	if (waits == FOR_DATA) {
		m->byte[place] &= value;
	} else if (value == CMD_CONFIRM) {
		m->byte[place] = 0xff;
		m->erased |= (uint8_t)(1u << place);
	} else {
		m->status |= SR_SEQUENCE;
	}
}

static uint8_t
chip_read(const union moment *m, unsigned int place)
{
	return m->shows_array ? m->byte[place] : m->status;
}

/* --- visited states ------------------------------------------------------- */

static struct {
	uint64_t word[2];
	unsigned int search;
} table[TABLE_SIZE];
static unsigned int searches;

/* False if the state was visited before. */
static bool
visit(struct search *search, const union moment *m)
{
	uint64_t hash = (m->word[0] ^ m->word[1] * 0x9e3779b97f4a7c15u) *
			0xd6e8feb86659fd93u;
	unsigned int i = (unsigned int)(hash >> 40) % TABLE_SIZE;

	for (; table[i].search == searches; i = (i + 1) % TABLE_SIZE)
		if (table[i].word[0] == m->word[0] &&
		    table[i].word[1] == m->word[1])
			return false;
	table[i].search = searches;
	table[i].word[0] = m->word[0];
	table[i].word[1] = m->word[1];
	search->visited++;
	return true;
}

/* --- the search ----------------------------------------------------------- */

/* The vCPU's next access, or NULL. */
static const struct order_access *
next_of(const struct search *search, const union moment *m, unsigned int vcpu)
{
	const struct order_log *log = &search->order->log[vcpu];
	unsigned int done = m->done[vcpu];

	return done < log->count ? &log->access[done] : 0;
}

/* No write happens meanwhile: one pass finds all possible reads. */
static void
take_reads(const struct search *search, union moment *m)
{
	const struct order_access *next;
	unsigned int i;

	for (i = 0; i < ORDER_VCPUS; i++)
		while ((next = next_of(search, m, i)) && !next->is_write &&
		       chip_read(m, next->place) == next->value)
			m->done[i]++;
}

static bool
all_done(const struct search *search, const union moment *m)
{
	unsigned int i;

	for (i = 0; i < ORDER_VCPUS; i++)
		if (next_of(search, m, i))
			return false;
	return true;
}

static void
find_confirms(struct search *search)
{
	unsigned int vcpu, i;

	for (vcpu = 0; vcpu < ORDER_VCPUS; vcpu++) {
		const struct order_log *log = &search->order->log[vcpu];
		uint8_t places = 0;

		for (i = log->count; i-- > 0;
		     search->confirms[vcpu][i] = places)
			if (log->access[i].is_write &&
			    log->access[i].value == CMD_CONFIRM)
				places |= (uint8_t)(1u << log->access[i].place);
	}
}

/* True if the end cannot be reached: a bit that is set at the end is cleared
 * and no erase follows, or a block is erased that is not erased at the end. */
static bool
hopeless(const struct search *search, const union moment *m)
{
	unsigned int confirms = 0, i;

	for (i = 0; i < ORDER_VCPUS; i++)
		confirms |= search->confirms[i][m->done[i]];
	for (i = 0; i < ORDER_PLACES; i++) {
		const struct order_place *place = &search->order->place[i];

		if (m->erased >> i & 1 && !place->ones)
			return true;
		if (place->after & ~m->byte[i] && !(confirms >> i & 1))
			return true;
	}
	return false;
}

static bool
ends_as_seen(const struct search *search, union moment m)
{
	static const uint8_t end[] = { ORDER_END };
	unsigned int i;

	for (i = 0; i < sizeof(end); i++)
		chip_write(&m, 0, end[i]);
	if (m.status != search->order->status_after)
		return false;
	for (i = 0; i < ORDER_PLACES; i++) {
		const struct order_place *place = &search->order->place[i];

		if (m.byte[i] != place->after ||
		    !(m.erased >> i & 1 ? place->ones : place->kept))
			return false;
	}
	return true;
}

/* After a unit any vCPU may be next, within a unit only the same one. */
static bool
has_turn(const struct search *search, const union moment *m, unsigned int vcpu)
{
	unsigned int i;

	for (i = 0; i < ORDER_VCPUS; i++)
		if (i != vcpu && m->done[i] % search->unit)
			return false;
	return true;
}

static bool
explains(struct search *search, union moment m)
{
	unsigned int i;

	take_reads(search, &m);
	if (all_done(search, &m))
		return ends_as_seen(search, m);
	if (search->visited >= TABLE_FULL || hopeless(search, &m) ||
	    !visit(search, &m))
		return false;
	for (i = 0; i < ORDER_VCPUS; i++) {
		const struct order_access *next = next_of(search, &m, i);
		union moment then = m;

		if (!next || !next->is_write || !has_turn(search, &m, i))
			continue;
		chip_write(&then, next->place, next->value);
		then.done[i]++;
		if (explains(search, then))
			return true;
	}
	return false;
}

enum order_verdict
order_explain(const struct order *order, unsigned int unit,
	      unsigned int *visited)
{
	struct search search = { .order = order, .unit = unit };
	union moment m = { .word = { 0, 0 } };
	unsigned int i;
	bool found;

	for (i = 0; i < ORDER_PLACES; i++)
		m.byte[i] = order->place[i].before;
	m.status = order->status_before;
	m.shows_array = 1;
	find_confirms(&search);
	searches++;
	found = explains(&search, m);
	if (*visited < search.visited)
		*visited = search.visited;
	if (found)
		return ORDER_FOUND;
	return search.visited >= TABLE_FULL ? ORDER_UNKNOWN : ORDER_NONE;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several vCPUs write to one chip concurrently.
 *
 * The checks, and why a correct server always passes them:
 *
 *  - Rounds: four vCPUs make twelve accesses each, without a lock, to a byte
 *    of their own and to a shared byte. The commands of the chip have two
 *    cycles and there is one chip: data of one vCPU may become a command of
 *    another. Many results are correct, but each must be explained by an order
 *    of the forty-eight accesses; order.c searches for that order.
 *
 *    In direct mode a read is not an access of the chip but of a frame, which
 *    pflashd may be filling for another vCPU's write. Each byte changes once
 *    in a fill: a read has the value before or after that write. No vCPU here
 *    reads two places without a write of its own between them, after which all
 *    frames have their final contents. Each read therefore has one place in
 *    the order.
 *
 *  - Locked: whole operations, one at a time. Each value is known.
 *
 *  - Crowd: all vCPUs at once. While the chip is in array mode and receives
 *    only READ ARRAY, each vCPU reads its own block in any order. Then each
 *    programs a byte of its own without a lock: in every order the byte's bits
 *    are only cleared, by one of the two cycles at its address.
 *
 *  - Always: no other byte changes. `image` has the expected contents of the
 *    flash; only explained bytes are copied into it from the flash.
 *
 * order.c knows all bytes that may become commands: every data byte written
 * without a lock is odd, and READ ARRAY is the only odd command.
 */
#include "tests.h"

#include "chip.h"
#include "flash.h"
#include "order.h"
#include "vcpu.h"
#include "xen.h"

#define BLOCK FLASH_PAGE
#define FLASH_MAX (8u * FLASH_SIZE)
#define SR_READY 0x80
#define OPERATION 6u /* accesses, in a round */
#define STRING 4u    /* bytes that a locked operation programs */
#define MARK_AT 0xff0u
#define CROWD_AT 0xf00u

static struct hammer hammer;
static uint8_t image[FLASH_MAX] __attribute__((aligned(BLOCK)));
static uint8_t seen[FLASH_MAX] __attribute__((aligned(BLOCK)));

/* --- addresses ------------------------------------------------------------ */

static uint32_t
shared_block(void)
{
	return hammer.size - (hammer.vcpus + 1) * BLOCK;
}

static uint32_t
own_block(unsigned int id)
{
	return shared_block() + (id + 1) * BLOCK;
}

/* --- failures ------------------------------------------------------------- */

/* The first wrong value that a vCPU found; vCPU 0 reports it. */
static struct {
	const char *what;
	uint32_t off;
	uint64_t wanted, got;
} wrong[VCPU_MAX];

static void
expect(unsigned int id, const char *what, uint32_t off, uint64_t wanted,
       uint64_t got)
{
	if (wanted == got || wrong[id].what)
		return;
	wrong[id].off = off;
	wrong[id].wanted = wanted;
	wrong[id].got = got;
	wrong[id].what = what;
}

static void
tell(const char *label, uint64_t value)
{
	con_text(label);
	con_hex(value);
}

static void
tell_wrong(void)
{
	unsigned int id;

	for (id = 0; id < hammer.vcpus; id++) {
		if (!wrong[id].what)
			continue;
		con_text("# failed: ");
		con_text(wrong[id].what);
		tell(": vcpu ", id);
		tell(" at ", wrong[id].off);
		tell(" wanted ", wrong[id].wanted);
		tell(" got ", wrong[id].got);
		con_char('\n');
		wrong[id].what = 0;
	}
}

/* --- the flash ------------------------------------------------------------ */

static void
put(uint32_t off, uint8_t value)
{
	*flash_at(off) = value;
}

static uint8_t
get(uint32_t off)
{
	return *flash_at(off);
}

static uint64_t
get8(const volatile uint8_t *from)
{
	return *(const volatile uint64_t *)from;
}

static void
read_flash(uint32_t off, uint32_t len)
{
	const volatile void *si = flash_at(off);
	void *di = seen + off;
	uint64_t count = len / 8;

	__asm__ volatile("rep movsq"
			 : "+S"(si), "+D"(di), "+c"(count)
			 :
			 : "memory");
}

/* Ends an unfinished command, reads the flash into `seen`; the status. */
static uint8_t
settle(void)
{
	static const uint8_t end[] = { ORDER_END };
	unsigned int i;
	uint8_t status;

	for (i = 0; i < sizeof(end); i++)
		put(shared_block(), end[i]);
	status = get(shared_block());
	put(shared_block(), CMD_CLEAR_STATUS);
	put(shared_block(), CMD_READ_ARRAY);
	read_flash(0, hammer.size);
	return status;
}

/* Compares the bytes read of [off, off + len) with the expected ones. */
static void
check_range(unsigned int id, const char *what, uint32_t off, uint32_t len)
{
	uint32_t at;

	for (at = off; at < off + len; at += 8)
		expect(id, what, at, get8(image + at), get8(seen + at));
}

static void
check_flash(const char *what)
{
	settle();
	check_range(0, what, 0, hammer.size);
	tell_wrong();
}

/* --- rounds --------------------------------------------------------------- */

enum kind { PROGRAM, ERASE, CLEAR };

static struct order order;
static uint32_t place_at[ORDER_PLACES]; /* the first is shared */
static unsigned int crew[ORDER_VCPUS], round_number;

static void
log_access(struct order_log *log, bool is_write, uint8_t place, uint8_t value)
{
	struct order_access *access = &log->access[log->count++];

	access->is_write = is_write;
	access->place = place;
	access->value = value;
}

static void
operation(struct order_log *log, uint8_t place, enum kind kind, uint8_t data)
{
	static const uint8_t first[] = {
		[PROGRAM] = CMD_PROGRAM_ALT,
		[ERASE] = CMD_ERASE,
		[CLEAR] = CMD_CLEAR_STATUS,
	};
	const uint8_t second[] = {
		[PROGRAM] = data,
		[ERASE] = CMD_CONFIRM,
		[CLEAR] = CMD_READ_STATUS,
	};
	const uint8_t values[] = { first[kind], second[kind], CMD_READ_ARRAY };
	unsigned int i;

	for (i = 0; i < sizeof(values); i++) {
		put(place_at[place], values[i]);
		log_access(log, true, place, values[i]);
		log_access(log, false, place, get(place_at[place]));
	}
}

static void
own_operation(struct order_log *log, unsigned int n)
{
	static const enum kind kinds[] = { PROGRAM, CLEAR, PROGRAM, ERASE };

	operation(log, (uint8_t)(n + 1), kinds[(round_number + n) % 4],
		  (uint8_t)(round_number * 16 + n * 2 + 1));
}

/* Each vCPU clears a bit of its own in the shared byte. */
static void
shared_operation(struct order_log *log, unsigned int n)
{
	operation(log, 0, (round_number + n) % 8 == 5 ? ERASE : PROGRAM,
		  (uint8_t) ~(2u << n));
}

static void
round_job(unsigned int id)
{
	struct order_log *log;
	unsigned int n = 0;

	while (crew[n] != id)
		n++;
	log = &order.log[n];
	vcpu_meet(ORDER_VCPUS);
	if ((round_number + n) % 2) {
		own_operation(log, n);
		shared_operation(log, n);
	} else {
		shared_operation(log, n);
		own_operation(log, n);
	}
}

/* Selects the vCPUs and places of a round; the vCPUs change from round to
 * round. */
static void
prepare_round(void)
{
	unsigned int n;

	place_at[0] = shared_block() + round_number * 29 % BLOCK;
	for (n = 0; n < ORDER_VCPUS; n++) {
		order.log[n].count = 0;
		crew[n] = (round_number + n * hammer.vcpus / ORDER_VCPUS) %
			  hammer.vcpus;
		place_at[n + 1] = own_block(crew[n]) +
				  round_number * 13 % BLOCK;
	}
	for (n = 0; n < ORDER_PLACES; n++)
		order.place[n].before = image[place_at[n]];
	order.status_before = 0;
}

static void
run_crew(void)
{
	unsigned int n;

	for (n = 0; n < ORDER_VCPUS; n++)
		if (crew[n] != 0)
			vcpu_give(crew[n], round_job);
	for (n = 0; n < ORDER_VCPUS; n++)
		if (crew[n] == 0)
			round_job(0);
	for (n = 0; n < ORDER_VCPUS; n++)
		if (crew[n] != 0)
			vcpu_wait(crew[n]);
}

/* Records the result at one place and in its block; `image` takes it over. */
static void
look_at(struct order_place *place, uint32_t at)
{
	uint32_t first = at - at % BLOCK, i;

	place->after = seen[at];
	place->kept = true;
	place->ones = true;
	for (i = first; i < first + BLOCK; i++) {
		if (i == at)
			continue;
		place->kept &= seen[i] == image[i];
		place->ones &= seen[i] == 0xff;
	}
	for (i = first; i < first + BLOCK; i++)
		image[i] = seen[i];
}

static void
tell_log(unsigned int n)
{
	const struct order_log *log = &order.log[n];
	unsigned int i;

	for (i = 0; i < log->count; i++) {
		tell("# vcpu ", crew[n]);
		tell(" access ", i);
		con_text(log->access[i].is_write ? " w" : " r");
		tell(" ", place_at[log->access[i].place]);
		tell(" ", log->access[i].value);
		con_char('\n');
	}
}

static void
tell_round(enum order_verdict verdict)
{
	unsigned int n;

	con_text(verdict == ORDER_NONE ? "# failed: no order explains round " :
					 "# failed: the search fails, round ");
	con_decimal(round_number);
	tell(", which left status ", order.status_after);
	con_char('\n');
	for (n = 0; n < ORDER_VCPUS; n++)
		tell_log(n);
	for (n = 0; n < ORDER_PLACES; n++) {
		tell("# at ", place_at[n]);
		tell(" before ", order.place[n].before);
		tell(" after ", order.place[n].after);
		con_text(order.place[n].kept ? ", rest kept" : "");
		con_text(order.place[n].ones ? ", rest ones\n" : "\n");
	}
}

/* True if the accesses of the vCPUs interleaved. */
static bool
one_round(unsigned int *visited)
{
	enum order_verdict verdict;
	unsigned int n, unused = 0;

	prepare_round();
	run_crew();
	order.status_after = settle();
	for (n = 0; n < ORDER_PLACES; n++)
		look_at(&order.place[n], place_at[n]);
	verdict = order_explain(&order, 1, visited);
	if (verdict != ORDER_FOUND)
		tell_round(verdict);
	check_range(0, "outside of the round's blocks", 0, hammer.size);
	tell_wrong();
	return order_explain(&order, OPERATION, &unused) != ORDER_FOUND;
}

static void
rounds(void)
{
	unsigned int interleaved = 0, visited = 0;

	for (round_number = 0; round_number < hammer.count; round_number++)
		interleaved += one_round(&visited);
	con_text("# rounds ");
	con_decimal(hammer.count);
	con_text(" interleaved ");
	con_decimal(interleaved);
	con_text(" visited ");
	con_decimal(visited);
	con_char('\n');
}

/* --- with the lock -------------------------------------------------------- */

static void
program(unsigned int id, uint32_t off, uint8_t value)
{
	put(off, CMD_PROGRAM);
	put(off, value);
	expect(id, "status of a program", off, SR_READY, get(off));
	image[off] &= value;
}

static void
erase(unsigned int id, uint32_t block)
{
	uint32_t i;

	put(block + id, CMD_ERASE);
	put(block + id, CMD_CONFIRM);
	expect(id, "status of an erase", block, SR_READY, get(block));
	for (i = block; i < block + BLOCK; i++)
		image[i] = 0xff;
}

static void
locked_operation(unsigned int id, uint32_t i)
{
	uint32_t block = i % 3 == 1 ? shared_block() : own_block(id);
	uint32_t off = block + (i * 52 + id * 4) % (BLOCK - STRING), k;

	if ((i + id) % 8 == 6) {
		erase(id, block);
	} else {
		for (k = 0; k < STRING; k++)
			program(id, off + k,
				(uint8_t)(id * 37 + i * 11 + k * 3));
	}
	put(off, CMD_READ_ARRAY);
	read_flash(block, BLOCK);
	check_range(id, "read with the lock held", block, BLOCK);
}

static void
locked_job(unsigned int id)
{
	uint32_t i;

	for (i = 0; i < hammer.count; i++) {
		vcpu_lock(id);
		locked_operation(id, i);
		vcpu_unlock();
	}
}

static void
tell_done(const char *what)
{
	con_text(what);
	con_decimal(hammer.vcpus);
	con_text(" vcpus, ");
	con_decimal(hammer.count);
	con_text(" times\n");
}

/* --- all at once ---------------------------------------------------------- */

static uint8_t
crowd_data(unsigned int id)
{
	return (uint8_t)(2 * id + 1);
}

static void
mark_job(unsigned int id)
{
	uint32_t i;

	vcpu_lock(id);
	erase(id, own_block(id));
	for (i = 0; i < 8; i++)
		program(id, own_block(id) + MARK_AT + i,
			(uint8_t)(id * 3 + i * 0x1d));
	put(own_block(id), CMD_READ_ARRAY);
	vcpu_unlock();
}

static void
read_job(unsigned int id)
{
	uint32_t off = own_block(id) + MARK_AT, i;

	vcpu_meet(hammer.vcpus);
	for (i = 0; i < hammer.count; i++) {
		put(off, CMD_READ_ARRAY);
		expect(id, "read in the crowd", off, get8(image + off),
		       get8(flash_at(off)));
	}
}

static void
crowd_job(unsigned int id)
{
	vcpu_meet(hammer.vcpus);
	put(own_block(id) + CROWD_AT, CMD_PROGRAM_ALT);
	put(own_block(id) + CROWD_AT, crowd_data(id));
}

static void
check_crowd(void)
{
	unsigned int id, programmed = 0;

	settle();
	for (id = 0; id < hammer.vcpus; id++) {
		uint32_t at = own_block(id) + CROWD_AT;
		uint8_t value = seen[at], data = crowd_data(id);

		if (value != 0xff && value != CMD_PROGRAM_ALT &&
		    value != data && value != (data & CMD_PROGRAM_ALT))
			expect(id, "left by the crowd", at, data, value);
		programmed += value != 0xff;
		image[at] = value;
	}
	check_range(0, "outside of the crowd's bytes", 0, hammer.size);
	tell_wrong();
	con_text("# crowd programmed ");
	con_decimal(programmed);
	con_char('\n');
}

static void
crowd(void)
{
	vcpu_all(hammer.vcpus, mark_job);
	check_flash("after the marks");
	vcpu_all(hammer.vcpus, read_job);
	check_flash("after the crowd's reads");
	tell_done("# crowd: ");
	vcpu_all(hammer.vcpus, crowd_job);
	check_crowd();
}

/* --- the tests ------------------------------------------------------------ */

static uint32_t
crc32(const uint8_t *bytes, uint32_t len)
{
	uint32_t crc = ~0u, bit;

	while (len--) {
		crc ^= *bytes++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static bool
begin(struct hammer wanted)
{
	unsigned int id;
	uint32_t i;

	hammer = wanted;
	if (hammer.vcpus < ORDER_VCPUS || hammer.vcpus > VCPU_MAX ||
	    hammer.size > FLASH_MAX || hammer.size / BLOCK < hammer.vcpus + 1) {
		con_text("# failed: these options make no sense\n");
		return false;
	}
	for (id = 1; id < hammer.vcpus; id++) {
		if (!vcpu_prepare(id)) {
			con_text("# failed: Xen refuses vcpu ");
			con_decimal(id);
			con_char('\n');
			return false;
		}
	}
	settle();
	for (i = 0; i < hammer.size; i++)
		image[i] = seen[i];
	return true;
}

static void
finish(void)
{
	check_flash("at the end");
	tell("# crc32 ", crc32(image, hammer.size));
	con_char('\n');
}

void
test_hammer(struct hammer wanted)
{
	if (!begin(wanted))
		return;
	rounds();
	vcpu_all(hammer.vcpus, locked_job);
	check_flash("after the locked operations");
	tell_done("# locked: ");
	crowd();
	finish();
}

void
test_late(struct hammer wanted)
{
	unsigned int id;

	if (!begin(wanted))
		return;
	for (id = hammer.vcpus - 1; id > 0; id--) {
		locked_job(0);
		vcpu_give(id, locked_job);
		locked_job(0);
	}
	for (id = 1; id < hammer.vcpus; id++)
		vcpu_wait(id);
	check_flash("after the last one came");
	tell_done("# late: ");
	finish();
}

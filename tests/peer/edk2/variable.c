/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests MdeModulePkg's variable driver and its fault-tolerant write driver on
 * top of OVMF's flash driver, through the services that an operating system
 * calls. Variables are set, appended to, deleted and read at random, over many
 * boots and reclaims of the variable store; the flash's store is closed and
 * reopened between boots, and in some scenarios the machine is stopped during a
 * call.
 *
 * Every boot is a process. The expected variables are in memory that these
 * processes share.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "AutoGen.h"

#include <Guid/EventGroup.h>
#include <Library/BaseMemoryLib.h>
#include <Library/UefiRuntimeServicesTableLib.h>

#include "check.h"
#include "core.h"
#include "drivers.h"
#include "guest.h"
#include "pflash/fv.h"
#include "pflash/store.h"

#ifdef PEER_BUFFERED
#define NAME "Variable-128K-buffered"
#else
#define NAME (PEER_PLATFORM == 2 ? "Variable-128K" : "Variable-528K")
#endif
#define VARIABLES 40u
/* All variables, and a second copy of one, fit into the variable store. */
#define MAX_DATA (NV_VARIABLE_SIZE / VARIABLES - 200)
#define NAME_CHARS 12
/* Fewer boots for the larger store, whose reclaim takes a million writes. */
#define SLOWNESS (PEER_PLATFORM == 2 ? 1u : 4u)

struct variable {
	bool exists;
	uint32_t attributes;
	uint32_t size;
	uint8_t data[MAX_DATA];
};

static struct shared {
	struct variable variables[VARIABLES];
	/*
	 * The new value of variable `changing`, once the current call has
	 * returned.
	 */
	struct variable next;
	int changing; /* index of that variable, or -1 */
	unsigned int reclaims;
	unsigned int cuts;
	unsigned int overflows; /* reads that drivers_overflowed() explains */
} * shared;

static EFI_GUID vendor = { 0x5c9bd2a1,
			   0x11d2,
			   0x4b3a,
			   { 0x9a, 0x2c, 1, 2, 3, 4, 5, 6 } };

/* --- names --- */

static CHAR16 *
name_of(unsigned int index)
{
	static CHAR16 name[NAME_CHARS];
	char text[NAME_CHARS];

	snprintf(text, sizeof(text), "Peer%04u", index);
	for (unsigned int i = 0; i < NAME_CHARS; i++)
		name[i] = (CHAR16)text[i];
	return name;
}

/* Returns the index of a variable of this test, or -1 for any other. */
static int
index_of(const CHAR16 *name, const EFI_GUID *guid)
{
	if (!CompareGuid(guid, &vendor))
		return -1;
	return (name[4] - '0') * 1000 + (name[5] - '0') * 100 +
	       (name[6] - '0') * 10 + (name[7] - '0');
}

/* --- reading --- */

static bool
is_like(const struct variable *wanted, EFI_STATUS status, uint32_t attributes,
	const uint8_t *data, UINTN size)
{
	if (!wanted->exists)
		return status == EFI_NOT_FOUND;
	return status == EFI_SUCCESS && attributes == wanted->attributes &&
	       size == wanted->size && memcmp(data, wanted->data, size) == 0;
}

static void
read_variable(unsigned int i)
{
	static uint8_t data[MAX_DATA];
	struct variable *wanted = &shared->variables[i];
	UINT32 attributes = 0;
	UINTN size = sizeof(data);
	EFI_STATUS status = gRT->GetVariable(name_of(i), &vendor, &attributes,
					     &size, data);

	hooks_settle();
	/*
	 * The machine stopped while this variable was being set: all or
	 * nothing.
	 */
	if ((int)i == shared->changing) {
		if (is_like(&shared->next, status, attributes, data, size))
			*wanted = shared->next;
		shared->changing = -1;
	}
	if (status == EFI_SUCCESS && size == wanted->size &&
	    !is_like(wanted, status, attributes, data, size) &&
	    drivers_overflowed()) {
		shared->overflows++;
		return;
	}
	check_that(is_like(wanted, status, attributes, data, size),
		   "variable %u: status %#lx, %lu bytes, wanted %s%u", i,
		   (unsigned long)status, (unsigned long)size,
		   wanted->exists ? "" : "none of ", wanted->size);
}

/* Enumerates the variables: each must be found exactly once. */
static void
enumerate(void)
{
	bool found[VARIABLES] = { false };
	CHAR16 name[256] = { 0 };
	EFI_GUID guid = { 0 };
	EFI_STATUS status;

	for (;;) {
		UINTN size = sizeof(name);
		int i;

		status = gRT->GetNextVariableName(&size, name, &guid);
		hooks_settle();
		if (EFI_ERROR(status))
			break;
		i = index_of(name, &guid);
		if (i < 0)
			continue;
		check_that(i < (int)VARIABLES && !found[i],
			   "variable %d is listed twice", i);
		found[i % (int)VARIABLES] = true;
	}
	check_that(status == EFI_NOT_FOUND, "the list ended with %#lx",
		   (unsigned long)status);
	for (unsigned int i = 0; i < VARIABLES; i++)
		check_that(found[i] == shared->variables[i].exists,
			   "variable %u is %slisted", i,
			   found[i] ? "" : "not ");
}

/* --- writing --- */

static void
set_variable(unsigned int i, uint32_t attributes, const uint8_t *data,
	     uint32_t size, EFI_STATUS wanted)
{
	EFI_STATUS status;

	shared->changing = (int)i;
	status = gRT->SetVariable(name_of(i), &vendor, attributes, size,
				  (void *)data);
	hooks_settle();
	check_that(status == wanted,
		   "variable %u set to %u bytes: wanted %#lx, got %#lx", i,
		   size, (unsigned long)wanted, (unsigned long)status);
	if (status == EFI_SUCCESS)
		shared->variables[i] = shared->next;
	shared->changing = -1;
}

static void
change(unsigned int i)
{
	static uint8_t data[MAX_DATA];
	struct variable *old = &shared->variables[i];
	struct variable *next = &shared->next;
	uint32_t attributes = EFI_VARIABLE_NON_VOLATILE |
			      EFI_VARIABLE_BOOTSERVICE_ACCESS |
			      (check_below(2) ? EFI_VARIABLE_RUNTIME_ACCESS :
						0);
	uint32_t size = 1 +
			check_below(check_below(4) ? MAX_DATA / 2 : MAX_DATA);

	if (old->exists)
		attributes = old->attributes;
	check_random_data(data, size);
	*next = *old;
	next->exists = true;
	next->attributes = attributes;
	if (check_below(6) == 0 && old->exists &&
	    old->size + size <= MAX_DATA) {
		memcpy(next->data + old->size, data, size);
		next->size += size;
		attributes |= EFI_VARIABLE_APPEND_WRITE;
	} else {
		memcpy(next->data, data, size);
		next->size = size;
	}
	set_variable(i, attributes, data, size, EFI_SUCCESS);
}

static void delete (unsigned int i)
{
	struct variable *old = &shared->variables[i];
	EFI_STATUS wanted = old->exists ? EFI_SUCCESS : EFI_NOT_FOUND;

	shared->next = *old;
	shared->next.exists = false;
	set_variable(i, old->attributes, NULL, 0, wanted);
}

/* Sets the same value, which must not write, and one that is too large. */
static void
change_nothing(unsigned int i)
{
	static uint8_t data[MAX_AUTH_VARIABLE_SIZE + 1];
	struct variable *old = &shared->variables[i];
	uint32_t attributes = EFI_VARIABLE_NON_VOLATILE |
			      EFI_VARIABLE_BOOTSERVICE_ACCESS;

	shared->next = *old;
	if (check_below(2))
		set_variable(i, old->exists ? old->attributes : attributes,
			     data, sizeof(data), EFI_INVALID_PARAMETER);
	else if (old->exists)
		set_variable(i, old->attributes, old->data, old->size,
			     EFI_SUCCESS);
}

/* --- boots --- */

static uint32_t
sum_working(void)
{
	const uint8_t *image = guest_image();
	uint32_t sum = 1;

	for (uint32_t i = 0; i < NV_WORKING_SIZE; i++)
		sum = sum * 31 + image[NV_WORKING_BASE - FLASH_BASE + i];
	return sum;
}

struct boot {
	enum window_mode mode;
	enum store_sync sync;
	unsigned int calls;
	uint32_t cut;       /* stop at this access during the calls; 0: never */
	uint32_t cut_start; /* the same, counted from the start */
	bool no_os;         /* power off before an OS starts */
	bool compacts;      /* the host compacts before each boot */
};

/* One boot of the machine, to its end or to the cut. */
static void
run_boot(const void *arg)
{
	const struct boot *boot = arg;

	guest_power_on(&(struct guest_config){
		.vars = check_path("variables.fd"),
		.base = FLASH_BASE,
		.size = FLASH_SIZE,
		.width = 1,
		.interleave = 1,
		.blocks = "4K",
		.mode = boot->mode,
		.personality = CFI_OVMF,
		.sync = boot->sync,
	});
	guest_cut_after(boot->cut_start);
	drivers_start();
	for (unsigned int i = 0; i < VARIABLES; i++)
		read_variable(i);
	enumerate();
	if (!boot->cut_start)
		guest_cut_after(boot->cut);
	for (unsigned int call = 0; call < boot->calls; call++) {
		unsigned int i = check_below(VARIABLES);
		uint32_t working = sum_working();

		switch (check_below(8)) {
		case 0: delete (i); break;
		case 1: change_nothing(i); break;
		case 2: read_variable(i); break;
		default: change(i); break;
		}
		shared->reclaims += working != sum_working();
	}
	if (!boot->no_os)
		core_signal_group(&gEfiEventReadyToBootGuid);
	guest_cut_after(0);
	for (unsigned int i = 0; i < VARIABLES; i++)
		read_variable(i);
	check_that(guest_verify(), "the device is not valid");
	guest_power_off();
}

static bool
boot_machine(const struct boot *boot)
{
	return guest_boot(run_boot, boot, 100000, &shared->cuts);
}

static void
new_machine(void)
{
	struct model model;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		check_give_up("out of memory");
	shared->changing = -1;
	model_open(&model, FLASH_SIZE);
	fv_format(fv_layout_by_size(FLASH_SIZE), model.bytes);
	model_write_file(&model, "variables.fd");
	free(model.bytes);
}

/* Compacts the store while the machine is off; returns the bytes gained. */
static int
compact(void)
{
	static uint8_t image[FLASH_SIZE];
	const struct store_config config = {
		.path = check_path("variables.fd"),
		.burst_limit = STORE_MAX_SIZE,
	};
	struct store *store;
	struct error err;
	int gained;

	if (store_open(&store, &config, NULL, &err) < 0)
		check_give_up("%s", err.text);
	gained = fv_compact(store_image(store), FLASH_SIZE, image, &err);
	check_that(gained >= 0, "fv_compact(): %s", err.text);
	if (gained > 0)
		check_that(store_replace(store, image) == 0 &&
				   store_commit(store) == 0,
			   "the compacted image cannot be stored");
	store_close(store);
	return gained;
}

/* Boots longer, by chance, until the store has been compacted. */
static void
run_boots(const void *arg)
{
	const struct boot *boot = arg;
	unsigned int boots = (check_options.longer ? 40 : 8) / SLOWNESS;
	unsigned int most = 20 * boots, done = 0, compacted = 0;
	bool enough;

	new_machine();
	do {
		compacted += boot->compacts && compact() > 0;
		enough = shared->reclaims && (compacted || !boot->compacts);
	} while ((done < boots || (done < most && !enough)) && ++done &&
		 boot_machine(boot));
	check_that(shared->reclaims > 0, "there was no reclaim");
	check_that(compacted > 0 || !boot->compacts,
		   "the host never compacted");
	printf("# %s: %u reclaims, %u by the host\n", NAME, shared->reclaims,
	       compacted);
}

static void
read_file(uint8_t *image)
{
	FILE *file = fopen(check_path("variables.fd"), "rb");

	if (!file || fread(image, 1, FLASH_SIZE, file) != FLASH_SIZE)
		check_give_up("variables.fd cannot be read");
	fclose(file);
}

/* Returns true if the driver will reclaim before it starts an OS. */
static bool
is_due(const uint8_t *image)
{
	struct fv_report report;

	fv_check(image, FLASH_SIZE, &report);
	return report.codes & (UINT64_C(1) << FV_RECLAIM_DUE);
}

/* Compares fv_compact() with the driver's own reclaim of the same store. */
static void
run_reclaims(const void *arg)
{
	static uint8_t before[FLASH_SIZE], wanted[FLASH_SIZE],
		after[FLASH_SIZE];
	const struct boot *filling = arg;
	const struct boot quiet = { .mode = filling->mode,
				    .sync = filling->sync };
	unsigned int boots = check_options.longer ? 200 : 40, compared = 0;
	struct error err;

	new_machine();
	while (boots-- && boot_machine(filling)) {
		read_file(before);
		if (!is_due(before))
			continue;
		check_that(fv_compact(before, FLASH_SIZE, wanted, &err) > 0,
			   "fv_compact(): %s", err.text);
		if (!boot_machine(&quiet))
			break;
		read_file(after);
		check_that(
			memcmp(after, wanted, NV_VARIABLE_SIZE) == 0,
			"the driver's store differs from that of fv_compact()");
		compared++;
	}
	check_that(compared > 0, "there was no reclaim");
	printf("# %s: %u reclaims compared\n", NAME, compared);
}

/* --- stops in a reclaim at boot --- */

/* Puts complete writes into the queue, up to the last one that fits. */
static void
fill_queue(uint8_t *block)
{
	static const uint8_t write[80] = { [0] = 0xf8, [24] = 1, [40] = 0xf9 };

	for (uint32_t off = 32; off + 80 <= NV_WORKING_SIZE; off += 80)
		memcpy(block + off, write, sizeof(write));
}

/*
 * The working block of other histories: full, erased, with an invalid header,
 * without a header.  The rest of the time it stays.
 */
static void
change_working_block(uint8_t *block)
{
	switch (check_below(8)) {
	case 0:
	case 1:
	case 2: fill_queue(block); break;
	case 3: memset(block, 0xff, NV_WORKING_SIZE); break;
	case 4: block[check_below(32)] ^= (uint8_t)(1 << check_below(8)); break;
	case 5: memset(block, 0xff, 32); break;
	default: break;
	}
}

static struct store *
open_store(void)
{
	const struct store_config config = {
		.path = check_path("variables.fd"),
		.burst_limit = STORE_MAX_SIZE,
	};
	struct store *store;
	struct error err;

	if (store_open(&store, &config, NULL, &err) < 0)
		check_give_up("%s", err.text);
	return store;
}

/* Reads the image as of the last burst before a stop. */
static void
read_store(uint8_t *image)
{
	struct store *store = open_store();

	memcpy(image, store_image(store), FLASH_SIZE);
	store_close(store);
}

static void
write_store(const uint8_t *image)
{
	struct store *store = open_store();

	if (store_replace(store, image) < 0 || store_commit(store) < 0)
		check_give_up("the image cannot be stored");
	store_close(store);
}

/* The images that fv_compact() compacted and refused. */
struct outcomes {
	unsigned int tries;
	uint32_t accesses;      /* of the last boot that was not stopped */
	unsigned int compacted; /* compared with a reclaim */
	unsigned int begun;     /* those with a begun write */
	unsigned int invalid;   /* those without a valid working block */
	unsigned int left;      /* no reclaim was due, and none happened */
	unsigned int completed; /* the driver completed the write */
	unsigned int damaged;   /* refused because of its findings */
};

static void
count_findings(struct outcomes *outcomes, const struct fv_report *report)
{
	outcomes->compacted++;
	for (unsigned int i = 0; i < report->count; i++)
		switch (report->findings[i].code) {
		case FV_FTW_BEGUN: outcomes->begun++; break;
		case FV_FTW_BLANK:
		case FV_FTW_SIGNATURE:
		case FV_FTW_CRC:
		case FV_FTW_STATE:
		case FV_FTW_QUEUE_SIZE:
		case FV_FTW_IN_SPARE: outcomes->invalid++; break;
		default: break;
		}
}

/*
 * The variable region that the driver's next boot must leave of `before`:
 * `compacted`, `before`, or the copy in the spare area; NULL: not predicted.
 */
static const uint8_t *
predict(const uint8_t *before, uint8_t *compacted, struct outcomes *outcomes)
{
	bool due = is_due(before);
	struct fv_report report;
	struct error err;
	int ret = fv_compact(before, FLASH_SIZE, compacted, &err);

	fv_check(before, FLASH_SIZE, &report);
	if (ret >= 0 && due) {
		count_findings(outcomes, &report);
		return compacted;
	}
	if (ret >= 0) {
		outcomes->left++;
		return before;
	}
	if (ret == -EBUSY && !due && report.in_spare) {
		outcomes->completed++;
		return before + report.layout->ftw_spare;
	}
	outcomes->damaged += ret != -EBUSY;
	return NULL;
}

/* A quarter of the stops are early: then the working block is reclaimed. */
static uint32_t
any_access(uint32_t accesses)
{
	return 1 + check_below(check_below(4) ? accesses : accesses / 16);
}

/*
 * Stops the machine while it boots with the image `due`, before an OS starts.
 * Its next boot must leave the variable region that fv_compact() makes of the
 * result.
 */
static bool
try_stop(const struct boot *quiet, const uint8_t *due,
	 struct outcomes *outcomes)
{
	static uint8_t before[FLASH_SIZE], compacted[FLASH_SIZE],
		after[FLASH_SIZE];
	struct boot stopped = *quiet;
	const uint8_t *wanted;
	uint64_t count;

	outcomes->tries++;
	memcpy(before, due, FLASH_SIZE);
	change_working_block(before + NV_WORKING_BASE - FLASH_BASE);
	write_store(before);
	stopped.cut_start = any_access(outcomes->accesses);
	stopped.sync = check_below(4) ? STORE_SYNC_OP : STORE_SYNC_NONE;
	if (!boot_machine(&stopped))
		return false;
	read_store(before);
	wanted = predict(before, compacted, outcomes);
	count = check_totals->accesses;
	if (!boot_machine(quiet))
		return false;
	outcomes->accesses = (uint32_t)(check_totals->accesses - count);
	read_file(after);
	return check_that(!wanted ||
				  memcmp(after, wanted, NV_VARIABLE_SIZE) == 0,
			  "the next boot left another store");
}

/* Many tries, and more if they did not reach the states of the block. */
static bool
is_enough(const struct outcomes *outcomes, unsigned int least)
{
	return outcomes->tries >= 20 * least ||
	       (outcomes->tries >= least && outcomes->begun > 0 &&
		outcomes->invalid > 0);
}

/* The machine is stopped while it boots with a store that needs a reclaim. */
static void
run_stopped(const void *arg)
{
	static uint8_t due[FLASH_SIZE];
	const struct boot *filling = arg;
	const struct boot quiet = { .mode = filling->mode,
				    .sync = filling->sync };
	const unsigned int least = (check_options.longer ? 300u : 16u) /
				   SLOWNESS;
	struct outcomes outcomes = { .accesses = 8 * NV_VARIABLE_SIZE };

	new_machine();
	while (!is_enough(&outcomes, least) && boot_machine(filling)) {
		read_file(due);
		for (unsigned int i = 0; is_due(due) && i < 8; i++)
			if (!try_stop(&quiet, due, &outcomes))
				return;
	}
	check_that(outcomes.begun > 0 && outcomes.invalid > 0,
		   "no reclaim was compared");
	printf("# %s: stopped %u times; %u reclaims compared, %u of them with "
	       "a begun write, %u without a valid block; %u stores left as "
	       "they were, %u writes completed, %u refused\n",
	       NAME, shared->cuts, outcomes.compacted, outcomes.begun,
	       outcomes.invalid, outcomes.left, outcomes.completed,
	       outcomes.damaged);
}

/*
 * Ends the process of machine and store between two accesses, without closing
 * the files. Only the variable being set may change.
 */
static void
run_cuts(const void *arg)
{
	struct boot boot = *(const struct boot *)arg;
	unsigned int boots = (check_options.longer ? 400 : 12) / SLOWNESS;
	uint32_t span = 2 * NV_VARIABLE_SIZE;

	new_machine();
	/* A boot may end before its cut: then there is a further one. */
	for (unsigned int i = 0;
	     i < boots || (shared->cuts == 0 && i < 16 * boots); i++) {
		boot.cut = 1 + check_below(i % 4 ? span : 16 * span);
		if (!boot_machine(&boot))
			break;
	}
	boot.cut = 0;
	boot.calls = 0;
	boot_machine(&boot);
	check_that(shared->cuts > 0, "the machine was never stopped");
	check_that(shared->reclaims > 0 || !check_options.longer,
		   "there was no reclaim");
	printf("# %s: stopped %u times, %u reclaims, %u reads of a variable "
	       "that the driver put beyond the end of its store\n",
	       NAME, shared->cuts, shared->reclaims, shared->overflows);
}

int
main(int argc, char **argv)
{
	static const struct boot direct = { .mode = WINDOW_DIRECT,
					    .sync = STORE_SYNC_BURST,
					    .calls = 200 };
	static const struct boot trap = { .mode = WINDOW_TRAP,
					  .sync = STORE_SYNC_BURST,
					  .calls = 200 };
	static const struct boot op = { .mode = WINDOW_TRAP,
					.sync = STORE_SYNC_OP,
					.calls = 200 };
	static const struct boot compacted = { .mode = WINDOW_DIRECT,
					       .sync = STORE_SYNC_BURST,
					       .calls = 200,
					       .compacts = true };
	static const struct boot filling = { .mode = WINDOW_DIRECT,
					     .sync = STORE_SYNC_NONE,
					     .calls = 12,
					     .no_os = true };

	check_start(NAME, argc, argv);
	check_scenario("boots, direct", run_boots, &direct);
	check_scenario("boots, trap", run_boots, &trap);
	check_scenario("boots, compacted by the host", run_boots, &compacted);
	check_scenario("reclaims by the driver and by fv_compact()",
		       run_reclaims, &filling);
	check_scenario("stopped reclaims, then the driver or fv_compact()",
		       run_stopped, &filling);
	check_scenario("the machine is stopped", run_cuts, &direct);
	check_scenario("the machine is stopped, sync op", run_cuts, &op);
	return check_finish();
}

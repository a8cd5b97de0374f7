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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "AutoGen.h"

#include <Guid/EventGroup.h>
#include <Library/BaseMemoryLib.h>
#include <Library/UefiBootServicesTableLib.h>
#include <Library/UefiRuntimeServicesTableLib.h>
#include <Protocol/FaultTolerantWrite.h>
#include <Protocol/VariableWrite.h>

#include "check.h"
#include "core.h"
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

EFI_STATUS EFIAPI FvbInitialize(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);
EFI_STATUS EFIAPI FaultTolerantWriteInitialize(EFI_HANDLE image,
					       EFI_SYSTEM_TABLE *table);
EFI_STATUS EFIAPI VariableServiceInitialize(EFI_HANDLE image,
					    EFI_SYSTEM_TABLE *table);

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
	unsigned int overflows; /* reads that driver_overflowed() explains */
} * shared;

static EFI_GUID vendor = { 0x5c9bd2a1,
			   0x11d2,
			   0x4b3a,
			   { 0x9a, 0x2c, 1, 2, 3, 4, 5, 6 } };
static EFI_GUID write_ready = EFI_VARIABLE_WRITE_ARCH_PROTOCOL_GUID;
static EFI_GUID ftw_ready = EFI_FAULT_TOLERANT_WRITE_PROTOCOL_GUID;

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

/*
 * A defect of edk2's driver: a variable header that a stop left without
 * attributes (all ones) counts as a hardware error record, so that the driver's
 * total of the other variables is too small by that header (the loop at the end
 * of VariableNonVolatile.c).  Its next variables may go that far beyond the end
 * of the store; they are in the flash, but not in the driver's copy in memory,
 * from which GetVariable() reads.
 */
static bool
driver_overflowed(void)
{
	bool torn = false, beyond = false;
	struct fv_report report;

	fv_check(guest_image(), FLASH_SIZE, &report);
	for (unsigned int i = 0; i < report.count; i++) {
		torn |= report.findings[i].code == FV_VARIABLE_TORN;
		beyond |= report.findings[i].code == FV_VARIABLE_SIZE;
	}
	return torn && beyond;
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
	    driver_overflowed()) {
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
	uint32_t cut;  /* stop at this access during the calls; 0: never */
	bool no_os;    /* power off before an OS starts */
	bool compacts; /* the host compacts before each boot */
};

static void
start_drivers(void)
{
	EFI_SYSTEM_TABLE *table = &core_system_table;

	if (FvbInitialize(gImageHandle, table) != EFI_SUCCESS)
		check_give_up("the flash driver did not start");
	if (FaultTolerantWriteInitialize(gImageHandle, table) != EFI_SUCCESS)
		check_give_up("the fault-tolerant write driver did not start");
	core_protocol(&ftw_ready);
	if (VariableServiceInitialize(gImageHandle, table) != EFI_SUCCESS)
		check_give_up("the variable driver did not start");
	core_protocol(&write_ready);
	core_signal_group(&gEfiEndOfDxeEventGroupGuid);
	hooks_settle();
}

/* One boot of the machine, to its end or to the cut. */
static void
run_boot(const struct boot *boot)
{
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
	start_drivers();
	for (unsigned int i = 0; i < VARIABLES; i++)
		read_variable(i);
	enumerate();
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

/* Boots in a new process; returns false if that did not end as expected. */
static bool
boot_machine(const struct boot *boot)
{
	uint32_t skip = check_random() % 100000;
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		while (skip--)
			check_random();
		run_boot(boot);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		check_give_up("fork");
	if (WIFEXITED(status) && WEXITSTATUS(status) == GUEST_CUT) {
		shared->cuts++;
		return true;
	}
	return check_that(status == 0, "a boot ended with status %#x", status);
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

static void
run_boots(const void *arg)
{
	const struct boot *boot = arg;
	unsigned int boots = (check_options.longer ? 40 : 8) / SLOWNESS;
	unsigned int compacted = 0;

	new_machine();
	do
		compacted += boot->compacts && compact() > 0;
	while (boots-- && boot_machine(boot));
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
	for (unsigned int i = 0; i < report.count; i++)
		if (report.findings[i].code == FV_RECLAIM_DUE)
			return true;
	return false;
}

/* Compares fv_compact() with the driver's own reclaim of the same store. */
static void
run_reclaims(const void *arg)
{
	static uint8_t before[FLASH_SIZE], wanted[FLASH_SIZE],
		after[FLASH_SIZE];
	const struct boot *filling = arg;
	const struct boot quiet = { filling->mode, filling->sync, 0, 0,
				    false,         false };
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
	for (unsigned int i = 0; i < boots; i++) {
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
	static const struct boot direct = { WINDOW_DIRECT, STORE_SYNC_BURST,
					    200,           0,
					    false,         false };
	static const struct boot trap = { WINDOW_TRAP, STORE_SYNC_BURST,
					  200,         0,
					  false,       false };
	static const struct boot op = { WINDOW_TRAP, STORE_SYNC_OP, 200,
					0,           false,         false };
	static const struct boot compacted = { WINDOW_DIRECT, STORE_SYNC_BURST,
					       200,           0,
					       false,         true };
	static const struct boot filling = {
		WINDOW_DIRECT, STORE_SYNC_NONE, 12, 0, true, false
	};

	check_start(NAME, argc, argv);
	check_scenario("boots, direct", run_boots, &direct);
	check_scenario("boots, trap", run_boots, &trap);
	check_scenario("boots, compacted by the host", run_boots, &compacted);
	check_scenario("reclaims by the driver and by fv_compact()",
		       run_reclaims, &filling);
	check_scenario("the machine is stopped", run_cuts, &direct);
	check_scenario("the machine is stopped, sync op", run_cuts, &op);
	return check_finish();
}

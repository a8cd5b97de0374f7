/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edk2's variable driver on a flash with pinned variables (pflash/pins.h).
 *
 * A guest changes ordinary variables, and tries to change pinned ones in
 * between, over many boots and reclaims; in some scenarios the machine is
 * stopped during a call.  The next boot must find every pinned variable with
 * the host's value, and every ordinary one with its newest acknowledged value.
 * No burst of an ordinary change may be refused.
 *
 * The driver believes that a refused change was stored, until its next boot.
 * So the pinned variables are compared at the start of a boot only.
 *
 * A refused change can be one for which the driver reclaims the store.  Then
 * the flash keeps the store from before the reclaim until the next one, and the
 * changes in between are not stored (pins_held()).
 *
 * Every boot is a process.  The expected variables are in memory that these
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
#include <Guid/ImageAuthentication.h>
#include <Library/UefiRuntimeServicesTableLib.h>

#include "check.h"
#include "core.h"
#include "drivers.h"
#include "guest.h"
#include "pflash/fv.h"
#include "pflash/store.h"

#define NAME (PEER_PLATFORM == 2 ? "Pinned-128K" : "Pinned-528K")
#define PINNED 6u
#define VARIABLES 30u /* the first ones are pinned */
/* All variables, and a second copy of one, fit into the variable store. */
#define MAX_DATA (NV_VARIABLE_SIZE / 40 - 200)
#define NAME_CHARS 20
/* Fewer boots for the larger store, whose reclaim takes a million writes. */
#define SLOWNESS (PEER_PLATFORM == 2 ? 1u : 4u)

#define NV_BS (EFI_VARIABLE_NON_VOLATILE | EFI_VARIABLE_BOOTSERVICE_ACCESS)
#define RT EFI_VARIABLE_RUNTIME_ACCESS
#define AUTH EFI_VARIABLE_TIME_BASED_AUTHENTICATED_WRITE_ACCESS

struct value {
	bool exists;
	uint32_t size;
	uint8_t data[MAX_DATA];
};

struct variable {
	struct value value; /* the newest, or the host's */
	struct value next;  /* once the current call has returned */
	bool loose;         /* `held` is as good as `value` */
	struct value held;  /* the value in the flash while changes are held */
};

static struct shared {
	struct variable variables[VARIABLES];
	int changing;          /* index of the variable in a call, or -1 */
	bool pins;             /* the boot has pins */
	unsigned int judged;   /* calls with active pins */
	unsigned int attempts; /* of them: forbidden changes */
	unsigned int refusals; /* bursts */
	unsigned int wrong;    /* of them: of ordinary changes */
	unsigned int grown;    /* allowed changes of dbx */
	unsigned int held;     /* refused reclaims */
	unsigned int reclaims;
	unsigned int cuts;
	unsigned int mended;    /* stores that the driver could not start */
	unsigned int overflows; /* reads that drivers_overflowed() explains */
} * shared;

static EFI_GUID ordinary = { 0x5c9bd2a1,
			     0x11d2,
			     0x4b3a,
			     { 0x9a, 0x2c, 1, 2, 3, 4, 5, 8 } };

static const struct {
	const char *name;
	EFI_GUID guid;
	uint32_t attributes;
	uint32_t size;
} pinned[PINNED] = {
	{ "PK", EFI_GLOBAL_VARIABLE, NV_BS | RT | AUTH, 800 },
	{ "KEK", EFI_GLOBAL_VARIABLE, NV_BS | RT | AUTH, 1000 },
	{ "db", EFI_IMAGE_SECURITY_DATABASE_GUID, NV_BS | RT | AUTH, 700 },
	{ "dbx", EFI_IMAGE_SECURITY_DATABASE_GUID, NV_BS | RT | AUTH, 0 },
	{ "SecureBootEnable",
	  { 0xf0a30bc7,
	    0xaf08,
	    0x4556,
	    { 0x99, 0xc4, 0x0, 0x10, 0x9, 0xc9, 0x3a, 0x44 } },
	  NV_BS,
	  1 },
	/* Pinned as missing. */
	{ "dbt", EFI_IMAGE_SECURITY_DATABASE_GUID, NV_BS | RT | AUTH, 0 },
};

enum { DBX = 3, DBT = 5 };

/* --- of this boot --- */

static bool tainted[PINNED]; /* the driver has another value than the flash */
static bool forbidden;       /* the current call may be refused */
static unsigned int refused; /* bursts of the current call */

static void
count_refusal(void *opaque, const char *why)
{
	(void)opaque;
	refused++;
	shared->refusals++;
	if (forbidden || guest_held())
		return;
	shared->wrong++;
	check_that(false, "refused an ordinary change: %s", why);
}

/* --- values --- */

static bool
is_pinned(unsigned int i)
{
	return i < PINNED;
}

static CHAR16 *
name_of(unsigned int i)
{
	static CHAR16 name[NAME_CHARS];
	char text[NAME_CHARS];

	if (is_pinned(i))
		snprintf(text, sizeof(text), "%s", pinned[i].name);
	else
		snprintf(text, sizeof(text), "Peer%04u", i);
	for (unsigned int c = 0; c < NAME_CHARS; c++)
		name[c] = (CHAR16)text[c];
	return name;
}

static EFI_GUID *
guid_of(unsigned int i)
{
	return is_pinned(i) ? (EFI_GUID *)&pinned[i].guid : &ordinary;
}

static uint32_t
attributes_of(unsigned int i)
{
	return is_pinned(i) ? pinned[i].attributes : NV_BS | (i % 2 ? RT : 0);
}

/* Writes a signature list with one SHA-256; returns its size. */
static uint32_t
put_hash(uint8_t *data)
{
	static const EFI_GUID type = EFI_CERT_SHA256_GUID;
	const uint32_t sizes[3] = { 76, 0, 48 };

	memcpy(data, &type, 16);
	memcpy(data + 16, sizes, 12);
	for (unsigned int i = 28; i < 76; i++)
		data[i] = (uint8_t)check_random();
	return 76;
}

static bool
is_equal(const struct value *a, const struct value *b)
{
	return a->exists == b->exists &&
	       (!a->exists ||
		(a->size == b->size && !memcmp(a->data, b->data, a->size)));
}

/* --- reading --- */

static EFI_STATUS
get(unsigned int i, struct value *value)
{
	UINTN size = sizeof(value->data);
	UINT32 attributes = 0;
	EFI_STATUS status = gRT->GetVariable(name_of(i), guid_of(i),
					     &attributes, &size, value->data);

	hooks_settle();
	value->exists = status == EFI_SUCCESS;
	value->size = (uint32_t)size;
	if (value->exists)
		check_that(attributes == attributes_of(i),
			   "variable %u has other attributes", i);
	return status;
}

static void
read_variable(unsigned int i)
{
	static struct value now;
	struct variable *variable = &shared->variables[i];
	EFI_STATUS status = get(i, &now);

	/* The machine stopped in this change: all or nothing. */
	if ((int)i == shared->changing && is_equal(&now, &variable->next))
		variable->value = variable->next;
	else if (variable->loose && is_equal(&now, &variable->held))
		variable->value = variable->held;
	if (!is_equal(&now, &variable->value) && now.exists &&
	    now.size == variable->value.size && drivers_overflowed()) {
		shared->overflows++;
		return;
	}
	check_that((status == EFI_SUCCESS || status == EFI_NOT_FOUND) &&
			   is_equal(&now, &variable->value),
		   "%s variable %u: status %#lx, %u bytes, wanted %s%u",
		   is_pinned(i) ? "pinned" : "ordinary", i,
		   (unsigned long)status, now.size,
		   variable->value.exists ? "" : "none of ",
		   variable->value.size);
}

static void
read_all(void)
{
	for (unsigned int i = 0; i < VARIABLES; i++) {
		read_variable(i);
		shared->variables[i].loose = false;
	}
	shared->changing = -1;
}

/* --- writing --- */

/* The time of an authenticated value; equal ones make no difference here. */
static EFI_STATUS
call_driver(unsigned int i, uint32_t more, const struct value *value)
{
	static uint8_t buffer[MAX_DATA + 64];
	EFI_VARIABLE_AUTHENTICATION_2 head = { 0 };
	uint32_t attributes = attributes_of(i) | more, skip = 0;
	uint32_t size = value->exists ? value->size : 0;
	EFI_STATUS status;

	if (attributes & AUTH) {
		skip = OFFSET_OF(EFI_VARIABLE_AUTHENTICATION_2, AuthInfo) +
		       OFFSET_OF(WIN_CERTIFICATE_UEFI_GUID, CertData);
		head.AuthInfo.Hdr.dwLength =
			OFFSET_OF(WIN_CERTIFICATE_UEFI_GUID, CertData);
		head.TimeStamp.Year = 2020;
		head.TimeStamp.Month = head.TimeStamp.Day = 1;
		memcpy(buffer, &head, skip);
	}
	memcpy(buffer + skip, value->data, size);
	status = gRT->SetVariable(name_of(i), guid_of(i), attributes,
				  skip + size, buffer);
	hooks_settle();
	return status;
}

/* Keeps the values that the flash has from a refused reclaim on. */
static void
hold(void)
{
	for (unsigned int i = 0; i < VARIABLES; i++) {
		shared->variables[i].held = shared->variables[i].value;
		shared->variables[i].loose = true;
	}
	shared->held++;
}

static void
change_ordinary(unsigned int i)
{
	struct variable *variable = &shared->variables[i];
	struct value *next = &variable->next;
	EFI_STATUS status;

	*next = variable->value;
	next->exists = !next->exists || check_below(5);
	next->size = 1 + check_below(check_below(4) ? MAX_DATA / 2 : MAX_DATA);
	check_random_data(next->data, next->size);
	shared->changing = (int)i;
	status = call_driver(i, 0, next);
	/* The driver reads from a cache that held changes have made wrong. */
	check_that(status == EFI_SUCCESS || variable->loose,
		   "variable %u set to %u bytes: %#lx", i, next->size,
		   (unsigned long)status);
	variable->value = *next;
	shared->changing = -1;
}

/* Signature lists behind those of dbx. */
static void
grow(void)
{
	static struct value more;
	struct variable *variable = &shared->variables[DBX];
	struct value *next = &variable->next;
	EFI_STATUS status;

	if (tainted[DBX] || variable->value.size + 76 > MAX_DATA)
		return;
	more.exists = true;
	more.size = put_hash(more.data);
	*next = variable->value;
	memcpy(next->data + next->size, more.data, more.size);
	next->size += more.size;
	shared->changing = DBX;
	status = call_driver(DBX, EFI_VARIABLE_APPEND_WRITE, &more);
	check_that(status == EFI_SUCCESS || guest_held(), "dbx: %#lx",
		   (unsigned long)status);
	variable->value = *next;
	shared->changing = -1;
	shared->grown++;
}

/* Another value, none, a shorter one, or bytes that are no signature list. */
static void
attack(unsigned int i)
{
	static struct value bad;
	const struct value *host = &shared->variables[i].value;
	uint32_t more = 0;

	bad = *host;
	switch (check_below(4)) {
	case 0: bad.exists = false; break;
	case 1: bad.size /= 2; break;
	case 2:
		bad.size = 1 + check_below(60);
		more = EFI_VARIABLE_APPEND_WRITE;
		memset(bad.data, 0x5a, bad.size);
		break;
	default:
		bad.exists = true;
		bad.size = 1 + check_below(MAX_DATA);
		check_random_data(bad.data, bad.size);
		break;
	}
	if (!host->exists)
		bad = (struct value){ .exists = true, .size = 1 };
	else if (bad.size == host->size && bad.exists)
		bad.data[check_below(bad.size)] ^= 1;
	if (host->size + bad.size > MAX_DATA)
		more = 0;
	forbidden = true;
	call_driver(i, more, &bad);
	forbidden = false;
	shared->attempts++;
	check_that(refused > 0 || tainted[i] || guest_held(),
		   "a change of %s was not refused", pinned[i].name);
	tainted[i] = true;
}

/* --- boots --- */

struct boot {
	enum window_mode mode;
	enum store_sync sync;
	unsigned int calls;
	unsigned int attacks; /* of 16 calls */
	uint64_t cut;         /* stop at this access of the calls; 0: never */
	uint32_t commits;     /* accesses between two idle commits; 0: none */
	bool replaced;        /* a new server between two calls */
};

static uint32_t
sum_working(void)
{
	const uint8_t *image = guest_image();
	uint32_t sum = 1;

	for (uint32_t i = 0; i < NV_WORKING_SIZE; i++)
		sum = sum * 31 + image[NV_WORKING_BASE - FLASH_BASE + i];
	return sum;
}

static void
call(const struct boot *boot)
{
	uint32_t working = sum_working();
	bool held = guest_held();

	refused = 0;
	if (check_below(16) < boot->attacks)
		attack(check_below(PINNED));
	else if (check_below(16) == 0)
		grow();
	else
		change_ordinary(PINNED + check_below(VARIABLES - PINNED));
	shared->judged++;
	shared->reclaims += working != sum_working();
	if (!held && guest_held())
		hold();
}

/* A refused change, and an ordinary one behind it. */
static void
call_both(void)
{
	refused = 0;
	attack(DBX);
	change_ordinary(PINNED);
	shared->judged += 2;
}

static void
power_on(const struct boot *boot, const char *pins)
{
	guest_power_on(&(struct guest_config){
		.vars = check_path("pinned.fd"),
		.base = FLASH_BASE,
		.size = FLASH_SIZE,
		.width = 1,
		.interleave = 1,
		.blocks = "4K",
		.mode = boot->mode,
		.personality = CFI_OVMF,
		.sync = boot->sync,
		.pins = pins,
		.on_refusal = count_refusal,
	});
}

static void
power_off(void)
{
	check_that(guest_verify(), "the device is not valid");
	guest_power_off();
}

/* Stopped in these calls, or not at all. */
static void
run_both(const void *arg)
{
	const struct boot *boot = arg;

	power_on(boot, "keys");
	drivers_start();
	read_all();
	guest_cut_after(boot->cut);
	call_both();
	guest_cut_after(0);
	power_off();
}

static void
run_boot(const void *arg)
{
	const struct boot *boot = arg;

	power_on(boot, "keys");
	drivers_start();
	read_all();
	guest_cut_after(boot->cut);
	guest_commit_often(boot->commits);
	for (unsigned int i = 0; i < boot->calls; i++) {
		if (boot->replaced && check_below(8) == 0)
			guest_new_server();
		call(boot);
	}
	core_signal_group(&gEfiEventReadyToBootGuid);
	guest_cut_after(0);
	for (unsigned int i = PINNED; i < VARIABLES; i++)
		if (!shared->variables[i].loose)
			read_variable(i);
	power_off();
}

/* The boot at which the host's keys are enrolled. */
static void
run_first(const void *arg)
{
	const struct boot *boot = arg;

	power_on(boot, NULL);
	drivers_start();
	for (unsigned int i = 0; i < PINNED; i++) {
		struct value *value = &shared->variables[i].value;

		value->size = pinned[i].size;
		check_random_data(value->data, value->size);
		if (i == DBX)
			value->size = put_hash(value->data);
		value->exists = i != DBT;
		if (value->exists)
			check_that(call_driver(i, 0, value) == EFI_SUCCESS,
				   "%s was not set", pinned[i].name);
	}
	power_off();
}

static bool
boot_machine(void (*run)(const void *), const struct boot *boot)
{
	return guest_boot(run, boot, 100000, &shared->cuts);
}

static void
new_machine(const struct boot *boot)
{
	struct model model;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		check_give_up("out of memory");
	shared->changing = -1;
	model_open(&model, FLASH_SIZE);
	fv_format(fv_layout_by_size(FLASH_SIZE), model.bytes);
	model_write_file(&model, "pinned.fd");
	free(model.bytes);
	boot_machine(run_first, boot);
}

static void
report(void)
{
	check_that(shared->attempts > 0 && shared->refusals > 0,
		   "no change was refused");
	check_that(shared->wrong == 0, "ordinary changes were refused");
	printf("# %s: %u calls judged, %u attempts on pinned variables, %u "
	       "bursts refused, %u of ordinary changes; dbx grew %u times; %u "
	       "reclaims, %u of them refused; stopped %u times, %u queues "
	       "mended; %u reads of a variable beyond the end of the store\n",
	       NAME, shared->judged, shared->attempts, shared->refusals,
	       shared->wrong, shared->grown, shared->reclaims, shared->held,
	       shared->cuts, shared->mended, shared->overflows);
}

static void
run_boots(const void *arg)
{
	const struct boot *boot = arg;
	unsigned int boots = (check_options.longer ? 60 : 8) / SLOWNESS;

	new_machine(boot);
	while (boots-- && boot_machine(run_boot, boot))
		;
	check_that(shared->reclaims > 0, "there was no reclaim");
	check_that(shared->held > 0 || !check_options.longer,
		   "no reclaim was refused");
	report();
}

static void
read_file(uint8_t *image)
{
	FILE *file = fopen(check_path("pinned.fd"), "rb");

	if (!file || fread(image, 1, FLASH_SIZE, file) != FLASH_SIZE)
		check_give_up("pinned.fd cannot be read");
	fclose(file);
}

/*
 * The machine is stopped at each access of a refused change and of an ordinary
 * one behind it, or at some of them.
 */
static void
run_each_stop(const void *arg)
{
	static struct shared before;
	struct boot boot = *(const struct boot *)arg, quiet = boot;
	struct model model;
	unsigned int cuts;

	quiet.calls = 0;
	new_machine(&boot);
	boot_machine(run_boot, &boot);
	boot_machine(run_boot, &quiet);
	model_open(&model, FLASH_SIZE);
	read_file(model.bytes);
	before = *shared;
	for (boot.cut = 1;;
	     boot.cut += check_options.longer ? 1 : 1 + check_below(97)) {
		cuts = shared->cuts;
		model_write_file(&model, "pinned.fd");
		if (!boot_machine(run_both, &boot) ||
		    !boot_machine(run_boot, &quiet) || cuts == shared->cuts)
			break;
		memcpy(shared->variables, before.variables,
		       sizeof(before.variables));
	}
	check_that(shared->cuts > 0, "the machine was never stopped");
	report();
	free(model.bytes);
}

/*
 * A stop between two bytes of a write's sizes leaves sizes that fit no write:
 * the driver could hang, and pflashd does not start the guest.  `pflashctl
 * check` has the way out, which this takes.
 */
static void
mend_queue(void)
{
	const struct store_config config = { .path = check_path("pinned.fd") };
	const struct fv_layout *layout = fv_layout_by_size(FLASH_SIZE);
	struct fv_report report = { .count = 0 };
	struct store *store;
	struct error err;

	if (store_open(&store, &config, NULL, &err) < 0)
		check_give_up("%s", err.text);
	fv_check(store_image(store), FLASH_SIZE, &report);
	if (report.codes & UINT64_C(1) << FV_FTW_QUEUE) {
		shared->mended++;
		if (store_erase(store, layout->ftw_work,
				layout->ftw_spare - layout->ftw_work) < 0)
			check_give_up("the working block cannot be erased");
	}
	store_close(store);
}

/* Stops between any two accesses, without closing the files. */
static void
run_cuts(const void *arg)
{
	struct boot boot = *(const struct boot *)arg;
	unsigned int boots = (check_options.longer ? 600 : 24) / SLOWNESS;
	uint32_t span = 2 * NV_VARIABLE_SIZE;

	new_machine(&boot);
	for (unsigned int i = 0; i < boots; i++) {
		boot.cut = 1 + check_below(i % 4 ? span / 8 : 8 * span);
		if (!boot_machine(run_boot, &boot))
			break;
		mend_queue();
	}
	boot.cut = 0;
	boot.calls = 0;
	boot_machine(run_boot, &boot);
	check_that(shared->cuts > 0, "the machine was never stopped");
	report();
}

int
main(int argc, char **argv)
{
	static const struct boot direct = { .mode = WINDOW_DIRECT,
					    .sync = STORE_SYNC_BURST,
					    .calls = 200,
					    .attacks = 2 };
	static const struct boot trap = { .mode = WINDOW_TRAP,
					  .sync = STORE_SYNC_OP,
					  .calls = 200,
					  .attacks = 6 };
	static const struct boot idle = { .mode = WINDOW_DIRECT,
					  .sync = STORE_SYNC_VARIABLE,
					  .calls = 200,
					  .attacks = 2,
					  .commits = 5000,
					  .replaced = true };
	static const struct boot few = { .mode = WINDOW_DIRECT,
					 .sync = STORE_SYNC_BURST,
					 .calls = 30 };

	check_start(NAME, argc, argv);
	check_scenario("refusals, direct", run_boots, &direct);
	check_scenario("refusals, trap, sync op", run_boots, &trap);
	check_scenario("refusals, idle commits and new servers", run_boots,
		       &idle);
	check_scenario("a refusal, stopped at each access", run_each_stop,
		       &few);
	check_scenario("refusals, the machine is stopped", run_cuts, &direct);
	check_scenario("refusals, idle commits, the machine is stopped",
		       run_cuts, &idle);
	check_scenario("refusals, sync op, the machine is stopped", run_cuts,
		       &trap);
	return check_finish();
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares the edits of an image (pflash/edit.h) with edk2's variable driver.
 *
 * While a guest runs, each of its changes is also made by an edit, and the
 * variable regions of both images must be equal, byte by byte.  The rest of the
 * flash is not compared: the driver reclaims through the spare area and notes
 * that in the working block, an edit does not.
 *
 * While the guest is off, edits change its image.  Its next boot must find
 * exactly those variables.
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

#include "pflash/edit.h"

/* edk2's names of attributes have the same values, which the test needs. */
#include "AutoGen.h"

#include <Guid/ImageAuthentication.h>
#include <Library/UefiRuntimeServicesTableLib.h>

#include "check.h"
#include "core.h"
#include "drivers.h"
#include "guest.h"
#include "pflash/fv.h"
#include "pflash/store.h"

#define NAME (PEER_PLATFORM == 2 ? "Edit-128K" : "Edit-528K")
#define VARIABLES 60u
/* Sometimes all variables together do not fit into the store. */
#define MAX_DATA (MAX_AUTH_VARIABLE_SIZE + 1)
#define SMALL_DATA (NV_VARIABLE_SIZE / 96)
#define NAME_CHARS 12
/* Fewer calls for the larger store, whose reclaim takes a million writes. */
#define SLOWNESS (PEER_PLATFORM == 2 ? 1u : 4u)
#define AUTH EFI_VARIABLE_TIME_BASED_AUTHENTICATED_WRITE_ACCESS

struct value {
	bool exists;
	uint32_t attributes;
	struct variable_time time;
	uint32_t size;
	uint8_t data[MAX_DATA];
};

static struct shared {
	struct value values[VARIABLES];
	/* The value of variable `changing` once the current call returns. */
	struct value next;
	int changing;          /* index of that variable, or -1 */
	unsigned int equal;    /* regions compared */
	unsigned int reclaims; /* of them after a reclaim */
	unsigned int refused;  /* changes that both refused */
	unsigned int offline;  /* changes while the guest was off */
	unsigned int stops;
	unsigned int begun;     /* images after a stop, compared with a boot */
	unsigned int completed; /* of them with a pending write */
	unsigned int damaged;   /* images that a stop made unusable */
} * shared;

static EFI_GUID vendor = { 0x5c9bd2a1,
			   0x11d2,
			   0x4b3a,
			   { 0x9a, 0x2c, 1, 2, 3, 4, 5, 7 } };
static EFI_GUID error_flag_vendor = { 0x04b37fe8,
				      0xf6ae,
				      0x480b,
				      { 0xbd, 0xd5, 0x37, 0xd9, 0x8c, 0x5e,
					0x89, 0xaa } };

/* An edit of the same image, while the guest runs. */
static struct edit *twin;
static bool plain; /* the store has the shorter headers */

/* Names of several lengths, so that all paddings occur. */
static CHAR16 *
name_of(unsigned int index, uint32_t *size)
{
	static CHAR16 name[NAME_CHARS];
	char text[NAME_CHARS];

	snprintf(text, sizeof(text), "%02u%.*s", index, (int)(index % 7),
		 "abcdefg");
	*size = 0;
	do {
		name[*size / 2] = (CHAR16)text[*size / 2];
		*size += 2;
	} while (name[*size / 2 - 1]);
	return name;
}

/* --- the edit --- */

static int
apply(struct edit *edit, unsigned int i, const struct value *next)
{
	struct edit_value value = {
		.guid = (const uint8_t *)&vendor,
		.attributes = next->attributes,
		.time = next->time,
		.data = next->data,
		.data_size = next->size,
	};

	value.name = (const uint8_t *)name_of(i, &value.name_size);
	if (next->exists)
		return edit_set(edit, &value, NULL);
	return edit_remove(edit, value.guid, value.name, value.name_size, NULL);
}

static bool
same_time(const struct variable_time *a, const struct variable_time *b)
{
	return a->year == b->year && a->month == b->month && a->day == b->day &&
	       a->hour == b->hour && a->minute == b->minute &&
	       a->second == b->second;
}

static bool
holds(const struct varstore *store, unsigned int i, const struct value *value)
{
	struct variable v;
	uint32_t size;
	const uint8_t *name = (const uint8_t *)name_of(i, &size);

	if (varstore_find(store, (const uint8_t *)&vendor, name, size, &v) < 0)
		return !value->exists;
	return value->exists && v.attributes == value->attributes &&
	       v.data_size == value->size && same_time(&v.time, &value->time) &&
	       !memcmp(v.data, value->data, v.data_size);
}

static void
compare_values(const struct varstore *store, const char *when)
{
	for (unsigned int i = 0; i < VARIABLES; i++)
		check_that(holds(store, i, &shared->values[i]),
			   "variable %u differs %s", i, when);
}

/* --- random changes --- */

static struct variable_time
any_time(void)
{
	return (struct variable_time){
		.year = (uint16_t)(2000 + check_below(100)),
		.month = (uint8_t)(1 + check_below(12)),
		.day = (uint8_t)(1 + check_below(28)),
		.hour = (uint8_t)check_below(24),
		.minute = (uint8_t)check_below(60),
		.second = (uint8_t)check_below(60),
	};
}

static uint32_t
any_attributes(void)
{
	uint32_t attributes = EFI_VARIABLE_NON_VOLATILE |
			      EFI_VARIABLE_BOOTSERVICE_ACCESS;

	if (check_below(2))
		attributes |= EFI_VARIABLE_RUNTIME_ACCESS;
	if (!plain && check_below(4) == 0)
		attributes |= AUTH;
	return attributes;
}

static void
any_data(struct value *value)
{
	value->size = 1 + check_below(check_below(8) ? SMALL_DATA : MAX_DATA);
	check_random_data(value->data, value->size);
}

/* Another value; or the variable is deleted, if it exists. */
static void
any_change(unsigned int i, struct value *next)
{
	*next = shared->values[i];
	if (next->exists && check_below(6) == 0) {
		next->exists = false;
		return;
	}
	if (!next->exists || check_below(6) == 0)
		next->attributes = any_attributes();
	next->exists = true;
	any_data(next);
	next->time = (struct variable_time){ 0 };
	/* The real library refuses an equal time (AuthService.c:1896). */
	while ((next->attributes & AUTH) &&
	       same_time(&next->time, &shared->values[i].time))
		next->time = any_time();
}

/* --- the driver --- */

static EFI_STATUS
call_driver(unsigned int i, uint32_t attributes,
	    const struct variable_time *time, const uint8_t *data,
	    uint32_t size)
{
	static uint8_t buffer[MAX_DATA + 64];
	EFI_VARIABLE_AUTHENTICATION_2 head = { 0 };
	uint32_t skip = 0, name_size;
	EFI_STATUS status;

	if (attributes & AUTH) {
		skip = OFFSET_OF(EFI_VARIABLE_AUTHENTICATION_2, AuthInfo) +
		       OFFSET_OF(WIN_CERTIFICATE_UEFI_GUID, CertData);
		head.AuthInfo.Hdr.dwLength =
			OFFSET_OF(WIN_CERTIFICATE_UEFI_GUID, CertData);
		head.TimeStamp.Year = time->year;
		head.TimeStamp.Month = time->month;
		head.TimeStamp.Day = time->day;
		head.TimeStamp.Hour = time->hour;
		head.TimeStamp.Minute = time->minute;
		head.TimeStamp.Second = time->second;
		memcpy(buffer, &head, skip);
	}
	memcpy(buffer + skip, data, size);
	status = gRT->SetVariable(name_of(i, &name_size), &vendor, attributes,
				  skip + size, buffer);
	hooks_settle();
	return status;
}

static EFI_STATUS
drive(unsigned int i, const struct value *next)
{
	const struct value *old = &shared->values[i];
	EFI_STATUS status;

	shared->next = *next;
	shared->changing = (int)i;
	if (!next->exists)
		status = call_driver(i, old->attributes, &old->time, NULL, 0);
	else
		status = call_driver(i, next->attributes, &next->time,
				     next->data, next->size);
	if (status == EFI_SUCCESS)
		shared->values[i] = *next;
	shared->changing = -1;
	return status;
}

/* The time of an appended value is the later one (Variable.c:2078). */
static bool
is_later(const struct variable_time *a, const struct variable_time *b)
{
	const uint32_t x[] = { a->year, a->month,  a->day,
			       a->hour, a->minute, a->second };
	const uint32_t y[] = { b->year, b->month,  b->day,
			       b->hour, b->minute, b->second };

	for (unsigned int i = 0; i < 6; i++)
		if (x[i] != y[i])
			return x[i] > y[i];
	return false;
}

/* Appends to a variable that exists; `next` becomes the whole new value. */
static EFI_STATUS
drive_append(unsigned int i, struct value *next)
{
	static struct value more;
	EFI_STATUS status;

	*next = more = shared->values[i];
	any_data(&more);
	if (next->size + more.size > MAX_DATA)
		more.size = MAX_DATA - next->size;
	if (next->attributes & AUTH)
		more.time = any_time();
	memcpy(next->data + next->size, more.data, more.size);
	next->size += more.size;
	if (is_later(&more.time, &next->time))
		next->time = more.time;
	shared->next = *next;
	shared->changing = (int)i;
	status = call_driver(i, next->attributes | EFI_VARIABLE_APPEND_WRITE,
			     &more.time, more.data, more.size);
	if (status == EFI_SUCCESS)
		shared->values[i] = *next;
	shared->changing = -1;
	return status;
}

/* A guest can give a variable other attributes only by deleting it first. */
static EFI_STATUS
drive_change(unsigned int i, const struct value *next)
{
	static struct value none;
	const struct value *old = &shared->values[i];
	EFI_STATUS status = EFI_SUCCESS;

	if (old->exists && next->exists && old->attributes != next->attributes)
		status = drive(i, &none);
	return status == EFI_SUCCESS ? drive(i, next) : status;
}

/* --- the driver and the edit, byte by byte --- */

static void
start_twin(void)
{
	struct fv_report report;
	struct error err = { "" };

	edit_end(twin);
	twin = NULL;
	fv_check(guest_image(), FLASH_SIZE, &report);
	/* The driver counts a torn variable wrongly, see src/fv/edit.c. */
	if (report.codes & UINT64_C(1) << FV_VARIABLE_TORN)
		return;
	if (edit_begin(&twin, guest_image(), FLASH_SIZE, &err) < 0)
		check_give_up("edit_begin(): %s", err.text);
}

static int
error_of(EFI_STATUS status)
{
	switch (status) {
	case EFI_SUCCESS: return 0;
	case EFI_NOT_FOUND: return -ENOENT;
	case EFI_OUT_OF_RESOURCES: return -ENOSPC;
	default: return -EINVAL;
	}
}

static void
compare_regions(const char *when)
{
	const uint8_t *mine = edit_image(twin), *drivers = guest_image();
	uint32_t off = 0;

	while (off < NV_VARIABLE_SIZE && mine[off] == drivers[off])
		off++;
	check_that(off == NV_VARIABLE_SIZE,
		   "%s the images differ at %#x: %#x, and %#x of the driver",
		   when, off, mine[off], drivers[off]);
	shared->equal++;
}

/* The edit must succeed or fail as the driver has. */
static void
follow(unsigned int i, const struct value *next, EFI_STATUS status)
{
	int ret;

	if (!twin) {
		start_twin();
		return;
	}
	ret = apply(twin, i, next);
	if (ret == -E2BIG)
		ret = -EINVAL;
	check_that((ret > 0 ? 0 : ret) == error_of(status),
		   "variable %u, %u bytes: driver %#lx, edit %d", i, next->size,
		   (unsigned long)status, ret);
	if (status == EFI_SUCCESS) {
		compare_regions("after a change");
		return;
	}
	/* The driver leaves the old variable IN_TRANSITION, or deleted. */
	shared->refused++;
	start_twin();
}

static void
change(unsigned int i)
{
	static struct value next;
	const struct value *old = &shared->values[i];

	switch (check_below(8)) {
	case 0: /* the same value, which neither writes */
		next = *old;
		if (!(next.attributes & AUTH))
			follow(i, &next, drive(i, &next));
		break;
	case 1:
		if (old->exists && old->size < MAX_DATA) {
			EFI_STATUS status = drive_append(i, &next);

			follow(i, &next, status);
		}
		break;
	default:
		any_change(i, &next);
		follow(i, &next, drive_change(i, &next));
		break;
	}
}

/* --- boots --- */

static void
read_variable(unsigned int i)
{
	static uint8_t data[MAX_DATA];
	const struct value *wanted = &shared->values[i];
	UINT32 attributes = 0, name_size;
	UINTN size = sizeof(data);
	EFI_STATUS status = gRT->GetVariable(name_of(i, &name_size), &vendor,
					     &attributes, &size, data);

	hooks_settle();
	check_that(status == (wanted->exists ? EFI_SUCCESS : EFI_NOT_FOUND) &&
			   (!wanted->exists ||
			    (attributes == wanted->attributes &&
			     size == wanted->size &&
			     !memcmp(data, wanted->data, size))),
		   "the driver finds another variable %u: status %#lx, %lu "
		   "bytes",
		   i, (unsigned long)status, (unsigned long)size);
}

/*
 * Variables IN_TRANSITION before the first one that is ADDED.  The driver finds
 * them, but does not list them: with an empty name FindVariableEx() returns
 * the first one that is ADDED (VariableParsing.c:489).
 */
static unsigned int
count_unlisted(void)
{
	struct variable v = { 0 };
	struct varstore store;
	unsigned int count = 0;

	if (varstore_open(&store, guest_image(), FLASH_SIZE, NULL) < 0)
		check_give_up("no variable store");
	while (varstore_next(&store, &v) > 0 && v.state != VARIABLE_ADDED)
		count += v.live && !memcmp(v.guid, &vendor, GUID_SIZE);
	return count;
}

/* Counts the variables of the test, each of which must be listed once. */
static void
enumerate(void)
{
	unsigned int listed = 0, wanted = 0;
	CHAR16 name[256] = { 0 };
	EFI_GUID guid = { 0 };
	UINTN size = sizeof(name);

	while (gRT->GetNextVariableName(&size, name, &guid) == EFI_SUCCESS) {
		listed += !memcmp(&guid, &vendor, sizeof(guid));
		size = sizeof(name);
	}
	hooks_settle();
	for (unsigned int i = 0; i < VARIABLES; i++)
		wanted += shared->values[i].exists;
	wanted -= count_unlisted();
	check_that(listed == wanted, "%u variables are listed, wanted %u",
		   listed, wanted);
}

struct boot {
	unsigned int calls;
	uint32_t cut; /* stop at this access during the calls; 0: never */
	bool plain;
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
start_machine(void)
{
	guest_power_on(&(struct guest_config){
		.vars = check_path("edited.fd"),
		.base = FLASH_BASE,
		.size = FLASH_SIZE,
		.width = 1,
		.interleave = 1,
		.blocks = "4K",
		.mode = WINDOW_DIRECT,
		.personality = CFI_OVMF,
		.sync = STORE_SYNC_NONE,
	});
	drivers_start();
}

static void
run_boot(const void *arg)
{
	const struct boot *boot = arg;

	start_machine();
	for (unsigned int i = 0; i < VARIABLES; i++)
		read_variable(i);
	enumerate();
	start_twin();
	guest_cut_after(boot->cut);
	for (unsigned int call = 0; call < boot->calls; call++) {
		uint32_t working = sum_working();

		change(check_below(VARIABLES));
		shared->reclaims += working != sum_working();
	}
	guest_cut_after(0);
	edit_end(twin);
	check_that(guest_verify(), "the device is not valid");
	guest_power_off();
}

static bool
boot_machine(const struct boot *boot)
{
	/* Far enough that two boots seldom make the same changes. */
	return guest_boot(run_boot, boot, 20000000, &shared->stops);
}

static void
empty_store(void)
{
	static const uint8_t signature[] = { 0x16, 0x36, 0xcf, 0xdd, 0x75, 0x32,
					     0x64, 0x41, 0x98, 0xb6, 0xfe, 0x85,
					     0x70, 0x7f, 0xfe, 0x7d };
	struct model model;

	memset(shared->values, 0, sizeof(shared->values));
	shared->changing = -1;
	model_open(&model, FLASH_SIZE);
	fv_format(fv_layout_by_size(FLASH_SIZE), model.bytes);
	if (plain)
		memcpy(model.bytes + 72, signature, sizeof(signature));
	model_write_file(&model, "edited.fd");
	free(model.bytes);
}

static void
new_machine(const struct boot *boot)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		check_give_up("out of memory");
	plain = boot->plain;
	empty_store();
}

static struct store *
open_store(void)
{
	const struct store_config config = {
		.path = check_path("edited.fd"),
		.burst_limit = STORE_MAX_SIZE,
	};
	struct store *store;
	struct error err;

	if (store_open(&store, &config, NULL, &err) < 0)
		check_give_up("%s", err.text);
	return store;
}

static void
replace(struct store *store, const uint8_t *image)
{
	if (store_replace(store, image) < 0 || store_commit(store) < 0)
		check_give_up("the image cannot be stored");
}

/* --- edits while the guest is off --- */

static void
edit_some(struct edit *edit, unsigned int count)
{
	static struct value next;

	while (count--) {
		unsigned int i = check_below(VARIABLES);
		bool exists = shared->values[i].exists, equal;
		int ret;

		any_change(i, &next);
		equal = holds(edit_store(edit), i, &next);
		ret = apply(edit, i, &next);
		check_that(ret == (next.exists && !equal) ||
				   (next.exists &&
				    (ret == -ENOSPC || ret == -E2BIG)) ||
				   (!exists && ret == -ENOENT),
			   "variable %u, %u bytes: %d", i, next.size, ret);
		if (ret >= 0)
			shared->values[i] = next;
		shared->offline += ret >= 0;
	}
	compare_values(edit_store(edit), "after edits");
}

/* Returns false if the image cannot be edited. */
static bool
edit_file(unsigned int count)
{
	struct store *store = open_store();
	struct error err = { "" };
	struct edit *edit;
	int ret = edit_begin(&edit, store_image(store), FLASH_SIZE, &err);

	check_that(ret == 0, "edit_begin(): %s", err.text);
	if (ret == 0) {
		compare_values(edit_store(edit), "after a boot");
		edit_some(edit, count);
		replace(store, edit_image(edit));
	}
	edit_end(edit);
	store_close(store);
	return ret == 0;
}

/* More boots if there was no reclaim, or no change that was refused. */
static bool
is_enough(unsigned int boots, unsigned int least)
{
	return boots >= 10 * least ||
	       (boots >= least && shared->reclaims > 0 && shared->refused > 0);
}

static void
run_edits(const void *arg)
{
	const struct boot *boot = arg;
	unsigned int least = check_options.longer ? 60 : 3;

	new_machine(boot);
	for (unsigned int i = 0; !is_enough(i, least); i++)
		if (!boot_machine(boot) ||
		    !edit_file(check_below(2 * boot->calls)))
			break;
	check_that(shared->reclaims > 0, "there was no reclaim");
	check_that(shared->refused > 0, "nothing was refused");
	printf("# %s: %u images compared, %u reclaims, %u changes refused by "
	       "both, %u edits while the guest was off\n",
	       NAME, shared->equal, shared->reclaims, shared->refused,
	       shared->offline);
}

/* --- stops --- */

/* The variable that was being set has its old value or the new one. */
static void
settle_change(const struct varstore *store)
{
	int i = shared->changing;

	if (i >= 0 && holds(store, (unsigned int)i, &shared->next))
		shared->values[i] = shared->next;
	shared->changing = -1;
}

/* InitializeVarErrorFlag(), which runs at each boot. */
static void
set_error_flag(struct edit *edit)
{
	static const CHAR16 name[] = { 'V', 'a', 'r', 'E', 'r', 'r', 'o',
				       'r', 'F', 'l', 'a', 'g', 0 };
	static const uint8_t none = 0xff;
	const struct edit_value value = {
		.guid = (const uint8_t *)&error_flag_vendor,
		.name = (const uint8_t *)name,
		.name_size = sizeof(name),
		.attributes = EFI_VARIABLE_NON_VOLATILE |
			      EFI_VARIABLE_BOOTSERVICE_ACCESS |
			      EFI_VARIABLE_RUNTIME_ACCESS,
		.data = &none,
		.data_size = sizeof(none),
	};

	check_that(edit_set(edit, &value, NULL) >= 0, "VarErrorFlag");
}

/*
 * The bytes to compare: all of them after a pending write, which both complete,
 * unless the driver also moves that write to the start of its block.
 */
static uint32_t
comparable(const struct fv_report *report)
{
	if (!report->in_spare || report->codes & UINT64_C(1) << FV_FTW_DIRTY)
		return NV_VARIABLE_SIZE;
	shared->completed++;
	return FLASH_SIZE;
}

/* Boots with the image that a stop left, and compares it with the edit. */
static bool
compare_boot(struct edit *edit, const struct fv_report *report)
{
	static const struct boot quiet = { .calls = 0 };
	uint32_t off = 0, size = comparable(report);
	struct store *store;

	set_error_flag(edit);
	if (!boot_machine(&quiet))
		return false;
	store = open_store();
	while (off < size && store_image(store)[off] == edit_image(edit)[off])
		off++;
	store_close(store);
	shared->begun++;
	return check_that(off == size,
			  "an edit and a boot leave other bytes at %#x", off);
}

/* Continues after a stop, with the firmware's repairs or those of the edit. */
static bool
go_on(bool boots)
{
	static uint8_t image[FLASH_SIZE];
	struct store *store = open_store();
	struct fv_report report;
	struct edit *edit;
	bool fine;

	memcpy(image, store_image(store), FLASH_SIZE);
	store_close(store);
	fine = fv_check(image, FLASH_SIZE, &report);
	if (edit_begin(&edit, image, FLASH_SIZE, NULL) < 0) {
		fine = check_that(!fine, "edit_begin() refuses a good image");
		shared->damaged++;
		empty_store();
		return fine;
	}
	settle_change(edit_store(edit));
	compare_values(edit_store(edit), "after a stop");
	if (boots) {
		fine = compare_boot(edit, &report);
	} else {
		edit_some(edit, 5);
		store = open_store();
		replace(store, edit_image(edit));
		store_close(store);
	}
	edit_end(edit);
	return fine;
}

static void
run_stops(const void *arg)
{
	struct boot boot = *(const struct boot *)arg;
	unsigned int boots = (check_options.longer ? 300 : 16) / SLOWNESS;
	const uint32_t change = 0x18000, reclaim = 16 * NV_VARIABLE_SIZE;

	new_machine(&boot);
	for (unsigned int i = 0; i < boots; i++) {
		boot.cut = 1 + check_below(i % 4 < 2 ? change : reclaim);
		if (!boot_machine(&boot) || !go_on(i % 2))
			break;
	}
	check_that(shared->begun > 0, "no boot was compared");
	check_that(shared->completed > 0 || !check_options.longer,
		   "no pending write was compared");
	printf("# %s: stopped %u times, %u boots compared, %u of them with a "
	       "pending write, %u images were damaged by the stop, %u images "
	       "compared\n",
	       NAME, shared->stops, shared->begun, shared->completed,
	       shared->damaged, shared->equal);
}

/* --- a difference --- */

/*
 * Sets variable 0 three times, with 1, 2 and 3 bytes, and leaves the first two
 * IN_TRANSITION, as two stops do.
 */
static void
make_older(uint8_t *image)
{
	struct value value = { .exists = true,
			       .attributes = EFI_VARIABLE_NON_VOLATILE |
					     EFI_VARIABLE_BOOTSERVICE_ACCESS };
	struct store *store = open_store();
	struct variable v = { 0 };
	struct edit *edit;

	if (edit_begin(&edit, store_image(store), FLASH_SIZE, NULL) < 0)
		check_give_up("edit_begin()");
	while (value.size++ < 3)
		check_that(apply(edit, 0, &value) == 1, "not set");
	memcpy(image, edit_image(edit), FLASH_SIZE);
	while (varstore_next(edit_store(edit), &v) > 0)
		if (v.state == VARIABLE_SUPERSEDED)
			image[v.offset + 2] = VARIABLE_IN_TRANSITION;
	replace(store, image);
	edit_end(edit);
	store_close(store);
}

/* The driver deletes the last two of them; an edit deletes the variable. */
static void
run_older(const void *arg)
{
	static uint8_t image[FLASH_SIZE], data[4];
	static const struct value none;
	UINTN size = sizeof(data);
	struct varstore store;
	struct edit *edit;
	uint32_t name_size;
	EFI_STATUS status;

	new_machine(arg);
	make_older(image);
	start_machine();
	status = call_driver(0,
			     EFI_VARIABLE_NON_VOLATILE |
				     EFI_VARIABLE_BOOTSERVICE_ACCESS,
			     NULL, NULL, 0);
	check_that(status == EFI_SUCCESS, "the driver does not delete");
	status = gRT->GetVariable(name_of(0, &name_size), &vendor, NULL, &size,
				  data);
	hooks_settle();
	check_that(status == EFI_SUCCESS && size == 1,
		   "the driver ends all older values: this difference is gone");
	guest_power_off();
	if (edit_begin(&edit, image, FLASH_SIZE, NULL) < 0)
		check_give_up("edit_begin()");
	check_that(apply(edit, 0, &none) == 0 &&
			   varstore_open(&store, edit_image(edit), FLASH_SIZE,
					 NULL) == 0 &&
			   holds(&store, 0, &none),
		   "an edit leaves an older value");
	edit_end(edit);
}

int
main(int argc, char **argv)
{
	static const struct boot normal = { .calls = 160 / SLOWNESS };
	static const struct boot old = { .calls = 160 / SLOWNESS,
					 .plain = true };

	check_start(NAME, argc, argv);
	check_scenario("the driver's bytes", run_edits, &normal);
	check_scenario("the driver's bytes, plain headers", run_edits, &old);
	check_scenario("the machine is stopped", run_stops, &normal);
	check_scenario("older values, which only an edit ends", run_older,
		       &normal);
	return check_finish();
}

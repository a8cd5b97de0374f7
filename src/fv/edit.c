/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edits of a VARS image.  The bytes of a change are those that the driver's
 * UpdateVariable() leaves (MdeModulePkg/Universal/Variable/RuntimeDxe/
 * Variable.c:1669-2366), with three differences:
 *
 * - The driver refuses new attributes for an existing variable (2916), so that
 *   a guest deletes the variable and sets it again.  edit_set() does both.
 * - Two power cuts can leave an older variable IN_TRANSITION beside the two
 *   that the driver looks for (VariableParsing.c:463).  It returns when the
 *   guest deletes the others.  Here all variables of the name end.
 * - The driver counts the bytes in use, and counts attributes of all ones as
 *   those of a hardware error record, so that its last variable may go beyond
 *   the end of the store.  Here the place of the variable decides.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compact.h"
#include "ftw.h"
#include "header.h"
#include "live.h"
#include "variable.h"

#include "pflash/convert.h"
#include "pflash/edit.h"
#include "pflash/fv.h"
#include "pflash/le.h"

/* The bits that the driver clears in a state (VariableFormat.h:97-100). */
#define STATE_IN_TRANSITION 0xfeu
#define STATE_DELETED 0xfdu

/* The attributes of all variables in flash, and those that may be there. */
#define ATTRIBUTES_REQUIRED (VARIABLE_NON_VOLATILE | VARIABLE_BOOT_ACCESS)
#define ATTRIBUTES_ALLOWED                                                     \
	(ATTRIBUTES_REQUIRED | VARIABLE_RUNTIME_ACCESS |                       \
	 VARIABLE_TIME_AUTHENTICATED)

struct edit {
	uint8_t *image;
	uint8_t *scratch; /* for a reclaim; as large as the image */
	size_t size;
	const struct fv_layout *layout; /* NULL: unknown */
	struct varstore store;          /* in `image` */
	struct live live;               /* of `store` */
	size_t end;    /* the offset behind the last variable */
	bool reclaims; /* a reclaim drops only what is deleted */
};

/* --- the beginning --- */

static int
refuse_errors(const struct fv_report *report, struct error *err)
{
	struct error text = { "" };

	for (unsigned int i = 0; i < report->count; i++)
		if (report->findings[i].severity == FV_ERROR) {
			fv_finding_text(&report->findings[i], &text);
			break;
		}
	return error_set(err, EINVAL, "the image cannot be edited: %s",
			 text.text);
}

static int
refuse_write(struct error *err)
{
	return error_set(err, EBUSY,
			 "a fault-tolerant write was interrupted, and the "
			 "firmware completes it at the guest's next start; "
			 "start the guest once before");
}

static int
refuse_block(struct error *err)
{
	return error_set(err, EINVAL,
			 "the working block of its fault-tolerant writes has "
			 "contents that OVMF never writes, see "
			 "`pflashctl check`");
}

/* The working block of an unknown layout was found by a search. */
static int
check_unknown(const struct fv_report *report, struct error *err)
{
	if (report->codes & UINT64_C(1) << FV_FTW_QUEUE)
		return refuse_block(err);
	if (report->codes & UINT64_C(1) << FV_FTW_PENDING)
		return refuse_write(err);
	return 0;
}

static int
settle_writes(struct edit *edit, const struct fv_report *report,
	      struct error *err)
{
	enum ftw_outcome outcome;

	if (!edit->layout)
		return check_unknown(report, err);
	outcome = ftw_at_boot(edit->layout, edit->image);
	if (outcome == FTW_WRITES &&
	    ftw_replaces_store(edit->layout, edit->image)) {
		ftw_complete_store(edit->layout, edit->image);
		outcome = ftw_at_boot(edit->layout, edit->image);
	}
	if (outcome == FTW_WRITES)
		return refuse_write(err);
	return outcome == FTW_UNKNOWN ? refuse_block(err) : 0;
}

/* Finds the live variables, and leaves room for as many as fit. */
static void
index_store(struct edit *edit)
{
	size_t least = variable_header_size(&edit->store);

	live_free(&edit->live);
	live_init_room(&edit->live, &edit->store,
		       (uint32_t)((edit->store.end - edit->end) / least));
}

/* Takes over a store that compact_variables() has made in edit->scratch. */
static void
take_scratch(struct edit *edit, size_t end)
{
	memcpy(edit->image + edit->store.start,
	       edit->scratch + edit->store.start,
	       edit->store.end - edit->store.start);
	edit->end = end;
	index_store(edit);
}

/* VariableWriteServiceInitialize() (Variable.c:3436). */
static int
clean_up(struct edit *edit, const struct fv_report *report, struct error *err)
{
	if (!(report->codes & UINT64_C(1) << FV_FREE_DIRTY))
		return 0;
	if (!edit->reclaims)
		return error_set(err, EINVAL,
				 "OVMF would rewrite the variable store at its "
				 "next boot, and could drop variables; "
				 "`pflashctl check` lists the reasons");
	take_scratch(edit,
		     compact_variables(&edit->store, NULL, edit->scratch));
	return 0;
}

/* Brings the store into the state in which the firmware sets variables. */
static int
start(struct edit *edit, struct error *err)
{
	struct fv_report report = { .count = 0 };
	int ret;

	if (!fv_check(edit->image, edit->size, &report))
		return refuse_errors(&report, err);
	edit->layout = report.layout;
	ret = settle_writes(edit, &report, err);
	if (ret < 0)
		return ret;
	if (!fv_check(edit->image, edit->size, &report))
		return refuse_errors(&report, err);
	ret = varstore_open(&edit->store, edit->image, edit->size, err);
	if (ret < 0)
		return ret;
	edit->end = edit->store.start + report.used;
	edit->reclaims = compact_is_safe(&report);
	index_store(edit);
	return clean_up(edit, &report, err);
}

int
edit_begin(struct edit **out, const uint8_t *image, size_t size,
	   struct error *err)
{
	struct fv_report report = { .count = 0 };
	struct edit *edit;
	int ret;

	*out = NULL;
	if (size > FV_MAX_SIZE || !size) {
		fv_check(image, size, &report);
		return refuse_errors(&report, err);
	}
	edit = calloc(1, sizeof(*edit));
	if (!edit)
		return error_errno(err, ENOMEM, "an edit of %zu bytes", size);
	edit->image = malloc(size);
	edit->scratch = malloc(size);
	edit->size = size;
	if (!edit->image || !edit->scratch) {
		ret = error_errno(err, ENOMEM, "an edit of %zu bytes", size);
	} else {
		memcpy(edit->image, image, size);
		ret = start(edit, err);
	}
	if (ret < 0)
		edit_end(edit);
	else
		*out = edit;
	return ret;
}

void
edit_end(struct edit *edit)
{
	if (!edit)
		return;
	live_free(&edit->live);
	free(edit->image);
	free(edit->scratch);
	free(edit);
}

const uint8_t *
edit_image(const struct edit *edit)
{
	return edit->image;
}

const struct varstore *
edit_store(const struct edit *edit)
{
	return &edit->store;
}

/* --- the limits of a variable --- */

#define NAME_TEXT_SIZE 160u

/* "Boot0000 of EfiGlobalVariable", cut if it is long. */
static const char *
describe(const struct variable *v, char text[NAME_TEXT_SIZE])
{
	const char *vendor = guid_name(v->guid);
	char guid[GUID_TEXT_SIZE];
	size_t len;

	(void)variable_name(v, text, NAME_TEXT_SIZE - 2 * GUID_TEXT_SIZE);
	guid_format(v->guid, guid);
	len = strlen(text);
	memcpy(text + len, " of ", 5);
	if (!vendor || strlen(vendor) > 2 * GUID_TEXT_SIZE - 5)
		vendor = guid;
	memcpy(text + len + 4, vendor, strlen(vendor) + 1);
	return text;
}

static bool
has_time(const struct variable_time *time)
{
	return time->year || time->month || time->day || time->hour ||
	       time->minute || time->second;
}

/* VariableServiceSetVariable() (Variable.c:2660-2728). */
static const char *
find_fault(const struct edit *edit, const struct variable *v)
{
	const uint32_t authenticated = VARIABLE_TIME_AUTHENTICATED;

	if (!variable_name_valid(v))
		return "its name is no string";
	if (!v->data_size)
		return "it has no data";
	if ((v->attributes & ATTRIBUTES_REQUIRED) != ATTRIBUTES_REQUIRED)
		return "a variable in flash has the attributes non-volatile "
		       "and boot service access";
	if (v->attributes & VARIABLE_HARDWARE_ERROR)
		return "OVMF stores no hardware error records";
	if (v->attributes & ~(uint32_t)ATTRIBUTES_ALLOWED)
		return "OVMF stores no variable with such attributes";
	if ((v->attributes & authenticated) && !edit->store.authenticated)
		return "this variable store has no place for the time stamp "
		       "of an authenticated variable";
	if (has_time(&v->time) && !(v->attributes & authenticated))
		return "only a variable with time-based authentication has a "
		       "time stamp";
	return NULL;
}

/* Header, name and data; the padding behind them is not counted. */
static uint64_t
length(const struct edit *edit, const struct variable *v)
{
	return (uint64_t)variable_header_size(&edit->store) + v->name_size +
	       v->data_size;
}

static int
check_value(const struct edit *edit, const struct variable *v,
	    struct error *err)
{
	const char *fault = find_fault(edit, v);
	uint32_t most = (uint32_t)(edit->store.end - edit->store.start);
	char text[NAME_TEXT_SIZE];

	if (fault)
		return error_set(err, EINVAL, "%s cannot be written: %s",
				 describe(v, text), fault);
	if (edit->layout)
		most = fv_largest_variable(edit->layout, v->attributes);
	if (length(edit, v) <= most)
		return 0;
	return error_set(err, E2BIG,
			 "%s is too large: it has %llu bytes with its header "
			 "and name, and the largest variable of this firmware "
			 "has %u",
			 describe(v, text), (unsigned long long)length(edit, v),
			 most);
}

/* --- the changes --- */

/*
 * The live variable of the name of `v`; false: there is none.  The index needs
 * the name behind the vendor GUID.
 */
static bool
find_old(struct edit *edit, const struct variable *v, struct variable *old)
{
	struct variable key = {
		.guid = edit->scratch,
		.name = edit->scratch + GUID_SIZE,
		.name_size = v->name_size,
	};

	if (!v->name_size || v->name_size > edit->store.end - edit->store.start)
		return false;
	memcpy(edit->scratch, v->guid, GUID_SIZE);
	memcpy(edit->scratch + GUID_SIZE, v->name, v->name_size);
	*old = (struct variable){ .next = live_find(&edit->live, &key) };
	return old->next && variable_step(&edit->store, old) > 0;
}

static bool
is_equal(const struct variable *a, const struct variable *b)
{
	return a->attributes == b->attributes && a->data_size == b->data_size &&
	       a->time.year == b->time.year && a->time.month == b->time.month &&
	       a->time.day == b->time.day && a->time.hour == b->time.hour &&
	       a->time.minute == b->time.minute &&
	       a->time.second == b->time.second &&
	       (!a->data_size || !memcmp(a->data, b->data, a->data_size));
}

static void
clear_state(struct edit *edit, size_t offset, uint8_t mask)
{
	edit->image[offset + VARIABLE_STATE] &= mask;
}

/*
 * Ends the live variable (Variable.c:1844, 2324) and all others of its name.
 */
static void
end_all(struct edit *edit, const struct variable *old)
{
	struct variable v = { 0 };

	clear_state(edit, old->offset, STATE_DELETED);
	if (!live_has_others(&edit->live, old))
		return;
	while (variable_step(&edit->store, &v) > 0)
		if (variable_can_be_live(v.state) &&
		    variable_same_name(&v, old))
			clear_state(edit, v.offset, STATE_DELETED);
}

/*
 * The members that are 0: the count and the key of authentications that edk2
 * no longer has, and the members of EFI_TIME that UEFI requires to be 0.
 */
static void
write_authentication(uint8_t *p, const struct variable *v)
{
	uint8_t *time = p + AUTH_TIME;

	put_le16(time, v->time.year);
	time[2] = v->time.month;
	time[3] = v->time.day;
	time[4] = v->time.hour;
	time[5] = v->time.minute;
	time[6] = v->time.second;
}

/*
 * Writes a variable to erased flash.  The bytes up to the next one stay erased
 * (Variable.c:2175).
 */
static void
put(struct edit *edit, uint8_t *image, size_t at, const struct variable *v)
{
	size_t header = variable_header_size(&edit->store);
	uint8_t *p = image + at;

	memset(p, 0, header);
	put_le16(p, VARIABLE_START);
	p[VARIABLE_STATE] = VARIABLE_ADDED;
	put_le32(p + VARIABLE_ATTRIBUTES, v->attributes);
	if (edit->store.authenticated)
		write_authentication(p, v);
	put_le32(p + header - GUID_SIZE - 8, v->name_size);
	put_le32(p + header - GUID_SIZE - 4, v->data_size);
	memcpy(p + header - GUID_SIZE, v->guid, GUID_SIZE);
	memcpy(p + header, v->name, v->name_size);
	memcpy(p + header + v->name_size, v->data, v->data_size);
}

static bool
fits(const struct edit *edit, const struct variable *v, size_t end)
{
	return variable_align(length(edit, v)) <= edit->store.end - end;
}

static void
append(struct edit *edit, const struct variable *v)
{
	struct variable new = { .next = edit->end };

	put(edit, edit->image, edit->end, v);
	(void)variable_step(&edit->store, &new);
	live_update(&edit->live, &new, edit->end);
	edit->end = new.next;
}

/*
 * Reclaims the store with the new variable in it, and without the old one
 * (Variable.c:2121).
 */
static int
reclaim(struct edit *edit, const struct variable *v, struct error *err)
{
	char text[NAME_TEXT_SIZE];
	size_t end;

	if (!edit->reclaims)
		return error_set(err, ENOSPC,
				 "there is no room for %s, and a reclaim by "
				 "OVMF could change other variables; "
				 "`pflashctl check` lists the reasons",
				 describe(v, text));
	end = compact_variables(&edit->store, v, edit->scratch);
	if (!end || !fits(edit, v, end))
		return error_set(err, ENOSPC,
				 "there is no room for %s: it needs %llu "
				 "bytes, and the variable store would have %zu "
				 "left without what is deleted",
				 describe(v, text),
				 (unsigned long long)length(edit, v),
				 end ? edit->store.end - end : 0);
	put(edit, edit->scratch, end, v);
	take_scratch(edit, end + (size_t)variable_align(length(edit, v)));
	return 1;
}

int
edit_set(struct edit *edit, const struct edit_value *value, struct error *err)
{
	const struct variable v = {
		.attributes = value->attributes,
		.guid = value->guid,
		.name = value->name,
		.name_size = value->name_size,
		.data = value->data,
		.data_size = value->data_size,
		.time = value->time,
	};
	struct variable old;
	bool exists = find_old(edit, &v, &old);
	int ret;

	if (exists && is_equal(&old, &v))
		return 0;
	ret = check_value(edit, &v, err);
	if (ret < 0)
		return ret;
	if (!fits(edit, &v, edit->end))
		return reclaim(edit, &v, err);
	if (exists && old.attributes == v.attributes)
		clear_state(edit, old.offset, STATE_IN_TRANSITION);
	if (exists)
		end_all(edit, &old);
	append(edit, &v);
	return 1;
}

int
edit_remove(struct edit *edit, const uint8_t *guid, const uint8_t *name,
	    uint32_t name_size, struct error *err)
{
	const struct variable v = {
		.guid = guid,
		.name = name,
		.name_size = name_size,
	};
	char text[NAME_TEXT_SIZE];
	struct variable old;

	if (!find_old(edit, &v, &old))
		return error_set(err, ENOENT, "there is no variable %s",
				 describe(&v, text));
	end_all(edit, &old);
	live_update(&edit->live, &old, 0);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each finding's name, severity and sentence.  A sentence says what is wrong
 * and at which offset, what OVMF would do, and what the administrator can do.
 * In it $o stands for fv_finding.offset, $f for found and $w for wanted.
 */
#include <string.h>

#include "check.h"
#include "sentence.h"

/* Parts of the sentences: what OVMF would do; what the administrator can do. */
#define WIPES "OVMF would erase all variables, and then hang at every boot"
#define HANGS "OVMF would hang at every boot"
#define NO_FLASH                                                               \
	"OVMF would not detect a flash, and would lose all variables with "    \
	"the guest, without a message"
#define READ_ONLY "OVMF would save no variable"
#define NEW_FILE                                                               \
	"restore a backup, or remove the file and make a new one with "        \
	"`pflashctl create`"
#define RESTORE                                                                \
	"restore a backup, return to an earlier image with `pflashctl "        \
	"rollback`, or start empty with `pflashctl create --reset`"
#define RIGHT_FILE                                                             \
	"make sure that this is the VARS file, and not the firmware's code; "  \
	"if it is, restore a backup, or return to an earlier image with "      \
	"`pflashctl rollback`"
#define IF_NEEDED "restore a backup if the guest needs it"
#define NO_ACTION "no action is needed"

static const struct code {
	const char *name;
	enum fv_severity severity;
	const char *sentence;
} codes[FV_CODES] = {
	[FV_EMPTY] = {
		"empty",
		FV_ERROR,
		"the file is empty: OVMF would have no flash; "
		NEW_FILE,
	},
	[FV_TOO_SHORT] = {
		"too-short",
		FV_ERROR,
		"the file has only $f bytes, less than one flash block of $w "
		"bytes: OVMF would have no flash; "
		NEW_FILE,
	},
	[FV_TOO_LARGE] = {
		"too-large",
		FV_ERROR,
		"the file has $f bytes, but no known build of OVMF has more "
		"than $w bytes of variables; "
		RIGHT_FILE,
	},
	[FV_ERASED] = {
		"erased",
		FV_ERROR,
		"the file contains nothing but 0xff, the contents of erased "
		"flash: "
		HANGS
		"; "
		RESTORE,
	},
	[FV_ZEROED] = {
		"zeroed",
		FV_ERROR,
		"the file contains nothing but zeros: "
		NO_FLASH
		"; "
		RESTORE,
	},
	[FV_NO_PROBE] = {
		"no-probe",
		FV_ERROR,
		"the first $w bytes contain nothing but 0x00, 0x50 and 0x70: "
		NO_FLASH
		"; "
		RESTORE,
	},
	[FV_SIGNATURE] = {
		"signature",
		FV_ERROR,
		"no firmware volume begins at offset $o (its header has no "
		"signature _FVH): "
		WIPES
		"; "
		RIGHT_FILE,
	},
	[FV_REVISION] = {
		"revision",
		FV_ERROR,
		"the volume header has revision $f at offset $o, but OVMF "
		"accepts only $w: "
		WIPES
		"; "
		RESTORE,
	},
	[FV_HEADER_LENGTH] = {
		"header-length",
		FV_ERROR,
		"the volume header claims an impossible length of $f bytes at "
		"offset $o (OVMF's header has $w): "
		WIPES
		"; "
		RESTORE,
	},
	[FV_HEADER_CHECKSUM] = {
		"header-checksum",
		FV_ERROR,
		"the volume header is damaged (checksum $f at offset $o, "
		"expected $w): "
		WIPES
		"; "
		RESTORE,
	},
	[FV_TRUNCATED] = {
		"truncated",
		FV_ERROR,
		"the file is cut off: it has $f bytes, but its volume has $w "
		"bytes (length at offset $o): "
		WIPES
		"; "
		NEW_FILE,
	},
	[FV_WHOLE_IMAGE] = {
		"whole-image",
		FV_ERROR,
		"the file is a whole firmware image, variables and code, of $f "
		"bytes: "
		WIPES
		"; "
		"use its first $w bytes only, or the OVMF_VARS file of the "
		"same build",
	},
	[FV_TRAILING] = {
		"trailing",
		FV_ERROR,
		"the file has $f bytes, but its volume ends at offset $w, and "
		"OVMF accepts only a flash as large as its volume: "
		WIPES
		"; "
		"cut the file to $w bytes if nothing useful is behind the "
		"volume",
	},
	[FV_OTHER_BLOCK_SIZE] = {
		"block-size",
		FV_ERROR,
		"the block map has blocks of $f bytes at offset $o, but OVMF "
		"uses blocks of $w bytes: "
		WIPES
		"; "
		RIGHT_FILE,
	},
	[FV_BLOCK_MAP] = {
		"block-map",
		FV_ERROR,
		"the block map at offset $o describes $f bytes, but the volume "
		"has $w bytes: "
		READ_ONLY
		"; "
		RESTORE,
	},
	[FV_LONG_BLOCK_MAP] = {
		"long-block-map",
		FV_WARNING,
		"the block map at offset $o describes $f bytes, more than the "
		"$w bytes of the volume; OVMF ignores the difference; "
		NO_ACTION,
	},
	[FV_FILE_SYSTEM] = {
		"file-system",
		FV_ERROR,
		"the volume is not one for variables (another file system GUID "
		"at offset $o): "
		HANGS
		"; "
		RIGHT_FILE,
	},
	[FV_READ_ONLY] = {
		"read-only",
		FV_ERROR,
		"the volume is marked as not writable (attributes $f at offset "
		"$o, OVMF's are $w): "
		READ_ONLY
		"; "
		RESTORE,
	},
	[FV_OTHER_ATTRIBUTES] = {
		"attributes",
		FV_NOTE,
		"the volume has the attributes $f at offset $o, but OVMF's "
		"volumes have $w; OVMF ignores the difference; "
		NO_ACTION,
	},
	[FV_UNKNOWN_LAYOUT] = {
		"unknown-layout",
		FV_NOTE,
		"no known build of OVMF has a volume of $f bytes; make sure "
		"that the guest's firmware was built for this size, or it "
		"erases all variables",
	},
	[FV_SPARE_HAS_STORE] = {
		"spare-has-store",
		FV_NOTE,
		"a reclaim of the variable store was interrupted, and the "
		"spare area at offset $o has a complete copy of it; to repair "
		"the file, export it with `pflashctl export`, copy $f bytes "
		"from offset $o of the exported file to its start, and use "
		"that file for `pflashctl create --reset --template`",
	},
	[FV_STORE_ERASED] = {
		"store-erased",
		FV_ERROR,
		"no variable store is at offset $o, only erased flash: "
		HANGS
		"; "
		RESTORE,
	},
	[FV_STORE_SIGNATURE] = {
		"store-signature",
		FV_ERROR,
		"no variable store is at offset $o (unknown signature GUID): "
		HANGS
		"; "
		RESTORE,
	},
	[FV_STORE_FORMAT] = {
		"store-format",
		FV_ERROR,
		"the variable store is not marked as formatted ($f at offset "
		"$o, expected $w): "
		HANGS
		"; "
		RESTORE,
	},
	[FV_STORE_STATE] = {
		"store-state",
		FV_ERROR,
		"the variable store is not marked as healthy ($f at offset $o, "
		"expected $w): "
		HANGS
		"; "
		RESTORE,
	},
	[FV_STORE_PLAIN] = {
		"store-plain",
		FV_NOTE,
		"the variable store at offset $o has the format without "
		"authentication: with it, a firmware has no Secure Boot, and "
		"one that was built for Secure Boot does not start",
	},
	[FV_STORE_SIZE] = {
		"store-size",
		FV_ERROR,
		"the variable store claims $f bytes at offset $o, but the "
		"volume has $w bytes for it: OVMF would hang, or write "
		"variables outside the store; "
		RESTORE,
	},
	[FV_VARIABLE_HEADER] = {
		"variable-header",
		FV_ERROR,
		"the variable at offset $o begins $f bytes before the end of "
		"the store, but its header alone has $w bytes: OVMF would read "
		"beyond the store; "
		RESTORE,
	},
	[FV_VARIABLE_SIZE] = {
		"variable-size",
		FV_ERROR,
		"the variable at offset $o claims $f bytes of name and data, "
		"but only $w bytes are left in the store: OVMF would read "
		"beyond the store and find no later variable; "
		RESTORE,
	},
	[FV_VARIABLE_NO_NAME] = {
		"variable-no-name",
		FV_ERROR,
		"the variable at offset $o has no name: OVMF would return it "
		"in place of any other variable of its vendor; "
		RESTORE,
	},
	[FV_VARIABLE_NAME] = {
		"variable-name",
		FV_WARNING,
		"the name of the variable at offset $o, $f bytes, is not a "
		"string: OVMF never finds this variable; "
		IF_NEEDED,
	},
	[FV_VARIABLE_STATE] = {
		"variable-state",
		FV_WARNING,
		"the variable at offset $o has the state $f, which OVMF never "
		"writes: OVMF ignores this variable; "
		IF_NEEDED,
	},
	[FV_VARIABLE_TORN] = {
		"variable-torn",
		FV_NOTE,
		"the variable at offset $o is incomplete (state $f), as after "
		"a guest was destroyed while it set a variable; OVMF ignores "
		"it; "
		NO_ACTION,
	},
	[FV_VARIABLE_ATTRIBUTES] = {
		"variable-attributes",
		FV_WARNING,
		"the variable at offset $o has the attributes $f, without the "
		"non-volatile bit: OVMF does not let the guest change it; "
		"restore a backup if the guest must change it",
	},
	[FV_VARIABLE_DUPLICATE] = {
		"variable-duplicate",
		FV_WARNING,
		"the variable at offset $o is a duplicate of an earlier one: "
		"OVMF reads only the first; "
		"set the variable in the guest if its value is wrong",
	},
	[FV_VARIABLE_TRANSITION] = {
		"variable-transition",
		FV_WARNING,
		"the variable at offset $o has the name of a later one, and "
		"the replacement of both was interrupted, which OVMF never "
		"leaves: OVMF reads the later one, but keeps this one when it "
		"removes deleted variables; "
		"set the variable in the guest",
	},
	[FV_VARIABLE_HIDES] = {
		"variable-hides",
		FV_WARNING,
		"the data of the variable at offset $o contains bytes that "
		"look like $f other variables: its size may be damaged, and "
		"OVMF does not find those; "
		"restore a backup if variables are missing",
	},
	[FV_CHAIN_BROKEN] = {
		"chain-broken",
		FV_ERROR,
		"the variables end at offset $o, but the bytes behind them are "
		"not erased: OVMF would erase them at the next boot, with $f "
		"variables in them; "
		RESTORE,
	},
	[FV_FREE_DIRTY] = {
		"free-dirty",
		FV_WARNING,
		"the flash behind the last variable, at offset $o, is not "
		"erased; OVMF cleans it up at the next boot, which takes a "
		"while; "
		NO_ACTION,
	},
	[FV_RECLAIM_DUE] = {
		"reclaim-due",
		FV_NOTE,
		"the variable store at offset $o has only $f bytes free, less "
		"than the $w bytes of the largest variable; OVMF removes "
		"deleted variables at the next boot, which takes a while; "
		"`pflashctl compact` does it before",
	},
	[FV_RECLAIM_AT_BOOT] = {
		"reclaim-at-boot",
		FV_NOTE,
		"the variable store at offset $o has only $f bytes free, less "
		"than the $w bytes of the largest variable; OVMF removes "
		"deleted variables at the next boot, which takes a while; "
		"`pflashctl compact` refuses this file; "
		NO_ACTION,
	},
	[FV_FULL] = {
		"full",
		FV_WARNING,
		"the variable store at offset $o is full: without its deleted "
		"variables it would have only $f bytes free, less than the $w "
		"bytes of the largest variable, so OVMF cleans up at every "
		"boot and can refuse to set a variable; delete variables in "
		"the guest",
	},
	[FV_FTW_MISSING] = {
		"ftw-missing",
		FV_WARNING,
		"no working block for fault-tolerant writes was found behind "
		"offset $o; "
		"make sure that the guest's firmware was built for this file",
	},
	[FV_FTW_BLANK] = {
		"ftw-blank",
		FV_NOTE,
		"the working block at offset $o is erased; OVMF writes it; "
		NO_ACTION,
	},
	[FV_FTW_SIGNATURE] = {
		"ftw-signature",
		FV_WARNING,
		"no working block is at offset $o (unknown signature GUID); "
		"OVMF writes a new one; "
		NO_ACTION,
	},
	[FV_FTW_CRC] = {
		"ftw-crc",
		FV_WARNING,
		"the working block has the checksum $f at offset $o, not $w; "
		"OVMF writes a new block; "
		NO_ACTION,
	},
	[FV_FTW_STATE] = {
		"ftw-state",
		FV_WARNING,
		"the working block is not marked as valid ($f at offset $o, "
		"expected $w); OVMF writes a new block; "
		NO_ACTION,
	},
	[FV_FTW_QUEUE_SIZE] = {
		"ftw-queue-size",
		FV_WARNING,
		"the working block claims a queue of $f bytes at offset $o, "
		"not $w; OVMF writes a new block; "
		NO_ACTION,
	},
	[FV_FTW_IN_SPARE] = {
		"ftw-in-spare",
		FV_NOTE,
		"a reclaim of the working block was interrupted, and the spare "
		"area at offset $o has a copy of the block; OVMF goes on with "
		"the copy; "
		NO_ACTION,
	},
	[FV_FTW_FULL] = {
		"ftw-full",
		FV_NOTE,
		"the working block at offset $o has no room for another write; "
		"OVMF cleans it up at the next boot; "
		NO_ACTION,
	},
	[FV_FTW_DIRTY] = {
		"ftw-dirty",
		FV_NOTE,
		"the working block is not erased behind the write at offset "
		"$o; OVMF cleans it up at the next boot; "
		NO_ACTION,
	},
	[FV_FTW_QUEUE] = {
		"ftw-queue",
		FV_ERROR,
		"the write at offset $o does not fit into the working block: "
		"OVMF could hang; destroy the guest, overwrite the block with "
		"0xff ($w bytes from offset $f), and run `pflashctl accept`",
	},
	[FV_FTW_TARGET] = {
		"ftw-target",
		FV_ERROR,
		"the interrupted write at offset $o has $f bytes from its "
		"first block on, but only $w bytes exist there: OVMF could "
		"hang; "
		RESTORE,
	},
	[FV_FTW_BEGUN] = {
		"ftw-begun",
		FV_NOTE,
		"a fault-tolerant write at offset $o was begun and has not "
		"changed anything yet; OVMF abandons it; "
		NO_ACTION,
	},
	[FV_FTW_FINISHED] = {
		"ftw-finished",
		FV_NOTE,
		"the fault-tolerant write at offset $o is complete but not "
		"marked as complete; OVMF marks it; "
		NO_ACTION,
	},
	[FV_FTW_PENDING] = {
		"ftw-pending",
		FV_NOTE,
		"the fault-tolerant write at offset $o was interrupted; OVMF "
		"completes it from the spare area at the next boot; "
		NO_ACTION,
	},
};

/*
 * When all FV_MAX_FINDINGS places are taken, an error replaces the last finding
 * that is not an error: an image with errors must have one in its report.
 */
void
check_add(struct check *c, enum fv_code code, uint64_t off, uint64_t found,
	  uint64_t wanted)
{
	struct fv_report *r = c->report;
	unsigned int i = r->count;

	_Static_assert(FV_CODES <= 64, "fv_report.codes has a bit for each");
	r->codes |= UINT64_C(1) << code;
	if (codes[code].severity == FV_ERROR)
		r->errors++;
	else if (codes[code].severity == FV_WARNING)
		r->warnings++;
	else
		r->notes++;
	if (i < FV_MAX_FINDINGS) {
		r->count++;
	} else {
		if (codes[code].severity != FV_ERROR)
			return;
		while (i && r->findings[i - 1].severity == FV_ERROR)
			i--;
		if (!i)
			return;
		i--;
	}
	r->findings[i] = (struct fv_finding){
		.code = code,
		.severity = codes[code].severity,
		.offset = off,
		.found = found,
		.wanted = wanted,
	};
}

const char *
fv_code_name(enum fv_code code)
{
	return (unsigned int)code < FV_CODES ? codes[code].name : "unknown";
}

const char *
fv_severity_name(enum fv_severity severity)
{
	switch (severity) {
	case FV_NOTE: return "note";
	case FV_WARNING: return "warning";
	case FV_ERROR: return "error";
	}
	return "unknown";
}

void
sentence_append(struct error *text, size_t *len, const char *s, size_t n)
{
	size_t room = sizeof(text->text) - 1 - *len;

	n = n < room ? n : room;
	memcpy(text->text + *len, s, n);
	*len += n;
	text->text[*len] = '\0';
}

void
sentence_number(struct error *text, size_t *len, uint64_t value)
{
	struct error number;

	(void)error_set(&number, 0, "%#jx", (uintmax_t)value);
	sentence_append(text, len, number.text, strlen(number.text));
}

void
fv_finding_text(const struct fv_finding *finding, struct error *text)
{
	const char *p = "this program does not know this finding";
	size_t len = 0, n;

	if ((unsigned int)finding->code < FV_CODES)
		p = codes[finding->code].sentence;
	for (; *p; p += n) {
		n = strcspn(p, "$");
		sentence_append(text, &len, p, n);
		if (!p[n])
			break;
		if (p[n + 1] == 'o')
			sentence_number(text, &len, finding->offset);
		else if (p[n + 1] == 'f')
			sentence_number(text, &len, finding->found);
		else
			sentence_number(text, &len, finding->wanted);
		n += 2;
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each finding is called, how bad it is, and what is said of it.  In a
 * sentence, $o stands for the offset, $f for what was found and $w for what
 * was wanted.
 */
#include <string.h>

#include "check.h"

/* What to do with a file that can't be helped. */
#define REPLACE "restore a backup, or start from an empty or a template file"
#define WIPES "OVMF would erase all variables, and then hang at every boot"
#define HANGS "OVMF would hang at every boot"
#define OTHER_FILE "is it the right file, and not the firmware's code?"

static const struct code {
	const char *name;
	enum fv_severity severity;
	const char *sentence;
} codes[FV_CODES] = {
	[FV_EMPTY] = {
		"empty",
		FV_ERROR,
		"the file is empty; remove it to have a new one made, or "
		REPLACE,
	},
	[FV_TOO_SHORT] = {
		"too-short",
		FV_ERROR,
		"the file has only $f bytes, less than one block of $w; "
		REPLACE,
	},
	[FV_TOO_LARGE] = {
		"too-large",
		FV_ERROR,
		"the file has $f bytes, and no variables are kept in more "
		"than $w; "
		OTHER_FILE,
	},
	[FV_ERASED] = {
		"erased",
		FV_ERROR,
		"the file holds nothing but 0xff, and OVMF would hang on it; "
		REPLACE,
	},
	[FV_ZEROED] = {
		"zeroed",
		FV_ERROR,
		"the file holds nothing but zeros: OVMF would not recognize "
		"a flash, and silently forget all variables with the guest; "
		REPLACE,
	},
	[FV_NO_PROBE] = {
		"no-probe",
		FV_ERROR,
		"the first $w bytes hold nothing but 0x00, 0x50 and 0x70: "
		"OVMF would not recognize a flash, and silently forget all "
		"variables with the guest; "
		REPLACE,
	},
	[FV_SIGNATURE] = {
		"signature",
		FV_ERROR,
		"there is no firmware volume at offset $o (no _FVH in its "
		"header): "
		WIPES
		"; "
		OTHER_FILE,
	},
	[FV_REVISION] = {
		"revision",
		FV_ERROR,
		"the volume header has revision $f, not $w: "
		WIPES
		"; "
		REPLACE,
	},
	[FV_HEADER_LENGTH] = {
		"header-length",
		FV_ERROR,
		"the volume header can't have the $f bytes it claims (OVMF's "
		"has $w): "
		WIPES
		"; "
		REPLACE,
	},
	[FV_HEADER_CHECKSUM] = {
		"header-checksum",
		FV_ERROR,
		"the volume header's checksum is $f, and the header's bytes "
		"want $w, so it is damaged: "
		WIPES
		"; "
		REPLACE,
	},
	[FV_TRUNCATED] = {
		"truncated",
		FV_ERROR,
		"the file is cut off: it has $f bytes, and its volume $w: "
		WIPES
		"; "
		REPLACE,
	},
	[FV_WHOLE_IMAGE] = {
		"whole-image",
		FV_ERROR,
		"this is a whole firmware image of $f bytes, variables and "
		"code; take its first $w bytes, or the OVMF_VARS file of the "
		"same build",
	},
	[FV_TRAILING] = {
		"trailing",
		FV_ERROR,
		"the file has $f bytes, but its volume ends at $w, and OVMF "
		"takes no flash of another size than its volume: "
		WIPES
		"; if nothing of use is behind it, cut the file",
	},
	[FV_OTHER_BLOCK_SIZE] = {
		"block-size",
		FV_ERROR,
		"the volume is of blocks of $f bytes, and OVMF's of $w: "
		WIPES
		"; "
		OTHER_FILE,
	},
	[FV_BLOCK_MAP] = {
		"block-map",
		FV_ERROR,
		"the block map gives $f bytes, not the $w of the volume: "
		"OVMF would keep no variable; "
		REPLACE,
	},
	[FV_LONG_BLOCK_MAP] = {
		"long-block-map",
		FV_WARNING,
		"the block map gives $f bytes, more than the $w of the "
		"volume; OVMF does not mind",
	},
	[FV_FILE_SYSTEM] = {
		"file-system",
		FV_ERROR,
		"the volume is not one for variables (its file system is "
		"another one): "
		HANGS
		"; "
		OTHER_FILE,
	},
	[FV_READ_ONLY] = {
		"read-only",
		FV_ERROR,
		"the volume is marked as not writable (attributes $f, OVMF's "
		"are $w): OVMF would keep no variable; "
		REPLACE,
	},
	[FV_OTHER_ATTRIBUTES] = {
		"attributes",
		FV_NOTE,
		"the volume's attributes are $f, not the $w of OVMF's; "
		"nothing depends on them",
	},
	[FV_UNKNOWN_LAYOUT] = {
		"unknown-layout",
		FV_NOTE,
		"no known build of OVMF has a volume of $f bytes; make sure "
		"that the firmware was built for it, or it erases all "
		"variables",
	},
	[FV_SPARE_HAS_STORE] = {
		"spare-has-store",
		FV_NOTE,
		"a reclaim was interrupted, and the spare area at offset $o "
		"has a complete copy of the variables: save the file, then "
		"copy $f bytes from there to its start",
	},
	[FV_STORE_ERASED] = {
		"store-erased",
		FV_ERROR,
		"there is no variable store at offset $o, only erased flash: "
		HANGS
		"; "
		REPLACE,
	},
	[FV_STORE_SIGNATURE] = {
		"store-signature",
		FV_ERROR,
		"what is at offset $o is no variable store: "
		HANGS
		"; "
		REPLACE,
	},
	[FV_STORE_FORMAT] = {
		"store-format",
		FV_ERROR,
		"the variable store is marked $f, not as formatted ($w): "
		HANGS
		"; "
		REPLACE,
	},
	[FV_STORE_STATE] = {
		"store-state",
		FV_ERROR,
		"the variable store is marked $f, not as healthy ($w): "
		HANGS
		"; "
		REPLACE,
	},
	[FV_STORE_SIZE] = {
		"store-size",
		FV_ERROR,
		"the variable store claims $f bytes, and the layout has $w "
		"for it: OVMF would hang, or write variables where they "
		"don't belong; "
		REPLACE,
	},
	[FV_VARIABLE_HEADER] = {
		"variable-header",
		FV_ERROR,
		"the variable at offset $o begins $f bytes before the end of "
		"the store, and its header alone has $w: OVMF would read "
		"beyond the store; "
		REPLACE,
	},
	[FV_VARIABLE_SIZE] = {
		"variable-size",
		FV_ERROR,
		"the variable at offset $o claims $f bytes of name and data, "
		"and only $w are left: OVMF would read beyond the store and "
		"find none that follows; "
		REPLACE,
	},
	[FV_VARIABLE_NO_NAME] = {
		"variable-no-name",
		FV_ERROR,
		"the variable at offset $o has no name: OVMF would take it "
		"for every other one of its vendor; "
		REPLACE,
	},
	[FV_VARIABLE_NAME] = {
		"variable-name",
		FV_WARNING,
		"the name of the variable at offset $o is not one string ($f "
		"bytes): nobody can ask for it",
	},
	[FV_VARIABLE_STATE] = {
		"variable-state",
		FV_WARNING,
		"the variable at offset $o has the state $f, which OVMF "
		"never makes: it is lost",
	},
	[FV_VARIABLE_TORN] = {
		"variable-torn",
		FV_NOTE,
		"the variable at offset $o was never completed (state $f), "
		"as when a guest is destroyed while it sets one; OVMF "
		"ignores it",
	},
	[FV_VARIABLE_ATTRIBUTES] = {
		"variable-attributes",
		FV_WARNING,
		"the variable at offset $o has the attributes $f, which are "
		"not those of one that is kept: the guest can't change it",
	},
	[FV_VARIABLE_DUPLICATE] = {
		"variable-duplicate",
		FV_WARNING,
		"the variable at offset $o is there a second time, before "
		"it: OVMF reads only the first one",
	},
	[FV_VARIABLE_HIDES] = {
		"variable-hides",
		FV_WARNING,
		"in the data of the variable at offset $o are $f that look "
		"like variables: its size may be damaged, and OVMF does not "
		"find those",
	},
	[FV_CHAIN_BROKEN] = {
		"chain-broken",
		FV_ERROR,
		"the variables end at offset $o, where something else than "
		"erased flash follows, and in it are $f that OVMF would "
		"erase at the next boot; "
		REPLACE,
	},
	[FV_FREE_DIRTY] = {
		"free-dirty",
		FV_WARNING,
		"the flash behind the last variable at offset $o is not "
		"erased; OVMF cleans it up at the next boot, which takes a "
		"while",
	},
	[FV_RECLAIM_DUE] = {
		"reclaim-due",
		FV_NOTE,
		"only $f bytes are free, less than the $w of the largest "
		"variable: OVMF cleans up deleted variables at the next "
		"boot, which takes a while",
	},
	[FV_FULL] = {
		"full",
		FV_WARNING,
		"the store is full: even without deleted variables there are "
		"only $f bytes free, less than the $w of the largest "
		"variable, so OVMF cleans up at every boot and can refuse to "
		"set one; delete some in the guest",
	},
	[FV_FTW_MISSING] = {
		"ftw-missing",
		FV_WARNING,
		"no working block for fault-tolerant writes was found behind "
		"offset $o",
	},
	[FV_FTW_BLANK] = {
		"ftw-blank",
		FV_NOTE,
		"the working block at offset $o is erased; OVMF makes it",
	},
	[FV_FTW_SIGNATURE] = {
		"ftw-signature",
		FV_WARNING,
		"what is at offset $o is no working block; OVMF makes it anew",
	},
	[FV_FTW_CRC] = {
		"ftw-crc",
		FV_WARNING,
		"the working block's checksum is $f, not $w; OVMF makes the "
		"block anew",
	},
	[FV_FTW_STATE] = {
		"ftw-state",
		FV_WARNING,
		"the working block is marked $f, not as valid ($w); OVMF "
		"makes it anew",
	},
	[FV_FTW_QUEUE_SIZE] = {
		"ftw-queue-size",
		FV_WARNING,
		"the working block claims a queue of $f bytes, not $w; OVMF "
		"makes it anew",
	},
	[FV_FTW_IN_SPARE] = {
		"ftw-in-spare",
		FV_NOTE,
		"the working block was being cleaned up, and a copy of it is "
		"in the spare area at offset $o; OVMF goes on with that",
	},
	[FV_FTW_FULL] = {
		"ftw-full",
		FV_NOTE,
		"the working block has no room for another write; OVMF "
		"cleans it up at the next boot",
	},
	[FV_FTW_DIRTY] = {
		"ftw-dirty",
		FV_NOTE,
		"the working block is not erased behind the write at offset "
		"$o; OVMF cleans it up at the next boot",
	},
	[FV_FTW_QUEUE] = {
		"ftw-queue",
		FV_ERROR,
		"the write at offset $o of the working block does not fit "
		"into it, and OVMF could hang on it; with the guest "
		"destroyed, erase the block (0xff, $w bytes from offset $f)",
	},
	[FV_FTW_TARGET] = {
		"ftw-target",
		FV_ERROR,
		"the interrupted write at offset $o of the working block "
		"goes to beyond the volume (to byte $f of $w), and OVMF "
		"could hang on it; "
		REPLACE,
	},
	[FV_FTW_BEGUN] = {
		"ftw-begun",
		FV_NOTE,
		"a fault-tolerant write was begun at offset $o and changed "
		"nothing yet; OVMF gives it up",
	},
	[FV_FTW_FINISHED] = {
		"ftw-finished",
		FV_NOTE,
		"a fault-tolerant write at offset $o was done and not marked "
		"so; OVMF does that",
	},
	[FV_FTW_PENDING] = {
		"ftw-pending",
		FV_NOTE,
		"a fault-tolerant write was interrupted, which is what it is "
		"for; OVMF copies the spare area at the next boot",
	},
};

/*
 * Beyond FV_MAX_FINDINGS an error takes the place of the last finding that is
 * none: a report without errors shall have none.
 */
void
check_add(struct check *c, enum fv_code code, uint64_t off, uint64_t found,
	  uint64_t wanted)
{
	struct fv_report *r = c->report;
	unsigned int i = r->count;

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
		if (!i--)
			return;
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

/* Appends to `text` what fits, and a NUL. */
static void
append(struct error *text, size_t *len, const char *s, size_t n)
{
	size_t room = sizeof(text->text) - 1 - *len;

	n = n < room ? n : room;
	memcpy(text->text + *len, s, n);
	*len += n;
	text->text[*len] = '\0';
}

static void
append_number(struct error *text, size_t *len, uint64_t value)
{
	struct error number;

	(void)error_set(&number, 0, "%#jx", (uintmax_t)value);
	append(text, len, number.text, strlen(number.text));
}

void
fv_finding_text(const struct fv_finding *finding, struct error *text)
{
	const char *p = "nothing is known of this finding";
	size_t len = 0, n;

	if ((unsigned int)finding->code < FV_CODES)
		p = codes[finding->code].sentence;
	for (; *p; p += n) {
		n = strcspn(p, "$");
		append(text, &len, p, n);
		if (!p[n])
			break;
		if (p[n + 1] == 'o')
			append_number(text, &len, finding->offset);
		else if (p[n + 1] == 'f')
			append_number(text, &len, finding->found);
		else
			append_number(text, &len, finding->wanted);
		n += 2;
	}
}

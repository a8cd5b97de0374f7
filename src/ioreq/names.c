/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/names.h"

#include <stddef.h>

#include "pflash/cfi.h"
#include "pflash/store.h"
#include "pflash/window.h"

const struct parse_choice names_mode[] = {
	{ "auto", WINDOW_AUTO },
	{ "direct", WINDOW_DIRECT },
	{ "trap", WINDOW_TRAP },
	{ NULL, 0 },
};

const struct parse_choice names_sync[] = {
	{ "variable", STORE_SYNC_VARIABLE },
	{ "burst", STORE_SYNC_BURST },
	{ "op", STORE_SYNC_OP },
	{ "none", STORE_SYNC_NONE },
	{ NULL, 0 },
};

const struct parse_choice names_personality[] = {
	{ "ovmf", CFI_OVMF },
	{ "strict", CFI_STRICT },
	{ "qemu", CFI_QEMU },
	{ NULL, 0 },
};

const struct parse_choice names_lanes[] = {
	{ "1", 1 },
	{ "2", 2 },
	{ "4", 4 },
	{ NULL, 0 },
};

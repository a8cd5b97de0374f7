/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to the guest while it waits: a line on its console, and the requests
 * of `xl save`, `xl shutdown` and `xl reboot` in xenstore.
 */
#ifndef LAB_GUEST_CONTROL_H
#define LAB_GUEST_CONTROL_H

#include <stdbool.h>

/* With `store` the guest reads xenstore. Not for a guest that xl suspends
 * without asking: the suspend could come in the middle of a message. */
struct control {
	bool soft_reset; /* make one instead of waiting */
	bool store;
};

/* Reports "# waits" and returns after a typed line or, with soft_reset, after
 * a soft reset. On xl's request it suspends, and reports "# goes on"
 * afterwards, or shuts down and does not return. */
void control_wait(const struct control *control);

/* Executes a pending request of xl, without waiting for one. */
void control_look(const struct control *control);

/* True if the end of a line was typed. */
bool control_typed(void);

#endif

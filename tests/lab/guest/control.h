/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes to the guest from outside while it waits: a line on its console,
 * and what `xl save`, `xl shutdown` and `xl reboot` ask for in xenstore.
 */
#ifndef LAB_GUEST_CONTROL_H
#define LAB_GUEST_CONTROL_H

#include <stdbool.h>

/* With `store` xenstore is looked at. Not for a guest that xl suspends without
 * asking, which could be in the middle of a message then. */
struct control {
	bool soft_reset; /* nobody is waited for */
	bool store;
};

/* Says "# waits" and returns when a line was typed or, with soft_reset, after
 * a soft reset. Is suspended in between if xl asks for it, and says "# goes
 * on" afterwards; does not return if xl asks for a shutdown. */
void control_wait(const struct control *control);

/* The same without the waiting: does what xl asks for, if it does. */
void control_look(const struct control *control);

/* Has the end of a line been typed? */
bool control_typed(void);

#endif

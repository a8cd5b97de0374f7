/* SPDX-License-Identifier: BSD-2-Clause */
/* The variables of each group of pins, and what a guest may do with them. */
#ifndef FV_PINS_H
#define FV_PINS_H

#include "pflash/pins.h"

/* A change that a guest may make of a pinned variable. */
enum pin_change {
	PIN_FIXED, /* none */
	PIN_GROWS, /* more signatures; those that are there stay */
	PIN_MADE,  /* the firmware makes it where there is none, with the
		    * attributes and data of the rule */
	PIN_FIRST, /* where there is none, any value may be written */
};

struct pin_rule {
	unsigned int group;
	const uint8_t *guid;
	const char *name; /* ASCII */
	enum pin_change change;
	uint32_t attributes; /* of PIN_MADE */
	const char *data;    /* of PIN_MADE, data_size bytes */
	uint32_t data_size;
};

extern const struct pin_rule pin_rules[]; /* ends with a NULL name */

extern const uint8_t pins_platform_key[6]; /* names */
extern const uint8_t pins_boot_order[20];

/* A pinned name.  The bytes of `key` are GUID and name, with its NUL. */
struct pin {
	const struct pin_rule *rule; /* NULL: named by the host */
	uint8_t *key;
	uint32_t name_size;
	bool wanted;  /* by the groups; other pins are only in the record */
	bool decided; /* the rest is valid */
	bool present; /* false: there must be no such variable */
	uint32_t attributes;
	struct variable_time time;
	uint8_t *data;
	uint32_t data_size;
	/* Of one judgement: variables that may be taken for this one. */
	unsigned int found;
	struct variable last; /* of these */
};

struct pins {
	unsigned int groups;
	struct pin *pins; /* sorted by their keys */
	size_t count, room;
	bool active;
	bool changed;  /* since pins_load() */
	size_t held;   /* pins_held() */
	bool in_spare; /* the last image that was allowed has its store there */
	/* The headers of volume and store, which no firmware changes. */
	uint8_t *headers;
	size_t headers_size;
};

int pins_no_memory(struct error *err);

/* NULL: there is no such name. */
struct pin *pins_find(struct pins *pins, const struct variable *v);

/* The pin of this name, a new one if necessary; NULL: no memory. */
struct pin *pins_add(struct pins *pins, const struct variable *v,
		     const struct pin_rule *rule);
struct pin *pins_add_name(struct pins *pins, const uint8_t *guid,
			  const char *name, const struct pin_rule *rule);

/*
 * True if the record says something about this name of the vendor
 * EfiGlobalVariable.
 */
bool pins_decided(struct pins *pins, const uint8_t *name, uint32_t size);

/* Decides that there is no such variable, or, with `v`, that it is this one. */
int pin_decide(struct pins *pins, struct pin *pin, const struct variable *v,
	       struct error *err);

/* True if it has the pinned attributes, time stamp and data. */
bool pin_has_value(const struct pin *pin, const struct variable *v);

/* True if the variable may be there under the pin's name. */
bool pin_allows(const struct pin *pin, const struct variable *v);

/* The time stamp as a number that increases with time. */
uint64_t pin_time(const struct variable_time *time);

/* GUID and name only; and with the value. */
struct variable pin_name(const struct pin *pin);
struct edit_value pin_value(const struct pin *pin);

/* True for BootOrder's entries: "Boot" and four digits of UEFI 2.10, 3.1.1. */
bool pin_is_boot_entry(const struct variable *v);

#endif

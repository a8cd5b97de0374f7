/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of pflashctl keys: a store in memory, parties with keys and
 * certificates, and signed updates, all made by libcrypto.  It has the
 * functions of pflashctl's main.c.
 */
#ifndef KEYS_FIXTURE_H
#define KEYS_FIXTURE_H

#include <check.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys.h"
#include "support_vars.h"

#define DAY 86400

/* Two owners, and the type of hashes. */
extern const uint8_t me[16], you[16], sha256[16];

/* The last note that a command has printed on standard error, and how many. */
extern char said[1024];
extern unsigned int notes;

/* --- keys --- */

/* A key with its certificate. */
struct party {
	EVP_PKEY *key;
	X509 *x509;
	uint8_t *der;
	size_t size;
};

/* `kek` has issued the certificate of `leaf`; the others are their own. */
extern struct party pk, kek, db, leaf, stranger;
extern EVP_PKEY *keys[3]; /* RSA keys take a while to make */

/* `from` and `until` are seconds since 1970; `issuer` NULL: itself. */
struct party make_party(EVP_PKEY *key, const char *name,
			const struct party *issuer, long from, long until);
void free_party(struct party *party);

/* --- the store --- */

extern struct vars vars; /* an empty store of 4m */
extern struct varstore store;
extern struct error err;
extern struct keys_input input; /* empty */

/* Opens `store` again, after a change of `vars`. */
void open_store(void);

void setup(void);
void teardown(void);

/* The same, and `input`. */
void setup_input(void);
void teardown_input(void);

/* Makes the changes of a plan; 1: the image has changed. */
int run(edit_plan *plan, void *opaque);

/* The value of a database, and the names of its signatures, as text. */
struct siglists of_store(enum keys_database database);
const char *names(enum keys_database database);
uint16_t year_of(enum keys_database database);

/* SecureBootEnable, or -1. */
int enable(void);

/* --- what is enrolled --- */

int add(struct keys_input *to, enum keys_database database,
	const struct party *party, const uint8_t *owner);
void add_hash(struct siglists *to, const uint8_t *owner, uint8_t fill);

/* Enrolls and empties the input. */
int enroll(struct keys_input *to, bool keep_pk);

/* PK, KEK and db of their parties; `owner` is that of KEK and db. */
void enroll_all(const uint8_t *owner);

/* --- signed updates --- */

struct signing {
	enum keys_database database;
	bool append;
	uint16_t year;
	const struct party *by;
	const EVP_MD *digest; /* NULL: SHA-256 */
	bool wrapped;         /* with the ContentInfo */
};

/* The caller frees the update. */
uint8_t *make_update(const struct signing *how, const struct siglists *value,
		     size_t *size);

/* A list of one certificate; the caller frees it. */
struct siglists certificate_list(const struct party *party,
				 const uint8_t *owner);

/* --- suites --- */

/* Adds tests, each of which runs twice, with _i 0 and 1. */
void add_case(Suite *suite, const char *name, const TTest *const *tests,
	      size_t count, void (*begin)(void), void (*end)(void));

#define ADD(suite, name, tests, begin, end)                                    \
	add_case(suite, name, tests, sizeof(tests) / sizeof(tests[0]), begin,  \
		 end)

/* Runs the suite and frees it; returns the exit code. */
int run_suite(Suite *suite);

#endif

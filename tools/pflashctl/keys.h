/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflashctl keys: the databases of Secure Boot in VARS files.
 *
 * Certificates are parsed by libcrypto (keys_cert.c, keys_pkcs7.c), signature
 * lists and signed updates by src/fv.  Functions that can fail return 0 or
 * -errno with a sentence.
 */
#ifndef PFLASHCTL_KEYS_H
#define PFLASHCTL_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "edit.h"
#include "group.h"
#include "pflash/authvar.h"
#include "pflash/changes.h"
#include "pflash/error.h"
#include "pflash/siglist.h"
#include "pflash/varstore.h"

/* --- keys_database.c: the variables --- */

enum keys_database {
	KEYS_PK,
	KEYS_KEK,
	KEYS_DB,
	KEYS_DBX,
	KEYS_DBT,
	KEYS_DATABASES
};

/* The attributes of all of them. */
#define KEYS_ATTRIBUTES                                                        \
	(VARIABLE_NON_VOLATILE | VARIABLE_BOOT_ACCESS |                        \
	 VARIABLE_RUNTIME_ACCESS | VARIABLE_TIME_AUTHENTICATED)

/* A variable by its GUID and name. */
struct keys_variable {
	const char *text;    /* "KEK" */
	const char *word;    /* on the command line: "kek" */
	const uint8_t *guid; /* GUID_SIZE bytes */
	const uint8_t *name; /* UTF-16LE, with its NUL */
	uint32_t name_size;
};

extern const struct keys_variable keys_databases[KEYS_DATABASES];
extern const struct keys_variable keys_secure_boot_enable, keys_custom_mode,
	keys_vendor_keys, keys_certdb;

bool keys_find(const struct varstore *store, const struct keys_variable *which,
	       struct variable *variable);

/* The value of a variable of one byte; -1: there is none. */
int keys_byte(const struct varstore *store, const struct keys_variable *which);

/* The entries of certdb; -1: there is no such variable, or it is damaged. */
int keys_certdb_entries(const struct varstore *store);

/*
 * The database with the word "kek" or the name "KEK"; -EINVAL with a sentence
 * that begins with the text.
 */
int keys_parse_database(const char *text, enum keys_database *database,
			struct error *err);

/* True: PK exists, so the firmware is in user mode. */
bool keys_user_mode(const struct varstore *store);

/* --- keys_cert.c: certificates --- */

struct cert {
	char *subject, *issuer; /* RFC 2253, printed by show_text() already */
	char *name;             /* the common name, or the subject */
	int64_t not_before, not_after; /* seconds since 1970 */
	bool rsa;                      /* its key is an RSA key */
};

#define KEYS_HASH_SIZE 32u

/* -EINVAL: no certificate; the caller frees it by cert_free() after success. */
int cert_read(struct cert *cert, const uint8_t *der, size_t size,
	      struct error *err);
void cert_free(struct cert *cert);

/* SHA-256 of the bytes. */
void keys_hash(const uint8_t *bytes, size_t size, uint8_t hash[KEYS_HASH_SIZE]);

/* Finds a signature: the hash that it is, or that of its data. */
struct fingerprint {
	uint8_t bytes[64];
	size_t size;
};

struct fingerprint keys_fingerprint(const struct signature *signature);

/* Writes hexadecimal digits and a NUL. */
void keys_hex(const uint8_t *bytes, size_t size, char *text);

/* In malloc()ed memory: a certificate's name, or "SHA-256 80b4d969..." */
char *keys_signature_name(const struct signature *signature);

/* "2026-06-24", in UTC. */
#define KEYS_DATE_SIZE 32
void keys_date(int64_t seconds, char text[KEYS_DATE_SIZE]);

/* "2010-03-06 19:17:21" */
#define KEYS_TIME_SIZE 40
void keys_time(const struct variable_time *time, char text[KEYS_TIME_SIZE]);

/* --- keys_known.c: owners and certificates by name --- */

/* NULL: not known. */
const char *keys_owner_name(const uint8_t *guid);
const char *keys_known_name(const struct fingerprint *fingerprint);

/*
 * The fingerprint of the certificate that this one replaces; NULL: it is not
 * known to replace any.
 */
const uint8_t *keys_predecessor(const struct fingerprint *fingerprint);

/* The owner for a certificate without one: of a known one, or pflashctl's. */
const uint8_t *keys_default_owner(const uint8_t *der, size_t size);

/* --- keys_pkcs7.c: signatures of updates --- */

/*
 * True if the signature is one of `content` by this certificate, or by one that
 * this certificate has issued, as edk2's Pkcs7Verify() decides.
 */
bool keys_signed_by(const uint8_t *signature, size_t size,
		    const uint8_t *content, size_t content_size,
		    const uint8_t *der, size_t der_size);

/*
 * Copies the certificate of the first signer, in malloc()ed memory.  -EINVAL:
 * no signature in PKCS#7 with SHA-256 or longer, or without the certificate.
 */
int keys_signer(const uint8_t *signature, size_t size, uint8_t **der,
		size_t *der_size, struct error *err);

/* The variable and attributes for which an update was signed. */
struct keys_target {
	enum keys_database database;
	bool append;
};

/*
 * Finds them by the signer's own certificate.  -EINVAL: the signature fits
 * none of the databases.
 */
int keys_identify(const struct authvar *update, struct keys_target *target,
		  struct error *err);

/*
 * Verifies that a certificate of PK or KEK has signed the update for this
 * target, as VerifyTimeBasedPayload() does.  -EACCES: none has.
 */
int keys_verify(const struct authvar *update, const struct keys_target *target,
		const struct varstore *store, struct error *err);

/* --- keys_file.c: files with keys --- */

/* The databases that are given on a command line. */
struct keys_input {
	struct siglists lists[KEYS_DATABASES];
	struct variable_time time[KEYS_DATABASES]; /* year 0: none is known */
};

/*
 * Adds the contents of a file to the list of this database: PEM, DER, signature
 * lists or a signed update, recognized by its contents.  `owner` is for
 * certificates; NULL: keys_default_owner().  The sentence names the file.
 */
int keys_load(struct keys_input *input, enum keys_database database,
	      const char *path, const uint8_t *owner, struct error *err);

/* The same for bytes; the sentence does not name a file. */
int keys_add(struct keys_input *input, enum keys_database database,
	     const uint8_t *bytes, size_t size, const uint8_t *owner,
	     struct error *err);

/* Adds all databases of a VARS file, with its journal, or of a template. */
int keys_load_store(struct keys_input *input, const char *path,
		    struct error *err);

/* A file of at most this size, in bytes, has keys or an update. */
#define KEYS_FILE_MOST (256u * 1024)

void keys_input_free(struct keys_input *input);

/* 0, or -EINVAL: not a value that the firmware would take. */
int keys_check_value(enum keys_database database, const uint8_t *bytes,
		     size_t size, struct error *err);

/* Makes an RSA key and a certificate for PK; see keys_generate.c. */
int keys_generate(struct keys_input *input, const uint8_t *owner,
		  const char *private_key, struct error *err);

/* --- keys_plan.c: changes of the databases of one store --- */

struct keys_plan {
	const struct edit_target *target;
	struct siglists lists[KEYS_DATABASES]; /* as they shall be */
	struct variable_time time[KEYS_DATABASES];
	bool existed[KEYS_DATABASES], touched[KEYS_DATABASES];
};

int keys_plan_begin(struct keys_plan *plan, const struct edit_target *target,
		    struct error *err);
void keys_plan_end(struct keys_plan *plan);

/* The same as siglists_append(), for a database of the plan. */
int keys_plan_append(struct keys_plan *plan, enum keys_database database,
		     const struct siglists *lists, enum siglists_equal equal,
		     struct error *err);

/*
 * Adds the changes of the touched databases, and SecureBootEnable and
 * CustomMode if PK comes or goes (UpdatePlatformMode(), AuthService.c:281).
 */
int keys_plan_finish(struct keys_plan *plan, struct changes *changes,
		     struct error *err);

/* The time stamp of a database that has none before. */
extern const struct variable_time keys_first_time;

/* --- the commands --- */

extern const struct group_command keys_commands[];
extern const struct cmdline_option keys_list_options[], keys_enroll_options[],
	keys_rm_options[], keys_update_options[], keys_refresh_options[];

int keys_list(const struct group_command *command, int argc, char **argv);
int keys_enroll(const struct group_command *command, int argc, char **argv);
int keys_rm(const struct group_command *command, int argc, char **argv);
int keys_update(const struct group_command *command, int argc, char **argv);
int keys_refresh(const struct group_command *command, int argc, char **argv);

/* The plans, for tests: the opaque pointers are those of edit_files(). */
edit_plan keys_plan_enroll, keys_plan_rm, keys_plan_update, keys_plan_refresh;

struct keys_enrolment {
	struct keys_input input;
	bool keep_pk; /* of a template: no error if the store has another PK */
};

struct keys_removal {
	uint8_t prefix[64];
	size_t digits; /* of the prefix; 0: none */
	bool has_database;
	enum keys_database database; /* of --of or --all-of */
	bool all;
};

struct keys_signed_update {
	struct authvar authvar;
	struct keys_target target;
};

/* Each note about a file is printed once, though its plan is made twice. */
struct keys_refreshing {
	struct keys_input input;
	const char *path; /* of the file with these notes */
	unsigned int notes;
};

/* keys_list.c, for tests. */
void keys_print(FILE *to, const char *path, const struct varstore *store,
		bool all, int64_t now);
struct json_object;
struct json_object *keys_json(const char *path, const struct varstore *store,
			      int64_t now);

#endif

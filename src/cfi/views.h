/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The views of the partitions, private to src/cfi.
 *
 * A part has a view for each partition of the bank (docs/chip.md, section 2).
 * struct cfi_part has the view of the partition that the part's last cycle
 * addressed.  The table `shown` of struct cfi has one byte for each part and
 * partition, the mark below: it says which bytes a read returns there.  Each
 * change of a mark is noted in a log, from which the owner finds the ranges
 * that it must show again, and cfi_save_again() the bytes of its record.
 *
 * No access takes time that depends on the size of the bank: a cycle changes
 * one mark, and a READ ARRAY that ends all other views clears the marks that
 * earlier cycles have set.
 */
#ifndef PFLASH_CFI_VIEWS_H
#define PFLASH_CFI_VIEWS_H

#include "part.h"

/*
 * The marks.  An odd mark is a status byte with bit 0 set: the lane reads as
 * this byte without bit 0, which no status has (SR.0 is 0).
 */
enum {
	MARK_ARRAY = 0,
	MARK_STATUS = 1,
	MARK_ID = 2,
	MARK_QUERY = 4,
};

/* An entry of the log that is not a view: locks or protection registers. */
#define LOG_OTHER UINT16_MAX

/* Sets the chip's partitions.  cfi_check_partition() has accepted the size. */
void views_init(struct cfi *chip);

/* Adds an entry to the log: the index of a mark, or LOG_OTHER. */
void views_log(struct cfi *chip, uint16_t entry);

/* Called only by views_enter() and views_note(). */
void views_load(struct cfi *chip, unsigned int n, uint32_t partition);
void views_set(struct cfi *chip, unsigned int n, uint8_t mark);

/*
 * Ends all views of part `n` other than ARRAY, if the personality says that
 * READ ARRAY does so.  True if a mark has changed.
 */
bool views_end(struct cfi *chip, unsigned int n);

/*
 * Makes the list of the partitions that do not show the array, after the marks
 * were restored.
 */
void views_find_switched(struct cfi *chip);

/* Checks the invariants of the marks; false: one is violated. */
bool views_verify(const struct cfi *chip);

/* Returns the mark of the part's view. */
static inline uint8_t
views_mark(const struct cfi_part *part)
{
	switch (part->view) {
	case CFI_VIEW_STATUS: return part->status | MARK_STATUS;
	case CFI_VIEW_BUFFER:
		return part->state == CFI_STATE_COUNT ?
			       CFI_SR_READY | MARK_STATUS :
			       MARK_STATUS;
	case CFI_VIEW_ID: return MARK_ID;
	case CFI_VIEW_QUERY: return MARK_QUERY;
	default: return MARK_ARRAY;
	}
}

static inline uint32_t
views_index(const struct cfi *chip, unsigned int n, uint32_t partition)
{
	return n * chip->partitions + partition;
}

/* Sets the mark of the part's partition; true if it has changed. */
static inline bool
views_note_mark(struct cfi *chip, unsigned int n, uint8_t mark)
{
	if (chip->shown[views_index(chip, n, chip->part[n].partition)] == mark)
		return false;
	views_set(chip, n, mark);
	return true;
}

/* Updates the mark of the part's partition; true if it has changed. */
static inline bool
views_note(struct cfi *chip, unsigned int n)
{
	return views_note_mark(chip, n, views_mark(&chip->part[n]));
}

/*
 * A write cycle that addresses `partition` begins.  The view BUFFER ends with
 * it, and each cycle of a command shows the status.
 */
static inline void
views_enter(struct cfi *chip, unsigned int n, uint32_t partition)
{
	struct cfi_part *part = &chip->part[n];

	if (part->partition != partition)
		views_load(chip, n, partition);
	if (part->state != CFI_STATE_READY || part->view == CFI_VIEW_BUFFER)
		part->view = CFI_VIEW_STATUS;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps payment card numbers out of what is written down: a run of 13 to 19 digits that
 * passes the Luhn check becomes its first six digits, "*", its last four. Called by
 * access_line for whatever a client chose the text of. */
#ifndef OBSERVE_CARD_MASK_H
#define OBSERVE_CARD_MASK_H

#include "base/bytes.h"

#define CARD_LENGTH_LEAST 13 /* in a shorter text there is nothing to mask */

/* `text` masked and then cut to `most` bytes: `text` itself where there is nothing to mask,
 * else made in `scratch`, which has `most` bytes. Percent-encoded digits count as digits. */
struct bytes card_mask(struct bytes text, size_t most, char *scratch);

#endif

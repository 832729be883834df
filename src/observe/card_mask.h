/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps payment card numbers out of what is written down: a run of 13 to 19 digits that
 * passes the Luhn check, in one piece or in the groups of a card (4-4-4-4, 4-6-5), becomes its first
 * six digits, "*", its last four. Called for whatever a client chose the text of. */
#ifndef OBSERVE_CARD_MASK_H
#define OBSERVE_CARD_MASK_H

#include "base/bytes.h"

#define CARD_LENGTH_LEAST 13 /* in a shorter text there is nothing to mask */

/* `text` masked and then cut to `most` bytes: `text` itself where there is nothing to mask,
 * else made in `scratch`, which has `most` bytes. What is percent-encoded counts
 * as what it stands for. */
struct bytes card_mask(struct bytes text, size_t most, char *scratch);

#endif

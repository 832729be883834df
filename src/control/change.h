/* SPDX-License-Identifier: BSD-2-Clause */
/* An operator's order that changes how the gateway runs: refused at the wrong moment, carried out,
 * written down, and only then answered. Used by changes.c and splits.c. */
#ifndef CONTROL_CHANGE_H
#define CONTROL_CHANGE_H

#include "control/question.h"

/* false, after a refusal: nothing may be changed now. true: one of the others must follow. */
bool change_begin(struct question *question);
/* Nothing was changed. */
void change_drop(struct question *question);
/* It was. false, after a refusal: it is in force, but could not be written down. */
bool change_note(struct question *question, const struct control_change *change);

#endif

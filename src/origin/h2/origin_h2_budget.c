/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of an origin that bring nothing: SETTINGS, PING, PRIORITY, resets, windows, empty DATA and
 * what we do not know. Each costs; time gives some, and so does each request and each piece of one
 * that is written, for which windows are told. */
#include "origin/h2/origin_h2.h"

#define FRAMES_MOST 2000
#define FRAMES_A_SECOND 200

void origin_h2_budget_begin(struct origin_h2 *h2)
{
    h2->frames_left = FRAMES_MOST;
    h2->earned_us = origin_h2_now(h2);
}

void origin_h2_budget_earn(struct origin_h2 *h2, uint32_t frames)
{
    h2->frames_left =
        h2->frames_left + frames < FRAMES_MOST ? h2->frames_left + frames : FRAMES_MOST;
}

bool origin_h2_budget_spend(struct origin_h2 *h2)
{
    uint64_t now_us = origin_h2_now(h2);
    uint64_t earned = (now_us - h2->earned_us) * FRAMES_A_SECOND / 1000000;

    if (earned > 0) {
        h2->earned_us = now_us;
        origin_h2_budget_earn(h2, earned < FRAMES_MOST ? (uint32_t)earned : FRAMES_MOST);
    }
    if (h2->frames_left == 0) {
        return false;
    }
    h2->frames_left--;
    return true;
}

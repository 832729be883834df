/* SPDX-License-Identifier: BSD-2-Clause */
/* Listening sockets that the service manager opened before this process started: $LISTEN_FDS, as in
 * sd_listen_fds(3). A listener whose address is that of such a socket gets a copy of it; the socket
 * itself stays open for as long as the process runs, because a later reload may want it. Main thread. */
#ifndef PROCESS_SYSTEM_ACTIVATION_H
#define PROCESS_SYSTEM_ACTIVATION_H

#include "base/address.h"
#include "process/upgrade/handover.h"

struct activation;

/* NULL: there are none. The variables count for the process that $LISTEN_PID names, and for those that
 * it hands over to. */
struct activation *activation_read(struct handover *handover);
void activation_free(struct activation **activation);

/* Copies of the sockets at this address, at most `most`; the caller owns them. NULL has none. */
uint32_t activation_take(struct activation *activation, const struct address *address, int *fds,
                         uint32_t most);
bool activation_has(const struct activation *activation, const struct address *address);
/* For the next binary. */
void activation_hand_over(const struct activation *activation, struct page *lines);
/* A warning for each socket that no listener took so far. */
void activation_report_unused(const struct activation *activation);

#endif

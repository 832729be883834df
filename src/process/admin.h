/* SPDX-License-Identifier: BSD-2-Clause */
/* The control interface's places, and what of the process it may read and do: fills the table
 * that control/ declares (control/sources.h). Used by process/process. */
#ifndef PROCESS_ADMIN_H
#define PROCESS_ADMIN_H

#include "config/settings.h"
#include "observe/access_log.h"
#include "observe/span_exporter.h"
#include "process/reload/reload.h"
#include "process/state/state_store.h"
#include "process/upgrade/handover.h"
#include "process/worker/worker.h"

struct admin;

/* Borrowed until admin_close. */
struct admin_view {
    struct reload *reload;
    struct audit *audit;
    const char *config_file;
    struct worker **workers;
    uint32_t worker_count;
    struct access_log *log; /* may be NULL */
    struct span_exporter *spans;
    struct origin_registry *origins;
    struct split_registry *splits;
    struct state_store *state_store;
    struct pressure *pressure;
};

/* Opens the sockets, before privileges go, or takes over those of the process before this one
 * (`handover`, may be NULL). NULL after log_error. */
struct admin *admin_open(const struct admin_settings *settings, struct handover *handover);
/* The process before this one has been told that this one serves: the file of an inherited control
 * socket goes with this process from here on. */
void admin_own_inherited(struct admin *admin);
/* For the process after this one. */
void admin_hand_over(const struct admin *admin, struct page *lines);
/* It serves on them now: this one stops to. */
void admin_leave(struct admin *admin, loop_posted *left, void *owner);
/* Starts its thread, if there is anything to listen on. false after log_error. */
bool admin_start(struct admin *admin, const struct admin_view *view);
/* From the return on no order (weights, drains, ramps) is carried out, and none is under way; NULL lets
 * them come. At the start there are none. Main thread. */
void admin_refuse_changes(struct admin *admin, const char *why);
void admin_report_stopping(struct admin *admin);
/* The workers have ended, and still stand. NULL is harmless. */
void admin_close(struct admin **admin);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be asked. One table of paths; one function each, in the file of its subject. */
#ifndef CONTROL_ENDPOINTS_H
#define CONTROL_ENDPOINTS_H

#include "control/question.h"

/* Which listener it came by: their indexes. */
enum control_listener { CONTROL_SOCKET, CONTROL_METRICS };

/* Where it may be asked, besides the control socket. */
enum endpoint_place {
    AT_SOCKET_ONLY,
    AT_METRICS,         /* at admin.metrics too */
    AT_PRIVATE_METRICS, /* there too, if only this machine reaches it */
};

struct endpoint {
    const char *method;
    const char *path;                          /* one "*" stands for a name */
    void (*answer)(struct question *question); /* now, or later */
    enum endpoint_place place;
    const char *help;
};

/* Finds the one that is meant and fills the question's name; NULL: none. `other_method`: the path
 * is there, and takes this method. */
const struct endpoint *control_endpoint_find(struct question *question, struct bytes method,
                                             struct bytes path, const char **other_method);

void metrics_page_answer(struct question *question);
void status_answer(struct question *question);
void health_answer(struct question *question);
void routes_answer(struct question *question);
void services_answer(struct question *question);
void certs_answer(struct question *question);
void tls_answer(struct question *question);
void reload_answer(struct question *question);
void confirm_answer(struct question *question);
void cancel_answer(struct question *question);
void explain_answer(struct question *question);
void connections_answer(struct question *question);
void weights_answer(struct question *question);
void reset_answer(struct question *question);
void ramps_answer(struct question *question);
void ramp_pause_answer(struct question *question);
void ramp_resume_answer(struct question *question);
void ramp_abort_answer(struct question *question);
void config_answer(struct question *question);
void diff_answer(struct question *question);
void reload_diff_answer(struct question *question);
void drain_answer(struct question *question);
void undrain_answer(struct question *question);
void maintenance_answer(struct question *question);
void cache_answer_question(struct question *question);
void cache_purge_answer(struct question *question);
void trace_answer(struct question *question);
void trace_stop_answer(struct question *question);
void live_page_answer(struct question *question);
void live_answer(struct question *question);
void live_now_answer(struct question *question);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of observe/collector.c are those of tls/tls_channel.c. */
#include "process/collector_tls.h"

#include "tls/tls.h"

void spans_follow(struct span_exporter *spans, struct plan *plan)
{
    static const struct collector_tls_ops ops = {
        .begin = tls_channel_new,
        .handshake = tls_channel_handshake,
        .receive = tls_channel_read,
        .send = tls_channel_write,
        .problem = tls_channel_problem,
        .end = tls_channel_free,
        .forget = tls_channel_forget,
    };
    const struct settings *settings = plan_settings(plan);
    struct tls_dialer *dialer = tls_store_collector(plan_tls(plan));
    struct collector_tls tls = {NULL, NULL};

    if (dialer != NULL) {
        tls = (struct collector_tls){&ops, tls_dialer_ref(dialer)};
    }
    span_exporter_send_to(spans, &settings->tracing, &tls, settings->via);
}

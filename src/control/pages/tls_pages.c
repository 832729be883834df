/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /v1/certs and GET /v1/tls, and their lines in /metrics: the inventory of certificates, and
 * of versions, ciphers and groups, both as configured and as agreed on with clients. */
#include "control/endpoints.h"
#include "control/pages/metrics_families.h"
#include "control/pages/metrics_text.h"

#include <time.h>

#define ROWS_MAX 128

/* --- certificates ------------------------------------------------------------------------ */

static const char *role_of(const struct tls_certificate_facts *facts)
{
    if (facts->service != NULL) {
        return facts->role == TLS_ROLE_CA ? "service_ca" : "service";
    }
    return facts->role == TLS_ROLE_CA ? "listener_ca" : "listener";
}

static const char *user_of(const struct tls_certificate_facts *facts)
{
    return facts->service != NULL ? facts->service : facts->listener;
}

static void add_certificate(struct json *json, const struct tls_certificate_facts *facts)
{
    int64_t left_s = facts->not_after_s - (int64_t)time(NULL);

    json_begin_object(json, NULL);
    json_text(json, "subject", facts->subject);
    json_begin_list(json, "names");
    for (uint32_t i = 0; i < facts->name_count; i++) {
        json_text(json, NULL, facts->names[i]);
    }
    json_end_list(json);
    json_text(json, "issuer", facts->issuer);
    json_text(json, "key_type", facts->key_type);
    json_time(json, "not_before", (uint64_t)facts->not_before_s);
    json_time(json, "not_after", (uint64_t)facts->not_after_s);
    json_text(json, "state", tls_dating_word(tls_dating_of(facts, (int64_t)time(NULL))));
    json_number(json, "days_left", left_s > 0 ? (uint64_t)left_s / 86400 : 0);
    json_text(json, "cert", facts->cert);
    json_text(json, "key", facts->key);
    json_text(json, "role", role_of(facts));
    json_text(json, "used_by", user_of(facts));
    json_end_object(json);
}

void certs_answer(struct question *question)
{
    const struct plan *plan = question_plan(question);
    struct json *json = question_json(question);
    const struct tls_certificate_facts *facts;

    json_begin_list(json, "certificates");
    for (uint32_t i = 0; (facts = tls_store_certificate(plan_tls(plan), i)) != NULL; i++) {
        add_certificate(json, facts);
    }
    json_end_list(json);
    question_answer_json(question);
}

/* --- what was agreed on ------------------------------------------------------------------ */

struct negotiated_rows {
    uint32_t count;
    struct tls_negotiated rows[ROWS_MAX];
};

static bool is_same(const struct tls_negotiated *a, const struct tls_negotiated *b)
{
    return a->version == b->version && a->cipher == b->cipher && a->group == b->group;
}

static void add_to(struct negotiated_rows *all, const struct tls_negotiated *negotiated)
{
    for (uint32_t i = 0; i < all->count; i++) {
        if (is_same(&all->rows[i], negotiated)) {
            all->rows[i].full += negotiated->full;
            all->rows[i].resumed += negotiated->resumed;
            return;
        }
    }
    if (all->count < ROWS_MAX) {
        all->rows[all->count++] = *negotiated;
    }
}

static void gather_negotiated(const struct control_sources *sources, struct negotiated_rows *all)
{
    uint32_t workers = sources->workers;
    struct tls_negotiated negotiated;

    all->count = 0;
    for (uint32_t worker = 0; worker < workers; worker++) {
        for (uint32_t i = 0; tls_negotiated_at(worker, i, &negotiated); i++) {
            add_to(all, &negotiated);
        }
    }
}

static uint64_t failures_of(const struct control_sources *sources, enum tls_cause cause)
{
    uint32_t workers = sources->workers;
    uint64_t sum = 0;

    for (uint32_t worker = 0; worker < workers; worker++) {
        sum += tls_failures(worker, cause);
    }
    return sum;
}

static void add_listeners(struct json *json, const struct settings *settings)
{
    json_begin_list(json, "listeners");
    for (uint32_t i = 0; i < settings->listener_count; i++) {
        const struct tls_listener_settings *tls = &settings->listeners[i].tls;

        if (tls->certificate_count == 0) {
            continue;
        }
        json_begin_object(json, NULL);
        json_text(json, "address", settings->listeners[i].name);
        json_text(json, "min_version", tls->min_version == TLS_1_3 ? "1.3" : "1.2");
        json_text(json, "ciphers", tls->ciphers);
        json_text(json, "cipher_suites", tls->cipher_suites);
        json_text(json, "groups", tls->groups);
        json_flag(json, "resume", tls->resume);
        json_end_object(json);
    }
    json_end_list(json);
}

void tls_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    struct json *json = question_json(question);
    struct negotiated_rows all;

    gather_negotiated(sources, &all);
    add_listeners(json, question_settings(question));
    json_begin_list(json, "negotiated");
    for (uint32_t i = 0; i < all.count; i++) {
        json_begin_row(json, NULL);
        json_text(json, "version", all.rows[i].version);
        json_text(json, "cipher", all.rows[i].cipher);
        json_text(json, "group", all.rows[i].group);
        json_number(json, "handshakes", all.rows[i].full);
        json_number(json, "resumed", all.rows[i].resumed);
        json_end_object(json);
    }
    json_end_list(json);
    json_begin_object(json, "failures");
    for (int cause = 0; cause < TLS_CAUSE_COUNT; cause++) {
        json_number(json, tls_cause_word((enum tls_cause)cause),
                    failures_of(sources, (enum tls_cause)cause));
    }
    json_end_object(json);
    question_answer_json(question);
}

/* --- /metrics ---------------------------------------------------------------------------- */

static void add_negotiated(struct metrics_text *out, const struct control_sources *sources)
{
    struct negotiated_rows all;

    gather_negotiated(sources, &all);
    metrics_text_family(out, "turnpike_tls_negotiated_total", "counter",
                        "TLS handshakes with clients, by what was negotiated.");
    for (uint32_t i = 0; i < all.count; i++) {
        for (int resumed = 0; resumed < 2; resumed++) {
            metrics_text_begin(out, "version", all.rows[i].version);
            metrics_text_label(out, "cipher", all.rows[i].cipher);
            metrics_text_label(out, "group", all.rows[i].group != NULL ? all.rows[i].group : "");
            metrics_text_label(out, "resumed", resumed ? "true" : "false");
            metrics_text_end(out, resumed ? all.rows[i].resumed : all.rows[i].full);
        }
    }
}

static void add_failures(struct metrics_text *out, const struct control_sources *sources)
{
    metrics_text_family(out, "turnpike_tls_failures_total", "counter",
                        "TLS handshakes and connections that ended otherwise than they should.");
    for (int cause = 0; cause < TLS_CAUSE_COUNT; cause++) {
        metrics_text_sample(out, "cause", tls_cause_word((enum tls_cause)cause),
                            failures_of(sources, (enum tls_cause)cause));
    }
}

static uint64_t is_out_of_date(const struct tls_certificate_facts *facts)
{
    enum tls_dating dating = tls_dating_of(facts, (int64_t)time(NULL));

    return dating == TLS_EXPIRED || dating == TLS_NOT_YET_VALID;
}

static uint64_t expiry_of(const struct tls_certificate_facts *facts)
{
    return facts->not_after_s > 0 ? (uint64_t)facts->not_after_s : 0;
}

static void add_certificates(struct metrics_text *out, const struct plan *plan)
{
    static const struct certificate_row {
        const char *name;
        const char *help;
        uint64_t (*value)(const struct tls_certificate_facts *facts);
    } rows[] = {
        {"turnpike_tls_certificate_not_after_seconds",
         "When a certificate or CA expires, since 1970.", expiry_of},
        {"turnpike_tls_certificate_out_of_date",
         "Whether a certificate or CA has expired or is not valid yet.", is_out_of_date},
    };
    const struct tls_certificate_facts *facts;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        metrics_text_family(out, rows[i].name, "gauge", rows[i].help);
        for (uint32_t j = 0; (facts = tls_store_certificate(plan_tls(plan), j)) != NULL; j++) {
            metrics_text_begin(out, "cert", facts->cert);
            metrics_text_label(out, facts->service != NULL ? "service" : "listener",
                               user_of(facts));
            metrics_text_label(out, "role", role_of(facts));
            metrics_text_label(out, "subject", facts->subject);
            metrics_text_end(out, rows[i].value(facts));
        }
    }
}

void metrics_tls_add(struct metrics_text *out, const struct control_sources *sources)
{
    struct plan *plan = sources->plan(sources->owner);

    add_negotiated(out, sources);
    add_failures(out, sources);
    add_certificates(out, plan);
    plan_unref(&plan);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What answers say of an origin, and who gets requests because of it.
 *
 *   serves --failures, slowness, silence--> ejected --it accepts a connection again--> on trial
 *   on trial --enough requests went well--> serves, with a share that grows
 *   on trial --a failure, or slow--> ejected, for twice as long; slow once is forgiven, where it
 *                                    was not ejected for that
 *
 * The phase and all that belongs to it stand in the origin book, so one worker's finding holds
 * for all. An answer that is well costs a comparison with what is shared (`troubled`) and a few
 * numbers of this worker's own; everything else happens seldom. */
#include "origin/service_private.h"

#include "base/log.h"

#include <stdio.h>

#define WHOLE 10000              /* shares are in 0.01 % */
#define PACE_FRACTION 12         /* binary digits behind the point of a pace */
#define PACE_STEP 4              /* a new one counts for 1/16 */
#define PACES_ENOUGH 16          /* before they say anything */
#define SILENT_REQUESTS 10       /* given to an origin without any answer */
#define SUSPECTED_MS 120         /* between the two times that an origin is found silent */
#define RAMP_LEAST 10            /* percent of its weight that one who is back begins with */
#define RAMP_LOOK_US 100000      /* its share grows in steps */
#define PATIENT_TRIAL_US 2000000 /* so long a trial is left to requests that are free to repeat */

#define READ(field) TALLY_READ(field)
#define WRITE(field, value) atomic_store_explicit(&(field), value, memory_order_relaxed)
#define BUMP(field) (void)atomic_fetch_add_explicit(&(field), 1, memory_order_relaxed)
#define COUNT(field) (atomic_fetch_add_explicit(&(field), 1, memory_order_relaxed) + 1)

static uint64_t now_of(const struct origin *origin)
{
    return loop_now(origin->directory->bench->loop);
}

static const struct health_settings *health_of(const struct service *service)
{
    return &service->settings->health;
}

/* --- paces: how long until the first byte ------------------------------------------------ */

/* The binary logarithm, so that the mean is that of ratios: one answer of half a minute among
 * those of five milliseconds does not make an origin slow, eighteen of two seconds do. */
static int32_t pace_of(uint64_t us)
{
    uint64_t x = us + 1;
    int power = 63 - __builtin_clzll(x);
    uint64_t rest = power == 0 ? 0 : x << (64 - power) >> (64 - PACE_FRACTION);

    return (int32_t)((uint64_t)power << PACE_FRACTION | rest);
}

static uint64_t us_of_pace(int32_t pace)
{
    uint64_t power = UINT64_C(1) << (pace >> PACE_FRACTION);

    return power + (power * (uint64_t)(pace & ((1 << PACE_FRACTION) - 1)) >> PACE_FRACTION);
}

static void note_pace(struct origin *origin, uint64_t us)
{
    int32_t pace = pace_of(us);

    if (origin->paces == 0) {
        origin->pace = pace;
    }
    origin->pace += (pace - origin->pace) / (1 << PACE_STEP);
    if (origin->paces < PACES_ENOUGH) {
        origin->paces++;
    }
}

/* The two fastest, as this worker knows them; NULL where so many are not known well. */
struct leaders {
    const struct origin *first;
    const struct origin *second;
};

static struct leaders leaders_of(const struct service *service)
{
    struct leaders leaders = {NULL, NULL};

    for (uint32_t i = 0; i < service->count; i++) {
        const struct origin *origin = service->origins[i];

        if (origin->paces < PACES_ENOUGH || origin_entry_phase(origin->entry) != ORIGIN_SERVES) {
            continue;
        }
        if (leaders.first == NULL || origin->pace < leaders.first->pace) {
            leaders.second = leaders.first;
            leaders.first = origin;
        } else if (leaders.second == NULL || origin->pace < leaders.second->pace) {
            leaders.second = origin;
        }
    }
    return leaders;
}

/* The fastest of the others; NULL: no other is known well. */
static const struct origin *fastest_but(const struct leaders *leaders, const struct origin *origin)
{
    return leaders->first != origin ? leaders->first : leaders->second;
}

static const struct origin *fastest_other(const struct service *service,
                                          const struct origin *origin)
{
    struct leaders leaders = leaders_of(service);

    return fastest_but(&leaders, origin);
}

/* What takes longer than this is slow, beside that other origin. */
static uint64_t slow_limit_us(const struct service *service, const struct origin *fastest)
{
    const struct health_settings *health = health_of(service);
    uint64_t least = (uint64_t)health->slow_least * 1000;
    uint64_t factored = us_of_pace(fastest->pace) * health->slow_factor;

    return factored > least ? factored : least;
}

/* --- ejection ---------------------------------------------------------------------------- */

static bool is_available(const struct origin *origin)
{
    const struct origin_entry *entry = origin->entry;

    return origin_entry_phase(entry) == ORIGIN_SERVES && !READ(entry->drained) &&
           READ(entry->probes_down) == 0 && !origin_is_unknown(origin);
}

/* Within the share of a service's origins, rounded up, and never the last one that serves: a
 * service without any origin is worse than one with bad ones. */
static bool may_eject(const struct service *service, const struct origin *origin)
{
    uint64_t share = health_of(service)->ejected_share;
    uint32_t others = 0;
    uint32_t away = 0;

    for (uint32_t i = 0; i < service->count; i++) {
        const struct origin *other = service->origins[i];

        away += origin_entry_phase(other->entry) != ORIGIN_SERVES;
        others += other != origin && is_available(other);
    }
    return others > 0 && away < (service->count * share + WHOLE - 1) / WHOLE;
}

static void forget_failures(struct origin_entry *entry)
{
    WRITE(entry->failures_in_row, 0);
    WRITE(entry->window_until_us, 0);
    WRITE(entry->window_answers, 0);
    WRITE(entry->window_failures, 0);
}

static uint64_t span_us(const struct health_settings *health, uint32_t ejections,
                        struct random *random)
{
    uint64_t most = (uint64_t)health->ejection_most * 1000;
    uint64_t span = (uint64_t)health->ejection * 1000;

    for (uint32_t i = 1; i < ejections && span < most; i++) {
        span *= 2;
    }
    span += random_below(random, span / 5 + 1); /* not all origins at the same moment */
    return span < most ? span : most;
}

/* Within a change, as the next. Returns for how long. */
static uint64_t stay_away(struct origin *origin, const struct health_settings *health)
{
    struct origin_entry *entry = origin->entry;
    uint64_t span = span_us(health, COUNT(entry->ejections), &origin->directory->bench->random);

    WRITE(entry->ejected_until_us, now_of(origin) + span);
    return span;
}

enum pardon { SLOW_ONCE_IS_FORGIVEN, SLOW_IS_ENOUGH };

static uint64_t send_away(struct origin *origin, const struct health_settings *health,
                          enum pardon pardon)
{
    struct origin_entry *entry = origin->entry;
    uint64_t returned_us = READ(entry->returned_us);
    uint64_t span;

    if (origin_entry_phase(entry) == ORIGIN_SERVES &&
        now_of(origin) - returned_us > (uint64_t)health->ejection_most * 1000) {
        WRITE(entry->ejections, 0);
    }
    span = stay_away(origin, health);
    WRITE(entry->trials_passed, 0);
    WRITE(entry->trial_was_slow, pardon == SLOW_IS_ENOUGH);
    WRITE(entry->troubled, true);
    forget_failures(entry);
    BUMP(entry->ejected);
    origin_entry_set_phase(entry, ORIGIN_EJECTED);
    return span;
}

static void eject(struct service *service, struct origin *origin, enum pardon pardon,
                  const char *why)
{
    struct origin_book *book = origin->directory->book;
    uint64_t span = 0;

    if (!origin_book_begin_change(book)) {
        return;
    }
    if (origin_entry_phase(origin->entry) == ORIGIN_SERVES && may_eject(service, origin)) {
        span = send_away(origin, health_of(service), pardon);
    }
    origin_book_end_change(book);
    if (span > 0) {
        metrics_note(origin->directory->metrics, METRICS_ORIGIN_EJECTED);
        log_warning("origin %s: ejected for %.1f s: %s", origin->name, (double)span / 1e6, why);
    }
}

/* --- trials ------------------------------------------------------------------------------ */

static void begin_trials(struct origin_entry *entry, uint64_t now_us)
{
    if (!origin_book_begin_change(entry->place.book)) {
        return;
    }
    if (origin_entry_phase(entry) == ORIGIN_EJECTED && now_us >= READ(entry->ejected_until_us)) {
        WRITE(entry->trial_since_us, now_us);
        WRITE(entry->trial_taken, false);
        origin_entry_set_phase(entry, ORIGIN_ON_TRIAL);
    }
    origin_book_end_change(entry->place.book);
}

/* Not even the first of them is risked on an origin that accepts no connection. */
static void knock(struct service *service, struct origin *origin)
{
    struct origin_entry *entry = origin->entry;

    if (origin->address_count > 0 &&
        !atomic_exchange_explicit(&entry->knocking, true, memory_order_acq_rel)) {
        origin_knock(origin, service);
    }
}

void origin_health_knocked(struct origin *origin, struct service *service, const char *why)
{
    struct origin_entry *entry = origin->entry;
    uint64_t span = 0;

    if (why == NULL) {
        begin_trials(entry, now_of(origin));
    } else if (origin_book_begin_change(entry->place.book)) {
        if (origin_entry_phase(entry) == ORIGIN_EJECTED) {
            span = stay_away(origin, health_of(service));
        }
        origin_book_end_change(entry->place.book);
    }
    atomic_store_explicit(&entry->knocking, false, memory_order_release);
    if (span > 0) {
        log_warning("origin %s: stays ejected, for %.1f s more: %s", origin->name,
                    (double)span / 1e6, why);
    }
}

/* What may not be repeated is not risked, unless nothing else comes along. */
struct origin *service_take_trial(struct service *service, struct origin_request *request,
                                  uint64_t now_us)
{
    for (uint32_t i = 0; i < service->trial_count; i++) {
        struct origin_entry *entry = service->trials[i]->entry;

        if ((request->replayable || now_us - READ(entry->trial_since_us) > PATIENT_TRIAL_US) &&
            origin_entry_phase(entry) == ORIGIN_ON_TRIAL &&
            !atomic_exchange_explicit(&entry->trial_taken, true, memory_order_acq_rel)) {
            request->on_trial = true;
            return service->trials[i];
        }
    }
    return NULL;
}

static void end_trial(struct origin_request *request)
{
    request->on_trial = false;
    atomic_store_explicit(&request->origin->entry->trial_taken, false, memory_order_release);
}

static void trial_failed(struct origin_request *request, enum pardon pardon, const char *why)
{
    struct origin *origin = request->origin;
    uint64_t span = 0;

    if (origin_book_begin_change(origin->directory->book)) {
        if (origin_entry_phase(origin->entry) == ORIGIN_ON_TRIAL) {
            span = send_away(origin, health_of(request->service), pardon);
        }
        origin_book_end_change(origin->directory->book);
    }
    end_trial(request);
    if (span > 0) {
        metrics_note(origin->directory->metrics, METRICS_ORIGIN_EJECTED);
        log_warning("origin %s: failed its trial, ejected for %.1f s: %s", origin->name,
                    (double)span / 1e6, why);
    }
}

static void trial_passed(struct origin_request *request)
{
    struct origin *origin = request->origin;
    struct origin_entry *entry = origin->entry;
    bool back = false;

    WRITE(entry->trial_was_slow, false);
    if (COUNT(entry->trials_passed) >= health_of(request->service)->trials &&
        origin_book_begin_change(origin->directory->book)) {
        back = origin_entry_phase(entry) == ORIGIN_ON_TRIAL;
        if (back) {
            WRITE(entry->returned_us, now_of(origin));
            forget_failures(entry);
            WRITE(entry->troubled, false);
            origin_entry_set_phase(entry, ORIGIN_SERVES);
        }
        origin_book_end_change(origin->directory->book);
    }
    end_trial(request);
    if (back) {
        metrics_note(origin->directory->metrics, METRICS_ORIGIN_RETURNED);
        log_info("origin %s: passed its trial, gets requests again", origin->name);
    }
}

/* Slow once is forgiven: it may have hung with the origin and come back with it. Not so where slow
 * is what the origin was: each further trial is one more client that waits. */
static void trial_was_slow(struct origin_request *request, const char *did, uint64_t waited_us)
{
    char why[64];

    if (!atomic_exchange_explicit(&request->origin->entry->trial_was_slow, true,
                                  memory_order_relaxed)) {
        end_trial(request);
        return;
    }
    snprintf(why, sizeof(why), "%s %.2f s", did, (double)waited_us / 1e6);
    trial_failed(request, SLOW_IS_ENOUGH, why);
}

static void judge_trial(struct origin_request *request, uint64_t waited_us)
{
    const struct service *service = request->service;
    const struct origin *fastest = fastest_other(service, request->origin);

    if (health_of(service)->slow_factor > 0 && fastest != NULL &&
        waited_us > slow_limit_us(service, fastest)) {
        trial_was_slow(request, "to answer took it", waited_us);
    } else {
        trial_passed(request);
    }
}

/* A client should not have to wait because we want to know: what is safe to repeat goes to another
 * one after that time, if there is one that answers. */
uint32_t origin_health_patience_ms(struct origin_request *request)
{
    uint32_t first_byte = request->timeouts->first_byte;
    const struct origin *fastest;
    uint64_t limit_ms;

    if (!request->on_trial || !request->replayable || !http_method_is_safe(request->method) ||
        health_of(request->service)->slow_factor == 0) {
        return first_byte;
    }
    fastest = fastest_other(request->service, request->origin);
    if (fastest == NULL || READ(fastest->entry->failures_in_row) > 0) {
        return first_byte;
    }
    limit_ms = slow_limit_us(request->service, fastest) / 1000 + 1;
    if (limit_ms >= first_byte) {
        return first_byte;
    }
    request->hurried = true;
    return (uint32_t)limit_ms;
}

/* --- failures and answers ---------------------------------------------------------------- */

/* The first failure opens a window; while it is open, answers are counted, too. */
static void count_in_window(struct origin_entry *entry, const struct health_settings *health,
                            uint64_t now_us)
{
    if (now_us >= READ(entry->window_until_us)) {
        WRITE(entry->window_answers, 0);
        WRITE(entry->window_failures, 0);
        WRITE(entry->window_until_us, now_us + (uint64_t)health->window * 1000);
    }
    BUMP(entry->window_answers);
    BUMP(entry->window_failures);
}

static void note_failure(struct service *service, struct origin *origin, const char *what)
{
    struct origin_entry *entry = origin->entry;
    const struct health_settings *health = health_of(service);
    uint32_t in_row = COUNT(entry->failures_in_row);
    uint32_t answers;
    uint32_t failures;
    char why[160];

    count_in_window(entry, health, now_of(origin));
    WRITE(entry->troubled, true);
    if (origin_entry_phase(entry) != ORIGIN_SERVES) {
        return;
    }
    answers = READ(entry->window_answers);
    failures = READ(entry->window_failures);
    if (health->failures > 0 && in_row >= health->failures) {
        snprintf(why, sizeof(why), "%u attempts in a row failed, the last since %s", in_row, what);
        eject(service, origin, SLOW_ONCE_IS_FORGIVEN, why);
    } else if (health->failed_share > 0 && answers >= health->failed_least &&
               (uint64_t)failures * WHOLE >= (uint64_t)answers * health->failed_share) {
        snprintf(why, sizeof(why), "%u of %u attempts failed, the last since %s", failures, answers,
                 what);
        eject(service, origin, SLOW_ONCE_IS_FORGIVEN, why);
    }
}

static void note_success(struct origin *origin)
{
    struct origin_entry *entry = origin->entry;

    WRITE(entry->failures_in_row, 0);
    if (now_of(origin) < READ(entry->window_until_us)) {
        BUMP(entry->window_answers);
    } else if (origin_entry_phase(entry) == ORIGIN_SERVES) {
        WRITE(entry->troubled, false);
    }
}

static void blame(struct origin_request *request, const char *what)
{
    TALLY_ADD(request->origin->tally.failures, 1);
    if (request->on_trial) {
        trial_failed(request, SLOW_ONCE_IS_FORGIVEN, what);
    } else {
        note_failure(request->service, request->origin, what);
    }
}

/* What is the origin's fault, or that of the way to it. Our own limits are not, nor is a
 * connection that it closed for being idle just when we used it. */
static bool speaks_against(const struct origin_request *request, enum origin_failure failure)
{
    switch (failure) {
    case ORIGIN_FAILURE_REFUSED:
    case ORIGIN_FAILURE_UNREACHABLE:
    case ORIGIN_FAILURE_CONNECT_TIMEOUT:
    case ORIGIN_FAILURE_TLS_CERTIFICATE:
    case ORIGIN_FAILURE_TLS_ALERT:
    case ORIGIN_FAILURE_TLS_PROTOCOL:
    case ORIGIN_FAILURE_FIRST_BYTE_TIMEOUT:
    case ORIGIN_FAILURE_ANSWER_TIMEOUT:
    case ORIGIN_FAILURE_SEND_TIMEOUT:
    case ORIGIN_FAILURE_MALFORMED:
    case ORIGIN_FAILURE_INCOMPLETE:
        return true;
    case ORIGIN_FAILURE_CLOSED:
        return !request->reused;
    default:
        return false;
    }
}

void origin_health_failed(struct origin_request *request, enum origin_failure failure)
{
    if (request->service == NULL) {
        return;
    }
    if (failure == ORIGIN_FAILURE_TRIAL_TIMEOUT) {
        trial_was_slow(request, "without an answer for",
                       now_of(request->origin) - request->bound_us);
    } else if (speaks_against(request, failure)) {
        blame(request, origin_failure_sentence(failure));
    } else {
        origin_health_given_up(request);
    }
}

/* A client that has no patience with a trial says as much as a slow answer; else the next one
 * would be tried at once, and the next. */
void origin_health_given_up(struct origin_request *request)
{
    const struct origin_connection *connection = request->connection;

    if (!request->on_trial) {
        return;
    }
    if (connection != NULL && connection->request_whole &&
        now_of(request->origin) - connection->asked_us >
            (uint64_t)health_of(request->service)->slow_least * 1000) {
        trial_failed(request, SLOW_IS_ENOUGH, "a client gave up waiting for it");
        return;
    }
    end_trial(request);
}

void origin_health_answered(struct origin_connection *connection, uint16_t status)
{
    struct origin *origin = connection->origin;
    struct origin_request *request = connection->request;
    uint64_t now_us = now_of(origin);
    uint64_t waited_us = connection->request_whole ? now_us - connection->asked_us : 0;

    origin->unanswered = 0;
    origin->answered_us = now_us;
    if (connection->request_whole) {
        note_pace(origin, waited_us);
    }
    if (request->service == NULL) {
        return;
    }
    if (status_set_has(&health_of(request->service)->failed_status, status)) {
        char what[64];

        snprintf(what, sizeof(what), "it answered %u", status);
        blame(request, what);
        return;
    }
    if (READ(origin->entry->troubled)) {
        note_success(origin);
    }
    if (request->on_trial) {
        judge_trial(request, waited_us);
    }
}

/* --- silence ----------------------------------------------------------------------------- */

/* Another one answers: it has done so lately, or all that it was given. */
static bool another_answers(const struct service *service, const struct origin *origin,
                            uint64_t lately_us)
{
    for (uint32_t i = 0; i < service->count; i++) {
        const struct origin *other = service->origins[i];

        if (other != origin && origin_entry_phase(other->entry) == ORIGIN_SERVES &&
            other->answered_us > origin->silent_us &&
            (other->unanswered == 0 || other->answered_us > lately_us)) {
            return true;
        }
    }
    return false;
}

/* An origin that stalls fails nothing until some timeout: requests just stay with it. */
static bool is_silent(const struct service *service, const struct origin *origin,
                      const struct origin *fastest, uint64_t now_us)
{
    uint64_t limit_us = slow_limit_us(service, fastest);

    return origin->unanswered >= SILENT_REQUESTS && now_us - origin->silent_us > limit_us &&
           another_answers(service, origin, now_us - limit_us / 2);
}

static void stand_guard(struct origin *origin, struct service *service, uint32_t milliseconds);
static void guard_against_silence(struct origin *origin, struct service *service);

/* The second time that it is found so, a moment after the first: where all of them have stalled,
 * one is the first to come back, and its answers say nothing yet about the others. */
static bool stays_silent(struct service *service, struct origin *origin,
                         const struct origin *fastest, uint64_t now_us)
{
    if (!is_silent(service, origin, fastest, now_us)) {
        origin->suspected_us = 0;
        return false;
    }
    if (origin->suspected_us < origin->silent_us) {
        origin->suspected_us = now_us;
        stand_guard(origin, service, SUSPECTED_MS);
    }
    return now_us - origin->suspected_us >= (uint64_t)SUSPECTED_MS * 1000;
}

static void on_guard(void *owner)
{
    struct origin *origin = owner;
    struct service *service = origin->guards;

    origin->guards = NULL;
    service_review(service, now_of(origin));
    if (origin->unanswered >= SILENT_REQUESTS &&
        origin_entry_phase(origin->entry) == ORIGIN_SERVES) {
        guard_against_silence(origin, service); /* not for long enough yet */
    }
}

void origin_unguard(struct origin *origin, const struct service *service)
{
    if (origin->knock.service == service) {
        origin_knock_cancel(origin);
    }
    if (origin->guards == service) {
        origin->guards = NULL;
        alarm_clear(origin->directory->bench->loop, &origin->guard);
    }
}

/* Where all clients wait for that one origin, nobody picks, and so nobody would review. */
static void stand_guard(struct origin *origin, struct service *service, uint32_t milliseconds)
{
    if (origin->guards == NULL) {
        origin->guards = service;
        alarm_set(origin->directory->bench->loop, &origin->guard, milliseconds, on_guard, origin);
    }
}

static void guard_against_silence(struct origin *origin, struct service *service)
{
    if (service != NULL && service->count > 1 && health_of(service)->slow_factor > 0) {
        stand_guard(origin, service, health_of(service)->slow_least + 20);
    }
}

void origin_health_asked(struct origin *origin, struct origin_request *request)
{
    if (origin->unanswered++ == 0) {
        origin->silent_us = now_of(origin);
    }
    if (origin->unanswered == SILENT_REQUESTS) {
        guard_against_silence(origin, request->service);
    }
}

static void review_origin(struct service *service, struct origin *origin,
                          const struct origin *fastest, uint64_t now_us)
{
    uint64_t limit_us;
    char why[96];

    if (fastest == NULL) {
        return;
    }
    limit_us = slow_limit_us(service, fastest);
    if (origin->paces >= PACES_ENOUGH && us_of_pace(origin->pace) > limit_us) {
        snprintf(why, sizeof(why), "it takes %.2f s to answer, another %.2f s",
                 (double)us_of_pace(origin->pace) / 1e6, (double)us_of_pace(fastest->pace) / 1e6);
        eject(service, origin, SLOW_IS_ENOUGH, why);
    } else if (stays_silent(service, origin, fastest, now_us)) {
        snprintf(why, sizeof(why), "%u requests since its last answer, %.2f s ago",
                 origin->unanswered, (double)(now_us - origin->silent_us) / 1e6);
        eject(service, origin, SLOW_ONCE_IS_FORGIVEN, why);
    }
}

/* The fastest are looked for once, not for each of a thousand origins; again when one has gone. */
void service_review(struct service *service, uint64_t now_us)
{
    struct leaders leaders;

    if (health_of(service)->slow_factor == 0 || service->count < 2) {
        return;
    }
    leaders = leaders_of(service);
    for (uint32_t i = 0; i < service->count; i++) {
        struct origin *origin = service->origins[i];

        if (origin_entry_phase(origin->entry) != ORIGIN_SERVES) {
            continue;
        }
        review_origin(service, origin, fastest_but(&leaders, origin), now_us);
        if (origin_entry_phase(origin->entry) != ORIGIN_SERVES) {
            leaders = leaders_of(service);
        }
    }
}

/* --- who is fit -------------------------------------------------------------------------- */

static void look_sooner(struct service *service, uint64_t at_us)
{
    service->settled = false;
    if (at_us < service->look_again_us) {
        service->look_again_us = at_us;
    }
}

/* Of one that came back, in percent: all at once might take it down again. */
static uint32_t ramp(struct service *service, const struct origin *origin, uint64_t now_us)
{
    uint64_t whole_us = (uint64_t)health_of(service)->slow_start * 1000;
    uint64_t returned_us = READ(origin->entry->returned_us);
    uint64_t since_us = now_us > returned_us ? now_us - returned_us : 0;
    uint64_t percent;

    if (returned_us == 0 || since_us >= whole_us) {
        return 100;
    }
    look_sooner(service, now_us + RAMP_LOOK_US);
    percent = since_us * 100 / whole_us;
    return percent > RAMP_LEAST ? (uint32_t)percent : RAMP_LEAST;
}

/* Answers from before it was away say nothing about it now. */
static void forget_pace_of_returned(struct origin *origin)
{
    uint64_t returned_us = READ(origin->entry->returned_us);

    if (origin->returned_us != returned_us) {
        origin->returned_us = returned_us;
        origin->paces = 0;
        origin->unanswered = 0;
    }
}

static bool look_at(struct service *service, struct origin *origin, uint64_t now_us)
{
    struct origin_entry *entry = origin->entry;

    if (origin_entry_phase(entry) == ORIGIN_EJECTED && now_us >= READ(entry->ejected_until_us)) {
        knock(service, origin);
    }
    if (READ(entry->drained) || READ(entry->probes_down) > 0) {
        return false;
    }
    switch (origin_entry_phase(entry)) {
    case ORIGIN_EJECTED:
        /* While a knock is on its way, somebody looks at its result now and then. */
        look_sooner(service, now_us < READ(entry->ejected_until_us) ? READ(entry->ejected_until_us)
                                                                    : now_us + RAMP_LOOK_US);
        return false;
    case ORIGIN_ON_TRIAL:
        if (!origin_is_unknown(origin)) {
            service->trials[service->trial_count++] = origin;
        }
        look_sooner(service, UINT64_MAX);
        return false;
    case ORIGIN_SERVES:
        break;
    }
    forget_pace_of_returned(origin);
    return !origin_is_unknown(origin);
}

/* `anyone`: all that are not drained, as if they were fit. */
static bool is_eligible(const struct service *service, uint32_t index, bool anyone)
{
    return anyone ? !READ(service->origins[index]->entry->drained) : service->fit[index];
}

#define NO_RANK UINT32_MAX

static uint32_t best_rank(const struct service *service, bool anyone)
{
    uint32_t best = NO_RANK;

    for (uint32_t i = 0; i < service->count; i++) {
        if (service->standings[i].rank < best && is_eligible(service, i, anyone)) {
            best = service->standings[i].rank;
        }
    }
    return best;
}

/* One whose name is not resolved yet has requests wait: not while another of the rank has not. */
static bool has_address(const struct service *service, uint32_t rank, bool anyone)
{
    for (uint32_t i = 0; i < service->count; i++) {
        if (service->standings[i].rank == rank && service->origins[i]->address_count > 0 &&
            is_eligible(service, i, anyone)) {
            return true;
        }
    }
    return false;
}

/* The best kind of which there is any. */
static void fill_view(struct service *service, struct service_view *view, uint64_t now_us)
{
    uint32_t rank = best_rank(service, false);
    bool anyone = rank == NO_RANK && health_of(service)->when_all_down == ALL_DOWN_TRY;
    bool ramps = false;
    bool resolved;

    if (anyone) {
        rank = best_rank(service, true);
    }
    resolved = has_address(service, rank, anyone);
    view->count = 0;
    for (uint32_t i = 0; rank != NO_RANK && i < service->count; i++) {
        struct origin *origin = service->origins[i];

        if (service->standings[i].rank == rank && is_eligible(service, i, anyone) &&
            (origin->address_count > 0 || !resolved)) {
            uint32_t percent = ramp(service, origin, now_us);

            ramps = ramps || percent < 100;
            view->origins[view->count] = origin;
            view->turns[view->count++].weight = service->standings[i].weight * percent;
        }
    }
    for (uint32_t i = 0; i < view->count && !ramps; i++) {
        view->turns[i].weight /= 100;
    }
}

static bool are_same(const struct service_view *a, const struct service_view *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->origins[i] != b->origins[i] || a->turns[i].weight != b->turns[i].weight) {
            return false;
        }
    }
    return true;
}

static void put_in_force(struct service *service)
{
    struct service_view former = service->view;
    uint32_t former_total = service->rotation.total;

    service->view = service->other_view;
    service->other_view = former;
    if (service->view.count > 0) {
        rotation_init(&service->rotation, service->view.turns, service->view.count,
                      service->rotation.next);
    }
    /* Or else, looking often and asked seldom, the first would always be first. */
    for (uint32_t i = 0; i < service->view.count && i < former.count; i++) {
        if (service->view.origins[i] == former.origins[i]) {
            service->view.turns[i].credit =
                rotation_carried(&service->rotation, former.turns[i].credit, former_total);
        }
    }
}

void service_look(struct service *service, uint64_t now_us)
{
    uint64_t serial = origin_book_serial(service->directory->book);

    if (serial == service->serial && service->look_again_us > now_us) {
        return;
    }
    service->settled = true;
    service->look_again_us = UINT64_MAX;
    service->trial_count = 0;
    for (uint32_t i = 0; i < service->count; i++) {
        service->fit[i] = look_at(service, service->origins[i], now_us);
    }
    fill_view(service, &service->other_view, now_us);
    if (!are_same(&service->view, &service->other_view)) {
        put_in_force(service);
    }
    service->serial = serial; /* read before: what changed since then is looked at again */
}

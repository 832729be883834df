/* SPDX-License-Identifier: BSD-2-Clause */
/* One walk over the records of the answer (RFC 1035 section 4.1). c-ares' own reader of SRV
 * records does not tell their TTL; its reader of compressed names, which is the part that goes
 * wrong elsewhere, serves here. */
#include "dns/srv_answer.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 12
#define TTL_MOST 0x7fffffffu /* RFC 2181 section 8 */

struct walk {
    const unsigned char *message;
    size_t length;
    size_t at;
    struct srv_answer *answer;
    uint32_t room;
    bool no_memory;
    bool root; /* there was a target "." */
};

struct record {
    uint16_t type;
    uint16_t record_class;
    uint32_t ttl;
    uint16_t length; /* of its data, which begins at walk->at */
};

static uint32_t number_at(const struct walk *walk, size_t at, unsigned bytes)
{
    uint32_t number = 0;

    for (unsigned i = 0; i < bytes; i++) {
        number = number << 8 | walk->message[at + i];
    }
    return number;
}

/* The name at walk->at as text, to be freed by ares_free_string; NULL: it is not one. */
static char *take_name(struct walk *walk)
{
    char *name = NULL;
    long bytes;

    if (walk->at >= walk->length ||
        ares_expand_name(walk->message + walk->at, walk->message, (int)walk->length, &name,
                         &bytes) != ARES_SUCCESS) {
        return NULL;
    }
    walk->at += (size_t)bytes;
    return name;
}

static bool skip_name(struct walk *walk)
{
    char *name = take_name(walk);

    if (name == NULL) {
        return false;
    }
    ares_free_string(name);
    return true;
}

static bool skip_questions(struct walk *walk)
{
    for (uint32_t left = number_at(walk, 4, 2); left > 0; left--) {
        if (!skip_name(walk) || walk->length - walk->at < 4) {
            return false;
        }
        walk->at += 4;
    }
    return true;
}

static bool take_record(struct walk *walk, struct record *record)
{
    if (!skip_name(walk) || walk->length - walk->at < 10) {
        return false;
    }
    record->type = (uint16_t)number_at(walk, walk->at, 2);
    record->record_class = (uint16_t)number_at(walk, walk->at + 2, 2);
    record->ttl = number_at(walk, walk->at + 4, 4);
    record->length = (uint16_t)number_at(walk, walk->at + 8, 2);
    walk->at += 10;
    return walk->length - walk->at >= record->length;
}

static bool is_label(const char *label, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_') {
            return false;
        }
    }
    return length >= 1 && length <= 63 && label[0] != '-' && label[length - 1] != '-';
}

/* As config/ has it of names in the file: labels of letters, digits, - and _, and no address. */
static bool is_host(const char *name)
{
    const char *label = name;
    const char *dot;

    if (strlen(name) >= SRV_HOST_ROOM) {
        return false;
    }
    while ((dot = strchr(label, '.')) != NULL) {
        if (!is_label(label, (size_t)(dot - label))) {
            return false;
        }
        label = dot + 1;
    }
    return is_label(label, strlen(label)) && strspn(label, "0123456789") != strlen(label);
}

static bool make_room(struct walk *walk)
{
    struct srv_answer *answer = walk->answer;
    uint32_t room = walk->room > 0 ? walk->room * 2 : 16;
    struct srv_target *targets;

    if (answer->count < walk->room) {
        return true;
    }
    targets = realloc(answer->targets, room * sizeof(*targets));
    if (targets == NULL) {
        return false;
    }
    answer->targets = targets;
    walk->room = room;
    return true;
}

static void add_target(struct walk *walk, const char *name, size_t at)
{
    struct srv_target *target;

    if (!make_room(walk)) {
        walk->no_memory = true;
        return;
    }
    target = &walk->answer->targets[walk->answer->count++];
    memset(target, 0, sizeof(*target));
    for (size_t i = 0; name[i] != '\0'; i++) {
        target->host[i] = (char)tolower((unsigned char)name[i]);
    }
    target->priority = (uint16_t)number_at(walk, at, 2);
    target->weight = (uint16_t)number_at(walk, at + 2, 2);
    target->port = (uint16_t)number_at(walk, at + 4, 2);
}

/* RFC 2782: priority, weight, port, target; the name fills the data to its end. */
static bool take_target(struct walk *walk, size_t end)
{
    size_t at = walk->at;
    char *name;

    walk->at += 6;
    name = end - at > 6 ? take_name(walk) : NULL;
    if (name == NULL) {
        return false;
    }
    if (walk->at != end) {
        ares_free_string(name);
        return false;
    }
    if (name[0] == '\0') {
        walk->root = true;
    } else if (!is_host(name) || number_at(walk, at + 4, 2) == 0) {
        walk->answer->refused++;
    } else {
        add_target(walk, name, at);
    }
    ares_free_string(name);
    return true;
}

/* Aliases on the way to the records count for their TTL, and are not followed: the server that
 * answered has done that. */
static bool walk_records(struct walk *walk)
{
    for (uint32_t left = number_at(walk, 6, 2); left > 0; left--) {
        struct record record;
        size_t end;

        if (!take_record(walk, &record)) {
            return false;
        }
        end = walk->at + record.length;
        if (record.record_class == ns_c_in &&
            (record.type == ns_t_srv || record.type == ns_t_cname)) {
            uint32_t ttl = record.ttl <= TTL_MOST ? record.ttl : 0;

            walk->answer->ttl = ttl < walk->answer->ttl ? ttl : walk->answer->ttl;
        }
        if (record.record_class == ns_c_in && record.type == ns_t_srv && !take_target(walk, end)) {
            return false;
        }
        walk->at = end;
    }
    return true;
}

/* --- order ------------------------------------------------------------------------------- */

static int compare_places(const void *left, const void *right)
{
    const struct srv_target *a = left;
    const struct srv_target *b = right;
    int hosts = strcmp(a->host, b->host);

    return hosts != 0 ? hosts : (int)a->port - (int)b->port;
}

static int compare_targets(const void *left, const void *right)
{
    const struct srv_target *a = left;
    const struct srv_target *b = right;

    return a->priority != b->priority ? (int)a->priority - (int)b->priority
                                      : compare_places(left, right);
}

/* Of one place twice, the more important one. */
static int compare_places_first(const void *left, const void *right)
{
    const struct srv_target *a = left;
    const struct srv_target *b = right;
    int places = compare_places(left, right);

    if (places != 0) {
        return places;
    }
    return a->priority != b->priority ? (int)a->priority - (int)b->priority
                                      : (int)b->weight - (int)a->weight;
}

static void leave_out_duplicates(struct srv_answer *answer)
{
    uint32_t kept = 0;

    qsort(answer->targets, answer->count, sizeof(*answer->targets), compare_places_first);
    for (uint32_t i = 0; i < answer->count; i++) {
        if (kept == 0 || compare_places(&answer->targets[kept - 1], &answer->targets[i]) != 0) {
            answer->targets[kept++] = answer->targets[i];
        }
    }
    answer->count = kept;
}

/* Sorted, so that a server that turns the order round does not look like a change, and that what
 * is cut off is the same on all workers. */
static void put_in_order(struct srv_answer *answer)
{
    if (answer->count == 0) {
        return;
    }
    leave_out_duplicates(answer);
    qsort(answer->targets, answer->count, sizeof(*answer->targets), compare_targets);
    if (answer->count > SRV_TARGETS_MOST) {
        answer->cut = answer->count - SRV_TARGETS_MOST;
        answer->count = SRV_TARGETS_MOST;
    }
}

/* --- the whole --------------------------------------------------------------------------- */

static const char *read_message(struct walk *walk)
{
    struct srv_answer *answer = walk->answer;

    if (walk->length < HEADER_BYTES || walk->length > UINT16_MAX) {
        return "a malformed answer";
    }
    walk->at = HEADER_BYTES;
    if (!skip_questions(walk) || !walk_records(walk)) {
        return "a malformed answer";
    }
    if (walk->no_memory) {
        return "out of memory";
    }
    put_in_order(answer);
    answer->declined = answer->count == 0 && answer->refused == 0 && walk->root;
    if (answer->count > 0 || answer->declined) {
        return NULL;
    }
    return answer->refused > 0 ? "no target is a host name with a port" : "no SRV record";
}

const char *srv_answer_read(const unsigned char *message, size_t length, struct srv_answer *answer)
{
    struct walk walk = {.message = message, .length = length, .answer = answer};
    const char *problem;

    *answer = (struct srv_answer){.ttl = TTL_MOST};
    problem = read_message(&walk);
    if (problem != NULL) {
        srv_answer_release(answer);
    }
    return problem;
}

void srv_answer_release(struct srv_answer *answer)
{
    free(answer->targets);
    *answer = (struct srv_answer){0};
}

bool srv_answer_equal(const struct srv_answer *a, const struct srv_answer *b)
{
    return a->count == b->count && a->declined == b->declined && a->cut == b->cut &&
           a->refused == b->refused &&
           (a->count == 0 || memcmp(a->targets, b->targets, a->count * sizeof(*a->targets)) == 0);
}

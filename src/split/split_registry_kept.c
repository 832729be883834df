/* SPDX-License-Identifier: BSD-2-Clause */
/* What of the registry outlives the process, as lines of text: where each ramp is, and weights that
 * an operator set, with those that the file had then: in another file they would mean another
 * thing. Read into entries without a split, which the first configuration finds. */
#include "split/split_registry_private.h"

#include "base/log/log.h"
#include "split/ramp.h"

#include <stdio.h>
#include <stdlib.h>

/* The route's entry, or a new one. NULL: out of memory. */
static struct split_entry *entry_for(struct split_registry *registry, const char *route)
{
    uint32_t at = split_registry_place(registry, bytes_of(route));
    struct split_entry *entries;
    char *name;

    if (at < registry->count && strcmp(registry->entries[at].route, route) == 0) {
        return &registry->entries[at];
    }
    entries = realloc(registry->entries, (registry->count + 1) * sizeof(*entries));
    registry->entries = entries != NULL ? entries : registry->entries;
    name = entries != NULL ? strdup(route) : NULL;
    if (name == NULL) {
        return NULL;
    }
    memmove(&entries[at + 1], &entries[at], (registry->count - at) * sizeof(*entries));
    entries[at] = (struct split_entry){.route = name};
    registry->count++;
    return &entries[at];
}

/* --- ramps -------------------------------------------------------------------------------- */

/* route, phase, step, since, prints of services and steps, reason: one line each, by tabs. */
void split_registry_save_ramps(struct split_registry *registry, struct page *page)
{
    pthread_mutex_lock(&registry->lock);
    for (uint32_t i = 0; i < registry->count; i++) {
        const struct split_entry *entry = &registry->entries[i];
        const struct ramp *ramp = entry->ramp != NULL ? entry->ramp : entry->memory;

        if (ramp != NULL) {
            page_format(page, "%s\t%s\t%u\t%llu\t%016llx\t%016llx\t%s\n", entry->route,
                        ramp_phase_name(ramp->phase), ramp->step,
                        (unsigned long long)ramp->since_ms,
                        (unsigned long long)ramp->services_print,
                        (unsigned long long)ramp->steps_print, ramp->reason);
        }
    }
    pthread_mutex_unlock(&registry->lock);
}

static bool read_phase(const char *word, enum ramp_phase *phase)
{
    for (int i = RAMP_MOVES; i <= RAMP_DONE; i++) {
        if (strcmp(word, ramp_phase_name((enum ramp_phase)i)) == 0) {
            *phase = (enum ramp_phase)i;
            return true;
        }
    }
    return false;
}

#define RAMP_LINE_FIELDS 7

static bool read_ramp(char *line, char **route, struct ramp *ramp)
{
    char *fields[RAMP_LINE_FIELDS];

    for (int i = 0; i < RAMP_LINE_FIELDS; i++) {
        fields[i] = strsep(&line, "\t");
        if (fields[i] == NULL) {
            return false;
        }
    }
    *route = fields[0];
    *ramp = (struct ramp){.phase = RAMP_NONE};
    ramp->step = (uint32_t)strtoul(fields[2], NULL, 10);
    ramp->since_ms = strtoull(fields[3], NULL, 10);
    ramp->services_print = strtoull(fields[4], NULL, 16);
    ramp->steps_print = strtoull(fields[5], NULL, 16);
    snprintf(ramp->reason, sizeof(ramp->reason), "%s", fields[6]);
    return fields[0][0] != '\0' && read_phase(fields[1], &ramp->phase);
}

/* The next line that is understood; false: no more. The others are left out, and told as `what`. */
static bool next_ramp(char **text, const char *what, char **route, struct ramp *ramp)
{
    char *line;

    while ((line = strsep(text, "\n")) != NULL) {
        if (line[0] != '\0' && read_ramp(line, route, ramp)) {
            return true;
        }
        if (line[0] != '\0') {
            log_warning("%s is damaged, or of another version of Turnpike, and is left out: %s",
                        what, line);
        }
    }
    return false;
}

/* Into entries without a split, as if their routes were away. */
bool split_registry_restore_ramps(struct split_registry *registry, char *text)
{
    struct ramp ramp;
    char *route;

    while (next_ramp(&text, "a line of the ramps' file", &route, &ramp)) {
        struct split_entry *entry = entry_for(registry, route);

        if (entry != NULL && entry->memory == NULL) {
            entry->memory = malloc(sizeof(*entry->memory));
        }
        if (entry == NULL || entry->memory == NULL) {
            return false;
        }
        *entry->memory = ramp;
    }
    return true;
}

void split_registry_follow_ramps(struct split_registry *registry, char *text)
{
    struct ramp ramp;
    char *route;

    pthread_mutex_lock(&registry->lock);
    while (next_ramp(&text, "where a ramp of the process before was", &route, &ramp)) {
        struct split_entry *entry = split_registry_entry(registry, bytes_of(route));

        if (entry != NULL && entry->live != NULL && entry->ramp != NULL &&
            ramp_follow(entry, &ramp)) {
            log_info("route %s: its ramp is at step %u of %u (%s), as the process before left it",
                     route, ramp.step + 1, entry->ramp->settings.step_count,
                     ramp_phase_name(ramp.phase));
        }
    }
    pthread_mutex_unlock(&registry->lock);
}

/* --- an operator's weights ---------------------------------------------------------------- */

/* "weights", route, then for each arm its service, the file's weight and the one that was set. */
static void save_entry(const struct split_entry *entry, struct page *page)
{
    uint32_t weights[SPLIT_ARMS_MAX];
    uint32_t version;

    if (entry->live == NULL || entry->live->cause != SPLIT_BY_OPERATOR ||
        !live_split_get(entry->live, weights, &version)) {
        return;
    }
    page_format(page, SPLIT_KEPT_WORD "\t%s", entry->route);
    for (uint32_t i = 0; i < entry->live->arm_count; i++) {
        page_format(page, "\t%s\t%u\t%u", entry->live->services[i], entry->live->file_weights[i],
                    weights[i]);
    }
    page_add_char(page, '\n');
}

void split_registry_save_weights(struct split_registry *registry, struct page *page)
{
    pthread_mutex_lock(&registry->lock);
    for (uint32_t i = 0; i < registry->count; i++) {
        save_entry(&registry->entries[i], page);
    }
    pthread_mutex_unlock(&registry->lock);
}

static bool read_weight(char **rest, uint32_t *weight)
{
    char *field = strsep(rest, "\t");
    char *end = NULL;
    unsigned long value = field != NULL ? strtoul(field, &end, 10) : SPLIT_WHOLE + 1;

    *weight = (uint32_t)value;
    return value <= SPLIT_WHOLE && *end == '\0' && end != field;
}

/* All arms of a line, which must make a whole. */
static bool read_arms(char *rest, struct split_kept *kept)
{
    uint32_t sum = 0;
    char *service;

    while ((service = strsep(&rest, "\t")) != NULL) {
        uint32_t arm = kept->count;

        if (arm == SPLIT_ARMS_MAX || !read_weight(&rest, &kept->file_weights[arm]) ||
            !read_weight(&rest, &kept->weights[arm]) ||
            (kept->services[arm] = strdup(service)) == NULL) {
            return false;
        }
        sum += kept->weights[arm];
        kept->count++;
    }
    return kept->count > 1 && sum == SPLIT_WHOLE;
}

/* false: out of memory. */
static bool restore_weights(struct split_registry *registry, char *line)
{
    struct split_kept *kept = calloc(1, sizeof(*kept));
    char *route = strsep(&line, "\t");
    struct split_entry *entry;

    if (kept == NULL) {
        return false;
    }
    if (route[0] == '\0' || !read_arms(line, kept)) {
        log_warning("state_directory: a line of weights that were set at run time is damaged, or "
                    "of another version of Turnpike, and is left out; the weights of the file "
                    "hold");
        split_kept_free(&kept);
        return true;
    }
    entry = entry_for(registry, route);
    if (entry == NULL) {
        split_kept_free(&kept);
        return false;
    }
    split_kept_free(&entry->kept);
    entry->kept = kept;
    return true;
}

bool split_registry_restore_weights(struct split_registry *registry, char *text)
{
    bool good = true;
    char *line;

    while (good && (line = strsep(&text, "\n")) != NULL) {
        good = strncmp(line, SPLIT_KEPT_WORD "\t", sizeof(SPLIT_KEPT_WORD)) != 0 ||
               restore_weights(registry, line + sizeof(SPLIT_KEPT_WORD));
    }
    return good;
}

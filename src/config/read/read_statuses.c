/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of statuses and ranges of them, and of gRPC statuses: of `health` and of ramps. */
#include "config/read/reading.h"
#include "config/schema/units.h"

#include "base/check.h"
#include "http/grpc.h"

static bool read_status(struct bytes text, uint64_t *status)
{
    return text.length == 3 && config_read_count(text, status) == UNIT_READ &&
           *status >= STATUS_SET_FIRST && *status < STATUS_SET_END;
}

/* "503" or "500-599". */
static bool add_statuses(struct status_set *set, struct bytes text)
{
    const char *dash = text.length > 0 ? memchr(text.at, '-', text.length) : NULL;
    size_t first_length = dash != NULL ? (size_t)(dash - text.at) : text.length;
    uint64_t first;
    uint64_t last;

    if (!read_status(bytes_first(text, first_length), &first)) {
        return false;
    }
    last = first;
    if (dash != NULL && !read_status(bytes_skip(text, first_length + 1), &last)) {
        return false;
    }
    for (uint64_t bit = first - STATUS_SET_FIRST; bit <= last - STATUS_SET_FIRST; bit++) {
        set->words[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    return last >= first;
}

static bool add_to_set(void *set, struct bytes text)
{
    return add_statuses(set, text);
}

static bool add_grpc_status(void *set, struct bytes text)
{
    uint32_t *bits = set;
    enum grpc_status status;

    if (!grpc_status_named(text, &status)) {
        return false;
    }
    *bits |= UINT32_C(1) << status;
    return true;
}

/* What a list is of. */
struct status_kind {
    bool (*add)(void *set, struct bytes text); /* false: the text is none */
    const char *expected;
};

static const struct status_kind http_kind = {
    add_to_set, "a status such as 503, a range such as 500-599, a list of them, or none"};
static const struct status_kind grpc_kind = {
    add_grpc_status, "a gRPC status such as UNAVAILABLE, a list of them, or none"};

/* "[500, 502-504]", or one alone. */
static void take_default(const struct status_kind *kind, void *set, struct bytes list)
{
    if (bytes_start_with(list, BYTES("["))) {
        list = (struct bytes){list.at + 1, list.length - 2};
    }
    while (list.length > 0) {
        const char *comma = memchr(list.at, ',', list.length);
        size_t length = comma != NULL ? (size_t)(comma - list.at) : list.length;

        CHECK(kind->add(set, bytes_trim(bytes_first(list, length))));
        list = bytes_skip(list, comma != NULL ? length + 1 : length);
    }
}

static void read_list(struct reading *reading, const struct node *node, enum option_place place,
                      const char *path, const struct status_kind *kind, void *set)
{
    const struct node *member;
    struct bytes text;
    uint32_t count;

    if (node == NULL) {
        take_default(kind, set, bytes_of(config_option_find(place, path)->initial));
        return;
    }
    if (node->kind == NODE_TEXT && bytes_equal(node->text, BYTES("none"))) {
        return;
    }
    member = config_read_members(reading, node, path, &count);
    for (uint32_t i = 0; member != NULL && i < count; i++, member = member->next) {
        if (config_read_text(reading, member, path, kind->expected, &text) &&
            !kind->add(set, text)) {
            READING_ERROR(reading, member, "'%s' expects %s, not '%s'", path, kind->expected,
                          config_show(text).text);
        }
    }
}

void config_read_statuses(struct reading *reading, const struct node *node, enum option_place place,
                          const char *path, struct status_set *set)
{
    read_list(reading, node, place, path, &http_kind, set);
}

void config_read_grpc_statuses(struct reading *reading, const struct node *node,
                               enum option_place place, const char *path, uint32_t *set)
{
    read_list(reading, node, place, path, &grpc_kind, set);
}

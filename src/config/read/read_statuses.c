/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of statuses and ranges of them, and of gRPC statuses: of `health` and of ramps. Each member
 * is added to the set. */
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

static bool add_grpc_status(uint32_t *bits, struct bytes text)
{
    enum grpc_status status;

    if (!grpc_status_named(text, &status)) {
        return false;
    }
    *bits |= UINT32_C(1) << status;
    return true;
}

static bool add(const struct option *option, void *set, struct bytes text)
{
    return option->type == OPTION_STATUSES ? add_statuses(set, text) : add_grpc_status(set, text);
}

/* "[500, 502-504]", or one alone. */
void config_store_statuses(const struct option *option, struct bytes list, void *set)
{
    if (bytes_start_with(list, BYTES("["))) {
        list = (struct bytes){list.at + 1, list.length - 2};
    }
    while (list.length > 0) {
        const char *comma = memchr(list.at, ',', list.length);
        size_t length = comma != NULL ? (size_t)(comma - list.at) : list.length;

        CHECK(add(option, set, bytes_trim(bytes_first(list, length))));
        list = bytes_skip(list, comma != NULL ? length + 1 : length);
    }
}

void config_read_status(struct reading *reading, const struct node *node, void *set)
{
    bool is_alone = node->key != NULL;

    if (!(is_alone && bytes_equal(node->text, BYTES("none"))) &&
        !add(reading->option, set, node->text)) {
        config_refuse_text(reading, node, "");
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A dictionary of structured fields (RFC 9651) of which two members are known: "u=5, i". Called by
 * client/h2 for a request's head. */
#include "http/h2/h2_priority.h"

#include "http/message.h"

/* Parameters of a member, which none of ours has, are left out. */
static struct bytes without_parameters(struct bytes member)
{
    const char *end = memchr(member.at, ';', member.length);

    return bytes_trim(end != NULL ? bytes_first(member, (size_t)(end - member.at)) : member);
}

struct h2_priority h2_priority_of(struct bytes value)
{
    struct h2_priority priority = {H2_URGENCY_USUAL, false};
    struct bytes member;

    while (http_list_next(&value, &member)) {
        struct bytes known = without_parameters(member);

        if (known.length == 3 && known.at[0] == 'u' && known.at[1] == '=' && known.at[2] >= '0' &&
            known.at[2] <= '0' + H2_URGENCY_LAST) {
            priority.urgency = (uint8_t)(known.at[2] - '0');
        } else if (bytes_equal(known, BYTES("i")) || bytes_equal(known, BYTES("i=?1"))) {
            priority.incremental = true;
        } else if (bytes_equal(known, BYTES("i=?0"))) {
            priority.incremental = false;
        }
    }
    return priority;
}

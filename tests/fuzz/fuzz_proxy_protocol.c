/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes at the start of a connection that should open with a PROXY header: verdicts do not
 * change when more bytes arrive, and an address is told only when it is one. */
#include "base/check.h"
#include "http/proxy_protocol.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

struct found {
    enum proxy_protocol_verdict verdict;
    size_t consumed;
    bool has_source;
    struct address source;
    struct address destination;
};

static struct found read_copy(const uint8_t *input, size_t length)
{
    char *copy = malloc(length);
    struct found found = {.has_source = false};

    memcpy(copy, input, length);
    found.verdict = proxy_protocol_parse((struct bytes){copy, length}, &found.consumed,
                                         &found.has_source, &found.source, &found.destination);
    free(copy);
    return found;
}

static void check_address(const struct address *address)
{
    char text[ADDRESS_TEXT_MAX];
    struct address again;
    size_t length = address_format(address, text);

    CHECK(address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6);
    CHECK(address_parse((struct bytes){text, length}, &again) && address_equal(address, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    struct found whole = read_copy(input, length);

    for (size_t cut = 0; cut < length && cut <= 600; cut++) {
        struct found part = read_copy(input, cut);

        if (whole.verdict == PROXY_PROTOCOL_COMPLETE) {
            CHECK(part.verdict ==
                  (cut < whole.consumed ? PROXY_PROTOCOL_INCOMPLETE : PROXY_PROTOCOL_COMPLETE));
            CHECK(cut < whole.consumed || part.consumed == whole.consumed);
        } else {
            CHECK(part.verdict == PROXY_PROTOCOL_INCOMPLETE || part.verdict == whole.verdict);
        }
    }
    CHECK(whole.verdict != PROXY_PROTOCOL_INCOMPLETE || length < 536);
    if (whole.verdict == PROXY_PROTOCOL_COMPLETE) {
        CHECK(whole.consumed > 0 && whole.consumed <= length && whole.consumed <= 536);
    }
    if (whole.verdict == PROXY_PROTOCOL_COMPLETE && whole.has_source) {
        check_address(&whole.source);
        check_address(&whole.destination);
    }
    return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the answer to a question for SRV records. What is read are hosts that may be asked
 * for and ports that may be dialed, in order, none twice, no more than there may be; read again it
 * is the same, and of what is refused nothing is left. */
#include "base/check.h"
#include "dns/srv_answer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static void check_host(const struct srv_target *target)
{
    size_t length = strnlen(target->host, SRV_HOST_ROOM);
    size_t label = 0;

    CHECK(length > 0 && length < SRV_HOST_ROOM);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)target->host[i];

        CHECK((isalnum(byte) && !isupper(byte)) || byte == '-' || byte == '_' || byte == '.');
        CHECK(byte != '.' || label > 0);
        label = byte == '.' ? 0 : label + 1;
        CHECK(label <= 63);
    }
    CHECK(label > 0);
    CHECK(strspn(target->host, "0123456789.") < length); /* no IPv4 address */
    for (size_t i = length; i < SRV_HOST_ROOM; i++) {
        CHECK(target->host[i] == '\0');
    }
}

static void check_order(const struct srv_target *a, const struct srv_target *b)
{
    int hosts = strcmp(a->host, b->host);

    CHECK(a->priority <= b->priority);
    CHECK(hosts != 0 || a->port != b->port);
    CHECK(a->priority < b->priority || hosts < 0 || (hosts == 0 && a->port < b->port));
}

static void check_answer(const struct srv_answer *answer)
{
    CHECK(answer->count <= SRV_TARGETS_MOST);
    CHECK(answer->cut == 0 || answer->count == SRV_TARGETS_MOST);
    CHECK(answer->ttl <= INT32_MAX);
    CHECK(answer->declined == (answer->count == 0));
    for (uint32_t i = 0; i < answer->count; i++) {
        check_host(&answer->targets[i]);
        CHECK(answer->targets[i].port != 0);
        if (i > 0) {
            check_order(&answer->targets[i - 1], &answer->targets[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    struct srv_answer answer;
    struct srv_answer again;
    const char *problem = srv_answer_read(input, length, &answer);

    CHECK((srv_answer_read(input, length, &again) == NULL) == (problem == NULL));
    CHECK(srv_answer_equal(&answer, &again) && answer.ttl == again.ttl);
    if (problem == NULL) {
        check_answer(&answer);
    } else {
        CHECK(answer.targets == NULL && answer.count == 0 && !answer.declined);
    }
    srv_answer_release(&answer);
    srv_answer_release(&again);
    return 0;
}

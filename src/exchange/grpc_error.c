/* SPDX-License-Identifier: BSD-2-Clause */
/* Two tables, by the type of the error where that says more, else by the HTTP status; and one of resets. */
#include "exchange/grpc_error.h"

struct type_row {
    const char *error;
    enum grpc_status status;
};

static const struct type_row by_type[] = {
    /* The time was that of a step before the call could begin. */
    {"dns_timeout", GRPC_UNAVAILABLE},
    {"connection_timeout", GRPC_UNAVAILABLE},
    /* The origin broke the rules of HTTP, or its answer is of no use. */
    {"http_protocol_error", GRPC_INTERNAL},
    {"http_upgrade_failed", GRPC_INTERNAL},
    {"http_response_header_section_size", GRPC_RESOURCE_EXHAUSTED},
    {"http_response_trailer_section_size", GRPC_RESOURCE_EXHAUSTED},
};

struct status_row {
    uint16_t http;
    enum grpc_status status;
};

static const struct status_row by_status[] = {
    {400, GRPC_INTERNAL},           {401, GRPC_UNAUTHENTICATED},
    {403, GRPC_PERMISSION_DENIED},  {404, GRPC_UNIMPLEMENTED},
    {405, GRPC_UNIMPLEMENTED},      {408, GRPC_DEADLINE_EXCEEDED},
    {413, GRPC_RESOURCE_EXHAUSTED}, {414, GRPC_RESOURCE_EXHAUSTED},
    {421, GRPC_UNAVAILABLE}, /* another connection will do */
    {429, GRPC_UNAVAILABLE},        {431, GRPC_RESOURCE_EXHAUSTED},
    {501, GRPC_UNIMPLEMENTED},      {502, GRPC_UNAVAILABLE},
    {503, GRPC_UNAVAILABLE},        {504, GRPC_DEADLINE_EXCEEDED},
    {508, GRPC_INTERNAL},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum grpc_status find(uint16_t status, const char *error)
{
    for (size_t i = 0; i < COUNT(by_type); i++) {
        if (strcmp(by_type[i].error, error) == 0) {
            return by_type[i].status;
        }
    }
    for (size_t i = 0; i < COUNT(by_status); i++) {
        if (by_status[i].http == status) {
            return by_status[i].status;
        }
    }
    return GRPC_UNKNOWN;
}

enum grpc_status grpc_error_status(uint16_t status, const char *error, bool may_have_run)
{
    enum grpc_status found = find(status, error);

    return found == GRPC_UNAVAILABLE && may_have_run ? GRPC_INTERNAL : found;
}

/* CANCEL, too: the origin's deadline, or what it waited for, was over. */
enum grpc_status grpc_error_of_reset(uint32_t code)
{
    switch (code) {
    case H2_REFUSED_STREAM:
        return GRPC_UNAVAILABLE;
    case H2_CANCEL:
        return GRPC_CANCELLED;
    case H2_ENHANCE_YOUR_CALM:
        return GRPC_RESOURCE_EXHAUSTED;
    case H2_INADEQUATE_SECURITY:
        return GRPC_PERMISSION_DENIED;
    default:
        return GRPC_INTERNAL;
    }
}

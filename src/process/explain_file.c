/* SPDX-License-Identifier: BSD-2-Clause */
/* The same answer as turnpikectl's, less what only a running gateway knows. */
#include "process/explain_file.h"

#include "exchange/explain/explain.h"
#include "exchange/generation.h"
#include "remote/remote_print.h"

#include <stdio.h>

static bool print(const struct plan *plan, const struct explain_asked *asked)
{
    const struct explain_world world = {.settings = plan_settings(plan),
                                        .router = plan_router(plan)};
    struct explain_refusal refusal = {"no memory is left for the answer", "try again"};
    struct page page = {0};
    bool good = explain(&world, asked, &page, &refusal) && !page.failed &&
                remote_print(page_bytes(&page), remote_print_width(stdout), stdout);

    if (!good) {
        fprintf(stderr, "turnpike: %s\n%s\n", refusal.why, refusal.remedy);
    }
    page_release(&page);
    return good;
}

bool explain_file(struct snapshot *snapshot, struct bytes asked, const char *listener,
                  const char *client)
{
    struct explain_asked question = {.text = asked, .listener = listener};
    struct plan *plan = plan_new(snapshot, NULL);
    bool good;

    if (plan == NULL) {
        fprintf(stderr, "turnpike: no memory is left to make the routes of the configuration\n");
        return false;
    }
    if (client != NULL && !ip_parse(bytes_of(client), &question.client)) {
        fprintf(stderr, "turnpike: '%s' is no IP address\nas in --client 192.0.2.7\n", client);
        plan_unref(&plan);
        return false;
    }
    good = print(plan, &question);
    plan_unref(&plan);
    return good;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /: the live page, one file with its style and script in it. contrib/embed-page.sh makes it
 * from the pieces in src/control/live/page, with the hashes that the policy names. The page is static:
 * all that it shows comes from GET /live and is put into it as text. */
#include "control/endpoints.h"

#include "control/live/live_page_data.inc" /* live_page_html, LIVE_PAGE_SCRIPT, LIVE_PAGE_STYLE */

static const struct exchange_reply_field fields[] = {
    {BYTES("Content-Security-Policy"),
     BYTES("default-src 'none'; script-src '" LIVE_PAGE_SCRIPT "'; style-src '" LIVE_PAGE_STYLE
           "'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
           "frame-ancestors 'none'")},
    {BYTES("X-Content-Type-Options"), BYTES("nosniff")},
    {BYTES("Referrer-Policy"), BYTES("no-referrer")},
    {BYTES("Cross-Origin-Resource-Policy"), BYTES("same-origin")},
    {BYTES("Cross-Origin-Opener-Policy"), BYTES("same-origin")},
};

void live_page_answer(struct question *question)
{
    if (!question_check_host(question)) {
        return;
    }
    page_add(&question->page, (struct bytes){live_page_html, sizeof(live_page_html)});
    question_answer_with(question, 200, BYTES("text/html; charset=utf-8"), fields,
                         sizeof(fields) / sizeof(fields[0]));
}

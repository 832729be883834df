/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /v1/trace?client=IP or ?id=ID, with &for=SECONDS, and POST /v1/trace/stop: the steps of one
 * client's requests, or of one request, in the process log. An order like any other: it is audited. */
#include "control/endpoints.h"
#include "exchange/trace.h"

#define FOR_SECONDS 60
#define FOR_SECONDS_MAX 3600

static void answer(struct question *question, const char *subject, uint64_t seconds)
{
    const struct control_change change = {
        .who = question->who, .action = "trace", .subject = subject};
    struct json *json;

    if (!change_note(question, &change)) {
        return;
    }
    json = question_json(question);
    json_text(json, "traced", subject);
    json_number(json, "seconds", seconds);
    question_answer_json(question);
}

void trace_answer(struct question *question)
{
    char client_text[QUESTION_TEXT_MAX] = "";
    char id[QUESTION_TEXT_MAX] = "";
    struct ip client = {{0}};
    uint64_t seconds;
    bool has_client = question_value(question, "client", client_text);

    if (!question_value(question, "id", id) && !has_client) {
        question_refuse(question, 400, "nothing says whose requests to trace",
                        "give client=IP or id=REQUEST-ID");
    } else if (has_client && !ip_parse(bytes_of(client_text), &client)) {
        question_refuse(question, 400, "the value of client is no IP address",
                        "give an address such as 192.0.2.7 or 2001:db8::1");
    } else if (question_number(question, "for", FOR_SECONDS, FOR_SECONDS_MAX, &seconds) &&
               change_begin(question)) {
        trace_start(&client, bytes_of(id), (uint32_t)seconds);
        answer(question, has_client ? client_text : id, seconds);
    }
}

void trace_stop_answer(struct question *question)
{
    if (change_begin(question)) {
        trace_stop();
        answer(question, "nothing", 0);
    }
}

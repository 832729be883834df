/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /v1/connections?top=N: the client connections that cost most for what they achieve. */
#include "control/pages/connections.h"

#include "control/pages/client_survey.h"
#include "control/endpoints.h"

#define TOP_USUALLY 20
#define TOP_MOST 1000

void connection_row_add(struct json *json, const struct client_row *row)
{
    struct address address;
    char text[ADDRESS_TEXT_MAX] = "unix";

    if (!ip_is_none(&row->ip)) {
        ip_to_address(&row->ip, row->port, &address);
        text[address_format(&address, text)] = '\0';
    }
    json_text(json, "client", text);
    json_text(json, "state", row->state);
    json_number(json, "memory_bytes", row->memory_bytes);
    json_number(json, "held_ms", row->held_ms);
    json_number(json, "bytes_moved", row->bytes_moved);
    json_number(json, "bytes_per_s", row->rate);
    json_text(json, "http", row->protocol);
    json_number(json, "requests", row->requests);
    json_number(json, "streams", row->streams);
    json_number(json, "cost", row->cost);
    json_text(json, "listener", row->listener);
    json_text(json, "route", row->route[0] != '\0' ? row->route : NULL);
    json_number(json, "worker", row->worker);
}

static void on_surveyed(void *owner, const struct client_row *rows, size_t count, uint32_t silent)
{
    struct question *question = owner;
    struct json *json = question_json(question);

    json_begin_list(json, "connections");
    for (size_t i = 0; i < count; i++) {
        json_begin_row(json, NULL);
        connection_row_add(json, &rows[i]);
        json_end_object(json);
    }
    json_end_list(json);
    if (silent > 0) {
        json_number(json, "workers_timed_out", silent);
    }
    question_answer_json(question);
    question_let_go(question);
}

void connections_answer(struct question *question)
{
    const struct control_sources *sources = question->sources;
    struct client_survey_order order = {
        .sources = sources, .loop = question->loop, .done = on_surveyed, .owner = question};
    uint64_t top;

    if (sources->list_connections == NULL) {
        question_refuse(question, 501, "connections cannot be listed yet", "look into /metrics");
        return;
    }
    if (!question_number(question, "top", TOP_USUALLY, TOP_MOST, &top)) {
        return;
    }
    order.top = (size_t)top;
    question_hold(question);
    if (!client_survey_start(&order)) {
        question_refuse(question, 503, "out of memory", "ask for fewer with --top");
        question_let_go(question);
    }
}

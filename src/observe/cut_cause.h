/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a client's connection was cut short, one row a cause: what is counted under which name
 * (metrics), what the access log says (turnpike.closed_by), and the sentence that the log and the live
 * page tell. Code that cuts names the cause (metrics_note_cut) and, where an exchange was under way,
 * notes it in its outcome. The order is that of the counters; floods and faults
 * stand together each. */
#ifndef OBSERVE_CUT_CAUSE_H
#define OBSERVE_CUT_CAUSE_H

#include <stdbool.h>

/* clang-format off */
#define CUT_CAUSES(ROW) \
    ROW(NONE,          "none",          "the connection was not cut") \
    ROW(HANDSHAKE,     "handshake",     "the handshake or the PROXY header was not over in time") \
    ROW(HEAD,          "head",          "a request head did not come in time") \
    ROW(BODY_IDLE,     "body-idle",     "a request body stopped coming") \
    ROW(BODY_RATE,     "body-rate",     "a request body came too slowly") \
    ROW(ANSWER_IDLE,   "answer-idle",   "the client stopped taking the answer") \
    ROW(ANSWER_RATE,   "answer-rate",   "the client took the answer too slowly") \
    ROW(KEEPALIVE,     "keepalive",     "no further request came in time") \
    ROW(REQUESTS,      "requests",      "the connection had all the requests that one may have") \
    ROW(LIFETIME,      "lifetime",      "the connection was as old as one may get") \
    ROW(LINGER,        "linger",        "the client still sent when the last answer was long out") \
    ROW(RESERVE,       "reserve",       "the client was slow, and others needed the connection to its origin") \
    ROW(TUNNEL_IDLE,   "tunnel-idle",   "the client stopped taking bytes of another protocol") \
    ROW(EMPTY_RECORDS, "empty-records", "the client sent many TLS records without data") \
    ROW(H2_RESETS,     "reset-flood",     "the client began many HTTP/2 streams that came to nothing") \
    ROW(H2_SETTINGS,   "settings-flood", "the client sent many HTTP/2 SETTINGS frames") \
    ROW(H2_PINGS,      "ping-flood", "the client sent many HTTP/2 PING frames, or frames of unknown types") \
    ROW(H2_PRIORITIES, "priority-flood", "the client sent many HTTP/2 PRIORITY or PRIORITY_UPDATE frames") \
    ROW(H2_WINDOWS,    "window-flood", "the client sent many HTTP/2 WINDOW_UPDATE frames for what it was sent") \
    ROW(H2_EMPTY_DATA, "empty-data-flood", "the client sent many HTTP/2 DATA frames without data") \
    ROW(H2_HEADS,      "head-flood", "the client sent HTTP/2 heads that were far too large or came in many pieces") \
    ROW(H2_WINDOW,     "window-full", "the HTTP/2 request had not gone to an origin, and its body took the window from others") \
    ROW(H2_PROTOCOL,   "protocol-error", "the client broke the rules of HTTP/2 (PROTOCOL_ERROR)") \
    ROW(H2_FLOW,       "flow-control-error", "the client broke the rules of HTTP/2's windows (FLOW_CONTROL_ERROR)") \
    ROW(H2_CLOSED,     "stream-closed", "the client sent HTTP/2 frames on a stream that it had ended (STREAM_CLOSED)") \
    ROW(H2_FRAME_SIZE, "frame-size-error", "the client sent an HTTP/2 frame of a wrong size (FRAME_SIZE_ERROR)") \
    ROW(H2_COMPRESSION, "compression-error", "the client sent an HTTP/2 head that cannot be decompressed (COMPRESSION_ERROR)") \
    ROW(H2_CALM,       "enhance-your-calm", "the client made the gateway queue many HTTP/2 frames (ENHANCE_YOUR_CALM)") \
    ROW(STOP,          "stop",          "the connection was left when the process stopped") \
    ROW(IDLE_PRESSURE, "idle-pressure", "the connection was idle when the process ran short of memory, descriptors or connections") \
    ROW(PRESSURE,      "pressure",      "the connection had the most memory x time per byte moved when the process ran short of memory, descriptors or connections")
/* clang-format on */

enum cut_cause {
#define ROW(name, word, sentence) CUT_##name,
    CUT_CAUSES(ROW)
#undef ROW
        CUT_CAUSE_COUNT
};

const char *cut_cause_name(enum cut_cause cause);
const char *cut_cause_sentence(enum cut_cause cause);
/* error.type of an exchange that it ended. */
const char *cut_cause_error(enum cut_cause cause);
/* The client broke its protocol; else a time or a budget is over. */
bool cut_cause_is_fault(enum cut_cause cause);
/* It spent one of the budgets against floods of HTTP/2. */
bool cut_cause_is_flood(enum cut_cause cause);

#endif

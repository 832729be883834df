/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a client's connection was cut short, one row a cause: what is counted under which name
 * (metrics), what the access log says (turnpike.closed_by), and what a person is told. Code that
 * cuts names the cause (metrics_note_cut) and, where an exchange was under way, notes it in its
 * outcome. The order is that of the counters and of nothing else. */
#ifndef OBSERVE_CUT_CAUSE_H
#define OBSERVE_CUT_CAUSE_H

#include <stdbool.h>

/* clang-format off */
#define CUT_CAUSES(ROW) \
    ROW(NONE,          "none",          "was not cut") \
    ROW(HANDSHAKE,     "handshake",     "its handshake or PROXY header was not over in time") \
    ROW(HEAD,          "head",          "a request head did not come in time") \
    ROW(BODY_IDLE,     "body-idle",     "a request body stopped coming") \
    ROW(BODY_RATE,     "body-rate",     "a request body came too slowly") \
    ROW(ANSWER_IDLE,   "answer-idle",   "its client stopped taking the answer") \
    ROW(ANSWER_RATE,   "answer-rate",   "its client took the answer too slowly") \
    ROW(KEEPALIVE,     "keepalive",     "no further request came") \
    ROW(REQUESTS,      "requests",      "had all the requests that one connection may have") \
    ROW(LIFETIME,      "lifetime",      "was as old as a connection may get") \
    ROW(LINGER,        "linger",        "its client still sent when the last answer was long out") \
    ROW(RESERVE,       "reserve",       "its client was slow, and others needed the connection to its origin") \
    ROW(TUNNEL_IDLE,   "tunnel-idle",   "its client stopped taking bytes of another protocol") \
    ROW(EMPTY_RECORDS, "empty-records", "its client sent many TLS records without data") \
    ROW(H2_RESETS,     "reset-flood",     "its client began many HTTP/2 streams that came to nothing") \
    ROW(H2_SETTINGS,   "settings-flood", "its client sent many HTTP/2 SETTINGS frames") \
    ROW(H2_PINGS,      "ping-flood", "its client sent many HTTP/2 PING frames, or such of unknown types") \
    ROW(H2_PRIORITIES, "priority-flood", "its client sent many HTTP/2 PRIORITY or PRIORITY_UPDATE frames") \
    ROW(H2_WINDOWS,    "window-flood", "its client sent many HTTP/2 WINDOW_UPDATE frames for what it was sent") \
    ROW(H2_EMPTY_DATA, "empty-data-flood", "its client sent many HTTP/2 DATA frames without data") \
    ROW(H2_HEADS,      "head-flood", "its client sent HTTP/2 heads that were far too large or came in many pieces") \
    ROW(H2_WINDOW,     "window-full", "its HTTP/2 request had not gone to an origin, and its body took the window from others") \
    ROW(H2_PROTOCOL,   "protocol-error", "its client broke the rules of HTTP/2 (PROTOCOL_ERROR)") \
    ROW(H2_FLOW,       "flow-control-error", "its client broke the rules of HTTP/2's windows (FLOW_CONTROL_ERROR)") \
    ROW(H2_CLOSED,     "stream-closed", "its client sent HTTP/2 frames on a stream that it had ended (STREAM_CLOSED)") \
    ROW(H2_FRAME_SIZE, "frame-size-error", "its client sent an HTTP/2 frame of a wrong size (FRAME_SIZE_ERROR)") \
    ROW(H2_COMPRESSION, "compression-error", "its client sent an HTTP/2 head that cannot be decompressed (COMPRESSION_ERROR)") \
    ROW(H2_CALM,       "enhance-your-calm", "its client made the gateway queue many HTTP/2 frames (ENHANCE_YOUR_CALM)") \
    ROW(STOP,          "stop",          "was left when the process stopped") \
    ROW(IDLE_PRESSURE, "idle-pressure", "was idle when the process ran short of memory, descriptors or connections") \
    ROW(PRESSURE,      "pressure",      "had the most memory x time per byte moved when the process ran short of memory, descriptors or connections")
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

#endif

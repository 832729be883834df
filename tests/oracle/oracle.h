/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the oracle share. It is clients and origins in one process, with the gateway
 * between them, and knows of each request what it must be at the origin and what its answer must be
 * at the client: both follow from the seed and the request's number (plan.c). Nothing of the
 * gateway's own code is used, so that no mistake is shared.
 *
 * HTTP/1 stands in reader.c, client.c, origin.c and the writing half of plan.c, HTTP/2 in client_h2.c,
 * origin_h2.c and wire_h2.c; plans and ledger do not know how the two sides speak. */
#ifndef ORACLE_ORACLE_H
#define ORACLE_ORACLE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- main.c ------------------------------------------------------------------------------- */

struct oracle_options {
    const char *gateway; /* the program */
    uint64_t seed;
    uint32_t requests;
    uint32_t clients;
    uint32_t reload_every; /* requests; 0: never */
    bool tls;              /* clients and origins also speak TLS */
    bool h2;               /* half of the clients speak HTTP/2 */
    bool h2_origins;       /* all origins do */
};
extern struct oracle_options options;

/* --- random.c: numbers that follow from a seed -------------------------------------------------- */

uint64_t random_next(uint64_t *state);
uint32_t random_below(uint64_t *state, uint32_t limit);
bool random_chance(uint64_t *state, uint32_t in_ten_thousand);

/* --- pile.c: bytes that are collected and used up ------------------------------------------------ */

struct pile {
    char *memory;
    size_t start;
    size_t end;
    size_t capacity;
};

static inline size_t pile_length(const struct pile *pile)
{
    return pile->end - pile->start;
}
static inline char *pile_at(const struct pile *pile)
{
    return pile->start > 0 ? pile->memory + pile->start : pile->memory;
}
void pile_add(struct pile *pile, const void *bytes, size_t length);
void pile_format(struct pile *pile, const char *form, ...) __attribute__((format(printf, 2, 3)));
char *pile_room(struct pile *pile, size_t length);
void pile_drop(struct pile *pile, size_t length);
void pile_free(struct pile *pile);

/* --- plan.c: what a request and its answer are ---------------------------------------------------- */

#define FIELDS_MAX 8
#define BODY_MOST 1000000
#define BODY_LARGE 50000 /* from here on it fills windows, sockets and buffers */

enum service { SERVICE_WIDE, SERVICE_NARROW, SERVICE_AGAIN, SERVICE_SECRET, SERVICE_COUNT };
enum framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };

struct field {
    char name[32];
    const char *value;
    uint32_t length;
};

struct section {
    unsigned count;
    struct field rows[FIELDS_MAX];
};

struct message {
    enum framing framing;
    const char *body;
    uint32_t body_length;
    struct section fields;
    struct section trailers;
    unsigned lost_trailers; /* the first so many of them may not pass the gateway */
};

struct plan {
    uint32_t id;
    const char *method;
    bool is_repeatable; /* idempotent: the gateway may try it again */
    bool is_head;
    enum service service;
    char target[64];
    bool expects;
    bool closes;
    struct message request;
    uint16_t status;
    struct message answer;
    bool hints;     /* 103 before the answer */
    bool continues; /* 100 where it is expected */
    bool is_early;  /* the answer begins once the head is there */
    bool is_cut;    /* the answer breaks off */
    uint32_t delay_ms;
};

void plan_prepare(void); /* once */
void plan_make(struct plan *plan, uint32_t id);
void plan_write_head(const struct plan *plan, struct pile *out);
void plan_write_body(const struct plan *plan, struct pile *out);
void plan_write_answer(const struct plan *plan, struct pile *out);
bool plan_answer_has_body(const struct plan *plan);
uint32_t plan_answer_length(const struct plan *plan); /* of its body, if it may have one */

/* --- ledger.c: what was sent, carried out, answered --------------------------------------------- */

enum tally {
    TALLY_SENT,
    TALLY_EXECUTED,
    TALLY_RETRIED,       /* reached an origin again */
    TALLY_ANSWERED,      /* by its origin, whole */
    TALLY_BY_GATEWAY,    /* 502, 503, 504 */
    TALLY_UNANSWERED,    /* its client left, or its answer was cut as planned */
    TALLY_VOID,          /* behind an answer that closed */
    TALLY_TRAILERS_UP,   /* sections that reached an origin as they were sent */
    TALLY_TRAILERS_DOWN, /* and a client */
    TALLY_LARGE_UP,      /* bodies from BODY_LARGE on that reached an origin byte by byte */
    TALLY_LARGE_DOWN,    /* and a client */
    TALLY_PIPELINED,     /* sent before the answer to another */
    TALLY_CLOSED_ON,     /* an origin closed as a request came */
    TALLY_REFUSED,       /* streams that an origin gave back unprocessed */
    TALLY_RELOADS,
    TALLY_COUNT,
};

void ledger_prepare(void);
void ledger_count(enum tally tally);
uint64_t ledger_read(enum tally tally);
void ledger_sent(uint32_t id);
bool ledger_was_sent(uint32_t id);
void ledger_executed(const struct plan *plan);
void ledger_ended(uint32_t id, enum tally how);
/* Something is not as it must be. `bytes` may be NULL. */
void ledger_fault(const char *bytes, size_t length, const char *form, ...)
    __attribute__((format(printf, 3, 4)));
bool ledger_is_full(void); /* of faults: more say nothing new */
/* At the end: looks at the whole. true: no fault. */
bool ledger_close(void);

/* --- loop.c, wire.c: sockets ------------------------------------------------------------------------ */

struct wire {
    int fd; /* -1: closed */
    SSL *tls;
    bool standing; /* TLS has been agreed on */
    struct pile in;
    struct pile out;
    uint32_t piece; /* most bytes a write */
    size_t tried;   /* what TLS has begun to write it wants offered again; 0: nothing */
    bool ended;     /* the other side's end was read */
    bool reset;
    uint32_t sip;                       /* most bytes a turn that are read */
    uint64_t rests;                     /* random; 0: never stops reading for a while */
    uint64_t rest_ms;                   /* it reads on then; 0: now */
    uint64_t wake_ms;                   /* 0: none */
    uint32_t events;                    /* asked of epoll */
    bool watched;                       /* epoll knows it */
    void (*changed)(struct wire *wire); /* bytes came, or the end, or the time */
    void *owner;
    struct wire *next; /* of all */
};

uint64_t loop_now_ms(void);
void loop_prepare(void);
void loop_watch(struct wire *wire, uint32_t events);
void loop_turn(void);

SSL_CTX *wire_server_context(const char *cert, const char *key);
SSL_CTX *wire_client_context(void);
struct wire *wire_new(int fd, SSL_CTX *context, bool accepts, void (*changed)(struct wire *),
                      void *owner);
void wire_ready(struct wire *wire, uint32_t events);
/* What waits for a slow reader waits in the gateway and not in the kernel. Before the socket is
 * connected or listens: later, what is on its way is dropped, and comes again after seconds. */
void wire_be_narrow(int fd, int bytes);
/* Some read slowly, and what waits for them waits in the gateway. */
void wire_maybe_slow(struct wire *wire, uint64_t *random);
/* Half of those that a large body comes to become slow, if they are not. */
void wire_maybe_slow_for(struct wire *wire, uint32_t body_length, uint64_t *random);
bool wire_is_slow(const struct wire *wire);
/* To be written, a piece a turn. */
void wire_send(struct wire *wire);
/* With a reset, the rest is thrown away; else once all is written. */
void wire_close(struct wire *wire, bool reset);
void wire_bury(void); /* frees those that are closed */

/* --- reader.c: reads one message after the other, strictly -------------------------------------- */

#define LINES_MAX 160

struct line {
    const char *name;
    size_t name_length;
    const char *value;
    size_t value_length;
};

struct head {
    const char *start;
    size_t start_length;
    unsigned count;
    struct line lines[LINES_MAX];
};

enum reader_step { READER_MORE, READER_HEAD, READER_END, READER_FAULT };

struct reader {
    int state;
    enum framing framing;
    uint64_t left;
    const struct message *expected; /* NULL: bytes are not looked at */
    uint64_t offset;                /* in its body */
    size_t searched;
    struct head head;     /* valid until the next call */
    struct head trailers; /* at READER_END, the same; count 0: none */
    char why[200];
};

/* After READER_HEAD: how its body is framed. */
void reader_expect(struct reader *reader, enum framing framing, uint64_t length,
                   const struct message *expected);
enum reader_step reader_next(struct reader *reader, struct pile *in, bool ended);
const struct line *head_find(const struct head *head, const char *name);
bool line_is(const struct line *line, const char *name);
/* Framing as the fields say it; false: they do not, or say it twice. */
bool head_framing(const struct head *head, bool is_answer, enum framing *framing, uint64_t *length);

/* --- client.c, client_h2.c, origin.c, origin_h2.c, gateway.c ----------------------------------------------------------------- */

bool clients_have_more(void);
bool client_take_id(uint32_t *id); /* the next request's; false: all were sent */
int client_connect(uint16_t port, uint64_t *random);
/* On a machine that is too busy for these clients they are slow senders, which give way to others that
 * wait for the same connections: 408 with this reason in Proxy-Status. */
bool client_gave_way(const char *why, size_t length);

void clients_begin(uint32_t count);
void clients_go_on(void);
bool clients_are_done(void);
void clients_report(void); /* what each waits for */

void clients_h2_begin(uint32_t count);
void clients_h2_go_on(void);
bool clients_h2_are_done(void);
void clients_h2_report(void);

void origins_begin(const char *cert, const char *key);
void origins_accept(void);
uint16_t origin_port(unsigned index);
enum service origin_service(unsigned index);
/* All fields of the request, in order, and beside them only what a gateway adds. */
bool origin_fields_fit(const struct plan *plan, const struct head *head, bool *has_host);
bool origin_trailers_fit(const struct plan *plan, const struct head *found);
#define ORIGINS 5 /* by service: 0, 1, 2 and 3, 4 */

void origins_h2_begin(SSL_CTX *context);
void origin_h2_begin(unsigned index, int fd, uint64_t random);
void origins_h2_report(void);

void gateway_begin(const char *folder, const char *cert, const char *key);
uint16_t gateway_port(bool tls);
void gateway_reload(void);
bool gateway_end(void); /* false: not with status 0 */
bool gateway_is_there(void);

#endif

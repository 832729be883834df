/* SPDX-License-Identifier: BSD-2-Clause */
/* A waiting room: at most so many users are active at once, so many new ones come in a minute, and
 * those who wait come in by the order of their arrival. One for a route and the process. Tickets are
 * the users' own (ticket.h): this knows only who is here now, and forgets who has not come for a
 * while. Any thread; a lock is held for some hundred nanoseconds. */
#ifndef EXCHANGE_WAITING_ROOM_H
#define EXCHANGE_WAITING_ROOM_H

#include <stdbool.h>
#include <stdint.h>

struct room;

struct room_limits {
    uint32_t active;     /* users at once */
    uint32_t per_minute; /* new ones; 0: no limit */
    uint32_t session_s;  /* how long one without a request stays active */
};

/* Why a request is turned away. */
enum room_refusal {
    ROOM_IS_FULL,
    ROOM_LACKS_TICKET, /* there is room, but too many from the address brought no ticket back */
    ROOM_IS_CLOSED,    /* before the opening */
    ROOM_REFUSALS
};

struct room_place {
    uint32_t number;  /* 1: the next one */
    uint32_t wait_s;  /* an estimate */
    uint32_t again_s; /* when to ask again; who does not for three times as long loses nothing but
                         that others go first meanwhile */
    enum room_refusal cause;
};

/* A user as it asks to come in. */
struct room_user {
    uint64_t id;
    uint64_t since_ms; /* its place in the order */
    uint64_t customer; /* whose address it asks from (ip_customer) */
    bool returns;      /* it brought a ticket back, so that it keeps cookies; or else `id` is new */
};

/* So long at most a seat is kept for a user who has not brought the ticket back yet. */
#define ROOM_TRIAL_S 20u
uint32_t room_trial_s(const struct room_limits *limits);

/* `active`: as of the limits that it begins with; memory is touched only as users come. NULL: none. */
struct room *room_new(uint32_t active);
void room_free(struct room **room);

/* A user who waits, or comes for the first time. true: is active from now on; one who does not
 * `return`, for room_trial_s unless room_stay is called meanwhile. */
bool room_enter(struct room *room, const struct room_limits *limits, const struct room_user *user,
                uint64_t now_ms, struct room_place *place);
/* Before the room opens, for each new ticket. false: its address has drawn as many as it may for this
 * opening. */
bool room_draw(struct room *room, const struct room_limits *limits, uint64_t customer,
               uint64_t opens_ms);
/* Before the room opens: the user has a place in the order, and will ask again after `again_s`. */
void room_wait(struct room *room, const struct room_limits *limits, const struct room_user *user,
               uint64_t now_ms, uint32_t again_s);
/* A user who was let in makes a request. false: has been away for longer than the session, by what
 * the room knows and by the ticket (`good_until_s`). A user that the room does not know was let in by
 * another process, and stays. */
bool room_stay(struct room *room, const struct room_limits *limits, uint64_t id,
               uint32_t good_until_s, uint64_t now_ms);
/* It is told to wait. Not each that does not come in is: one may go on without a seat. */
void room_note_turned_away(struct room *room, enum room_refusal cause);
/* What a former process knew. Their places are kept until they come, or until these seconds. */
struct room_former {
    uint32_t active;
    uint32_t waiting;
    uint32_t active_until_s;
    uint32_t waiting_until_s;
};
void room_expect(struct room *room, const struct room_former *former);
/* So long after a start all who wait have asked again. */
#define ROOM_ASKED_AGAIN_S 33u
/* Each second: forgets who has gone. */
void room_tick(struct room *room, uint64_t now_ms);

/* Since the room was made. */
struct room_tally {
    uint64_t admitted;                   /* users; each time that one comes anew */
    uint64_t turned_away[ROOM_REFUSALS]; /* requests */
};
struct room_tally room_tally(struct room *room);

uint32_t room_active(struct room *room);
/* Without those of a former process: one that restarts ever again lets users in all the same. */
uint32_t room_waiting(struct room *room);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening the sockets, and the calls behind the table of sources. */
#include "process/admin.h"

#include "base/log/log.h"
#include "control/control.h"
#include "net/listener.h"
#include "net/socket_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct admin {
    bool
        owns_file; /* of the control socket; one that was inherited is the other process's at first */
    bool inherited_socket;
    struct address socket;
    struct socket_file socket_file;
    struct control_places places;
    bool metrics_are_private; /* only this machine reaches them */
    struct admin_view view;
    uint64_t started_realtime_s;
    atomic_bool stopping;
    pthread_mutex_t changing; /* held while an order is carried out; of `against` */
    const char *against;      /* why none is just now; NULL: they are */
    struct control *control;
    struct handover *handover; /* while opening */
    struct page to_hand_over;  /* handover lines */
};

/* --- sockets ----------------------------------------------------------------------------- */

static bool listen_on(struct admin *admin, const char *what, const char *name,
                      const struct address *wanted, mode_t mode, int *fd)
{
    struct address address = *wanted;
    char text[ADDRESS_TEXT_MAX];

    if (handover_take(admin->handover, "control", wanted, fd, 1) == 1) {
        admin->inherited_socket |= fd == &admin->places.socket;
    } else {
        *fd = admin->handover != NULL ? listener_open(&address, mode)
                                      : listener_open_alone(&address, mode);
    }
    if (*fd < 0) {
        return false;
    }
    handover_add(&admin->to_hand_over, "control", wanted, fd, 1);
    if (address.any.sa_family != AF_UNIX) {
        listener_bound_address(*fd, &address);
    }
    text[address_format(&address, text)] = '\0';
    log_info("%s at %s (%s)", what, text, name);
    return true;
}

static void own_file(struct admin *admin)
{
    admin->owns_file = true;
    socket_file_note(&admin->socket, &admin->socket_file);
}

static bool auto_folder_exists(void)
{
    char folder[] = ADMIN_SOCKET;

    *strrchr(folder, '/') = '\0';
    return access(folder, F_OK) == 0;
}

static const char *remedy_for(int failure)
{
    switch (failure) {
    case EADDRINUSE:
        return "; another process serves there: stop it, or give this one another place";
    case ENOENT:
        return "; make its folder first";
    case EACCES:
        return "; the process may not write to its folder";
    default:
        return "";
    }
}

static void report_no_listener(const struct file_place *at, const char *name, const char *option)
{
    int failure = errno;
    char place[FILE_PLACE_TEXT_MAX];

    log_error("%scannot listen on %s (%s): %s%s", file_place_text(at, place), name, option,
              strerror(failure), remedy_for(failure));
}

/* Where the file names no socket, a start does not fail for it. */
static bool open_socket(struct admin *admin, const struct admin_settings *settings)
{
    const char *path = settings->socket;

    if (path == NULL && settings->socket_auto && auto_folder_exists()) {
        path = ADMIN_SOCKET;
    }
    if (path == NULL) {
        return true;
    }
    if (address_parse(bytes_of(path), &admin->socket) &&
        listen_on(admin, "control interface", path, &admin->socket, settings->mode,
                  &admin->places.socket)) {
        if (!admin->inherited_socket) {
            own_file(admin);
        }
        return true;
    }
    if (settings->socket_auto) {
        log_warning("no control interface: cannot listen on %s: %s%s", path, strerror(errno),
                    remedy_for(errno));
        return true;
    }
    report_no_listener(&settings->socket_at, path, "admin.socket");
    return false;
}

static bool open_metrics(struct admin *admin, const struct admin_settings *settings)
{
    if (settings->metrics == NULL ||
        listen_on(admin, "metrics", settings->metrics, &settings->metrics_address, settings->mode,
                  &admin->places.metrics)) {
        return true;
    }
    report_no_listener(&settings->metrics_at, settings->metrics, "admin.metrics");
    return false;
}

struct admin *admin_open(const struct admin_settings *settings, struct handover *handover)
{
    struct admin *admin = calloc(1, sizeof(*admin));

    if (admin == NULL) {
        log_error("cannot start: no memory is left for the sockets of `admin`; give the process "
                  "more (MemoryMax=, the machine's)");
        return NULL;
    }
    pthread_mutex_init(&admin->changing, NULL);
    admin->against = "the process does not serve yet";
    admin->places = (struct control_places){-1, -1};
    admin->handover = handover;
    admin->started_realtime_s = (uint64_t)time(NULL);
    admin->metrics_are_private =
        settings->metrics != NULL && address_is_local(&settings->metrics_address);
    if (!open_socket(admin, settings) || !open_metrics(admin, settings)) {
        admin_close(&admin);
        return NULL;
    }
    admin->handover = NULL;
    return admin;
}

void admin_own_inherited(struct admin *admin)
{
    if (admin->inherited_socket) {
        own_file(admin);
    }
}

void admin_hand_over(const struct admin *admin, struct page *lines)
{
    page_add(lines, page_bytes(&admin->to_hand_over));
}

void admin_leave(struct admin *admin, loop_posted *left, void *owner)
{
    admin->owns_file = false; /* its file is the other's now */
    if (admin->control != NULL) {
        control_leave(admin->control, left, owner);
    } else {
        left(owner);
    }
}

/* --- sources ----------------------------------------------------------------------------- */

static struct plan *give_plan(void *owner)
{
    const struct admin *admin = owner;

    return reload_plan(admin->view.reload);
}

static char *give_source(void *owner, size_t *length)
{
    const struct admin *admin = owner;

    return reload_source(admin->view.reload, length);
}

static struct metrics *find_metrics(void *owner, uint32_t worker)
{
    const struct admin *admin = owner;

    return worker_metrics(admin->view.workers[worker]);
}

static void report_load(void *owner, uint32_t worker, struct control_load *load)
{
    const struct admin *admin = owner;

    load->connections = worker_connections(admin->view.workers[worker]);
    load->handshakes = worker_handshakes(admin->view.workers[worker]);
    load->begun = worker_begun(admin->view.workers[worker]);
}

static void report_use(void *owner, enum pressure_kind kind, struct control_use *use)
{
    const struct admin *admin = owner;
    const struct pressure *pressure = admin->view.pressure;

    *use = (struct control_use){.used = pressure_used(pressure, kind),
                                .budget = pressure_budget(pressure, kind),
                                .level = pressure_of(pressure, kind)};
}

static void report_past_changes(void *owner, control_past_change_seen *seen, void *seen_owner)
{
    const struct admin *admin = owner;

    audit_read_recent(admin->view.audit, seen, seen_owner);
}

static const char *begin_change(void *owner)
{
    struct admin *admin = owner;
    const char *against;

    pthread_mutex_lock(&admin->changing);
    against = admin->against;
    if (against != NULL) {
        pthread_mutex_unlock(&admin->changing);
    }
    return against;
}

static void end_change(void *owner)
{
    struct admin *admin = owner;

    pthread_mutex_unlock(&admin->changing);
}

/* What runs is something else than the file from here on: it must be found again. */
static int note_change(void *owner, const struct control_change *change)
{
    const struct admin *admin = owner;
    int failure = state_store_save(admin->view.state_store);
    const struct audit_entry entry = {.who = change->who,
                                      .action = change->action,
                                      .subject = change->subject,
                                      .before = change->before,
                                      .after = change->after,
                                      .ok = true,
                                      .why = failure != 0 ? "in force, but not written" : NULL};

    log_info("%s %s%s%s, at run time, by uid %u", change->action, change->subject,
             change->after != NULL ? ": " : "", change->after != NULL ? change->after : "",
             (unsigned)change->who.uid);
    audit_write(admin->view.audit, &entry);
    return failure;
}

static bool list_connections(void *owner, uint32_t worker, size_t most, client_listed *listed,
                             void *listed_owner)
{
    const struct admin *admin = owner;

    return worker_list_connections(admin->view.workers[worker], most, listed, listed_owner);
}

static bool give_order(void *owner, const struct reload_order *order)
{
    const struct admin *admin = owner;

    return reload_give_order(admin->view.reload, order);
}

static void report_reload_status(void *owner, struct reload_status *status)
{
    const struct admin *admin = owner;

    reload_check(admin->view.reload, status);
}

/* --- life -------------------------------------------------------------------------------- */

bool admin_start(struct admin *admin, const struct admin_view *view)
{
    const struct control_sources sources = {
        .owner = admin,
        .workers = view->worker_count,
        .started_realtime_s = admin->started_realtime_s,
        .stopping = &admin->stopping,
        .config_file = view->config_file,
        .metrics_are_private = admin->metrics_are_private,
        .plan = give_plan,
        .source = give_source,
        .metrics = find_metrics,
        .load = report_load,
        .begin_change = begin_change,
        .note_change = note_change,
        .end_change = end_change,
        .give_order = give_order,
        .reload_status = report_reload_status,
        .spans = view->spans,
        .list_connections = list_connections,
        .origins = view->origins,
        .splits = view->splits,
        .access_log = view->log,
        .use = report_use,
        .past_changes = report_past_changes,
    };
    const struct control_places places = admin->places;

    admin->view = *view;
    if (places.socket < 0 && places.metrics < 0) {
        return true;
    }
    admin->places = (struct control_places){-1, -1};
    admin->control = control_start(&places, &sources);
    return admin->control != NULL;
}

void admin_refuse_changes(struct admin *admin, const char *why)
{
    pthread_mutex_lock(&admin->changing);
    admin->against = why;
    pthread_mutex_unlock(&admin->changing);
}

void admin_report_stopping(struct admin *admin)
{
    atomic_store(&admin->stopping, true);
}

void admin_close(struct admin **held)
{
    struct admin *admin = *held;

    *held = NULL;
    if (admin == NULL) {
        return;
    }
    control_stop(&admin->control);
    if (admin->places.socket >= 0) {
        close(admin->places.socket);
    }
    if (admin->places.metrics >= 0) {
        close(admin->places.metrics);
    }
    if (admin->owns_file) {
        socket_file_remove(&admin->socket, &admin->socket_file);
    }
    page_release(&admin->to_hand_over);
    pthread_mutex_destroy(&admin->changing);
    free(admin);
}

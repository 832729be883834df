/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry's lock is held while it is read, hence copies. There are few SRV names: no index. */
#include "control/pages/srv_readings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool copy(const struct srv_reading *reading, struct srv_reading *row)
{
    size_t size = reading->count * sizeof(*reading->targets);
    struct srv_target *targets = malloc(size + 1);

    *row = *reading;
    row->name = strdup(reading->name);
    row->targets = targets;
    if (targets != NULL && size > 0) {
        memcpy(targets, reading->targets, size);
    }
    return row->name != NULL && targets != NULL;
}

static void on_seen(void *owner, const struct srv_reading *reading)
{
    struct srv_readings *readings = owner;
    struct srv_reading *rows =
        readings->failed ? NULL
                         : realloc(readings->rows, (readings->count + 1) * sizeof(*readings->rows));

    if (rows == NULL) {
        readings->failed = true;
        return;
    }
    readings->rows = rows;
    readings->failed = !copy(reading, &rows[readings->count++]);
}

bool srv_readings_take(const struct control_sources *sources, struct srv_readings *readings)
{
    *readings = (struct srv_readings){0};
    origin_registry_read_srv(sources->origins, on_seen, readings);
    if (readings->failed) {
        srv_readings_release(readings);
        return false;
    }
    return true;
}

void srv_readings_release(struct srv_readings *readings)
{
    for (size_t i = 0; i < readings->count; i++) {
        free((char *)readings->rows[i].name);
        free((struct srv_target *)readings->rows[i].targets);
    }
    free(readings->rows);
    *readings = (struct srv_readings){0};
}

const struct srv_reading *srv_readings_find(const struct srv_readings *readings, const char *name)
{
    static const struct srv_reading unknown = {.state = NAME_UNKNOWN};

    for (size_t i = 0; i < readings->count; i++) {
        if (strcmp(readings->rows[i].name, name) == 0) {
            return &readings->rows[i];
        }
    }
    return &unknown;
}

const char *srv_place(const struct srv_target *target, char room[static SRV_PLACE_ROOM])
{
    snprintf(room, SRV_PLACE_ROOM, "%s:%u", target->host, target->port);
    return room;
}

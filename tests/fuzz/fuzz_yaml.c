/* SPDX-License-Identifier: BSD-2-Clause */
/* libFuzzer entry over the configuration loader: any bytes give a snapshot or at least one
 * error that can be printed, never both and never neither. Corpus: tests/corpus/yaml. */
#include "config/load.h"

#include "base/check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct bytes source = {(const char *)bytes, length};
    struct config_errors *errors;
    struct snapshot *snapshot = config_load_bytes("fuzz.yaml", source, &errors);
    char *text = NULL;
    size_t size;
    FILE *out;

    CHECK((snapshot == NULL) == (config_errors_count(errors) > 0));
    if (snapshot != NULL) {
        CHECK(snapshot_settings(snapshot)->route_count > 0);
        CHECK(snapshot_settings(snapshot)->listener_count > 0);
        snapshot_unref(&snapshot);
        return 0;
    }
    out = open_memstream(&text, &size);
    CHECK(out != NULL);
    config_errors_print(errors, out);
    fclose(out);
    CHECK(size > 0);
    free(text);
    config_errors_free(&errors);
    return 0;
}

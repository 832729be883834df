/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for the fuzzer in `make check`: gives every file of a corpus to the fuzz target
 * it is linked with, in the order of their names. Without arguments the corpus is that of the
 * program's own name: fuzz_NAME reads $srcdir/tests/corpus/NAME. An empty corpus is an error,
 * since it would pass whatever the codec does. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static int replayed;

static int replay_file(const char *path)
{
    struct stat facts;
    uint8_t *input;
    size_t length;
    FILE *file = fopen(path, "rb");

    if (file == NULL || fstat(fileno(file), &facts) != 0) {
        perror(path);
        return 1;
    }
    /* Exactly as long as the input, so that AddressSanitizer sees a read past its end. */
    input = malloc((size_t)facts.st_size);
    length = input == NULL ? 0 : fread(input, 1, (size_t)facts.st_size, file);
    fclose(file);
    printf("%s\n", path); /* a crash is then known to be this file's */
    fflush(stdout);
    LLVMFuzzerTestOneInput(input, length);
    free(input);
    replayed++;
    return 0;
}

static int replay_folder(const char *folder)
{
    struct dirent **entries;
    char path[4096];
    int failed = 0;
    int count = scandir(folder, &entries, NULL, alphasort);

    if (count < 0) {
        perror(folder);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
            failed |= replay_file(path);
        }
        free(entries[i]);
    }
    free(entries);
    return failed;
}

static int replay_own_corpus(const char *program)
{
    const char *srcdir = getenv("srcdir");
    const char *slash = strrchr(program, '/');
    const char *name = slash == NULL ? program : slash + 1;
    char folder[4096];

    if (strncmp(name, "fuzz_", 5) == 0) {
        name += 5;
    }
    snprintf(folder, sizeof(folder), "%s/tests/corpus/%s", srcdir == NULL ? "." : srcdir, name);
    return replay_folder(folder);
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (argc < 2) {
        failed = replay_own_corpus(argv[0]);
    }
    for (int i = 1; i < argc; i++) {
        struct stat facts;

        if (stat(argv[i], &facts) == 0 && S_ISDIR(facts.st_mode)) {
            failed |= replay_folder(argv[i]);
        } else {
            failed |= replay_file(argv[i]);
        }
    }
    printf("%d inputs replayed\n", replayed);
    return failed != 0 || replayed == 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a service manager reads: datagrams as in sd_notify(3), and a file with the process id. */
#include "process/system/announce.h"

#include "base/log/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/turnpike-announce-XXXXXX";

static int listen_at(const struct sockaddr_un *address, size_t path_length)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length)),
                     0);
    return fd;
}

static void expect(int fd, const char *wanted)
{
    char text[64] = {0};

    assert_int_equal(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), strlen(wanted));
    assert_string_equal(text, wanted);
}

static void a_state_is_one_datagram(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    (void)state;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", folder);
    fd = listen_at(&address, strlen(address.sun_path));
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    announce("READY=1");
    expect(fd, "READY=1");
    announce_successor(4711);
    expect(fd, "MAINPID=4711");
    close(fd);
    unlink(address.sun_path);
}

static void an_at_sign_means_the_abstract_namespace(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    int fd;

    (void)state;
    snprintf(name, sizeof(name), "@turnpike-announce-%ld", (long)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    fd = listen_at(&address, strlen(name));
    setenv("NOTIFY_SOCKET", name, 1);
    announce("STOPPING=1");
    expect(fd, "STOPPING=1");
    close(fd);
}

static void nobody_who_listens_is_no_failure(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR + 1);
    unsetenv("NOTIFY_SOCKET");
    announce("READY=1");
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    announce("READY=1");
}

static void a_pid_file_of_another_process_stays(void **state)
{
    char path[64];
    char text[32] = {0};
    FILE *file;

    (void)state;
    snprintf(path, sizeof(path), "%s/pid", folder);
    assert_true(pid_file_write(path));
    file = fopen(path, "r");
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    assert_int_equal(strtol(text, NULL, 10), getpid());
    file = fopen(path, "w");
    fprintf(file, "%ld\n", (long)getpid() + 1);
    fclose(file);
    pid_file_remove(path); /* a successor's, by now */
    assert_int_equal(access(path, F_OK), 0);
    assert_true(pid_file_write(path));
    pid_file_remove(path);
    assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_is_one_datagram),
        cmocka_unit_test(an_at_sign_means_the_abstract_namespace),
        cmocka_unit_test(nobody_who_listens_is_no_failure),
        cmocka_unit_test(a_pid_file_of_another_process_stays),
    };
    int failed;

    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}

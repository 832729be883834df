#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A small service manager for tests: opens the sockets it is told to, sets the variables that systemd
sets, starts the command as its child, and prints what arrives at the notify socket.

    service-manager.py [--watchdog USEC] [--socket NAME=ADDRESS]... FOLDER COMMAND...

Lines on standard output: "socket NAME ADDRESS", "pid PID", then "notify TEXT" for each message, and
"exit STATUS" at the end. Lines on standard input: "stall PID" stops one worker's thread of that process
(ptrace), "go" lets it run on, "signal NAME" goes to the child."""
import argparse
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17


def say(text):
    sys.stdout.write(text + '\n')
    sys.stdout.flush()


def listen(address):
    if address.startswith('unix:'):
        made = socket.socket(socket.AF_UNIX)
        made.bind(address[5:])
    else:
        host, port = address.rsplit(':', 1)
        made = socket.socket(socket.AF_INET6 if '[' in host else socket.AF_INET)
        made.bind((host.strip('[]'), int(port)))
    made.listen(128)
    return made


def ptrace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    if libc.ptrace(request, thread, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), 'ptrace')


def worker_thread(pid):
    for thread in sorted(os.listdir(f'/proc/{pid}/task')):
        with open(f'/proc/{pid}/task/{thread}/comm', encoding='utf-8') as name:
            if name.read().startswith('worker-1'):
                return int(thread)
    raise OSError('no worker-1')


def main():
    options = argparse.ArgumentParser()
    options.add_argument('--watchdog')
    options.add_argument('--socket', action='append', default=[])
    options.add_argument('folder')
    options.add_argument('command', nargs=argparse.REMAINDER)
    given = options.parse_args()
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(os.path.join(given.folder, 'notify'))
    environment = dict(os.environ, NOTIFY_SOCKET=os.path.join(given.folder, 'notify'))
    if given.watchdog:
        environment['WATCHDOG_USEC'] = given.watchdog
    names = []
    sockets = []
    for text in given.socket:
        name, address = text.split('=', 1)
        made = listen(address)
        names.append(name)
        sockets.append(made)
        bound = made.getsockname()
        say(f'socket {name} ' + (address if isinstance(bound, str) else f'{bound[0]}:{bound[1]}'))

    def before():
        high = [os.dup2(os.dup(made.fileno()), 200 + i) for i, made in enumerate(sockets)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
            os.close(fd)

    if sockets:
        environment['LISTEN_FDS'] = str(len(sockets))
        environment['LISTEN_FDNAMES'] = ':'.join(names)
        # The pid is only known in the child: a shell puts it there.
        command = ['/bin/sh', '-c', 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"', 'start'] + given.command
    else:
        command = given.command
    child = subprocess.Popen(command, env=environment, preexec_fn=before, close_fds=False)
    say(f'pid {child.pid}')
    stalled = None
    ended = False
    while True:
        ready, _, _ = select.select([heard, sys.stdin], [], [], 0.05)
        if heard in ready:
            say('notify ' + heard.recv(4096).decode().strip())
        if sys.stdin in ready:
            words = sys.stdin.readline().split()
            if not words:
                return 0
            if words[0] == 'stall':
                stalled = worker_thread(int(words[1]))
                ptrace(SEIZE, stalled)
                ptrace(INTERRUPT, stalled)
                os.waitpid(stalled, 0x40000000)  # __WALL
                say('stalled')
            elif words[0] == 'go':
                ptrace(DETACH, stalled)
            elif words[0] == 'signal':
                child.send_signal(getattr(signal, words[1]))
        if child.poll() is not None and not ended:
            ended = True
            say(f'exit {child.returncode}')


if __name__ == '__main__':
    sys.exit(main())

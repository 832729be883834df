# SPDX-License-Identifier: BSD-2-Clause
"""Starts and ends the processes of a benchmark. Every process that was started here is ended here,
by its pid, also when the run is interrupted; nothing is ever looked up by name."""

import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time


class Failure(Exception):
    """Something a person must hear about in one sentence."""


def free_port():
    """A port without a listener, below the range that outgoing connections take theirs from."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def children_of(pid):
    """Direct children of every thread of a process."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += [int(child) for child in file.read().split()]
    except OSError:
        pass
    return found


def family_of(pid):
    """A process and all its descendants."""
    family = [pid]
    for child in children_of(pid):
        family += family_of(child)
    return family


def start_time_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


def connect(port, tls, protocols=()):
    """A connection to a port of this machine, whatever certificate it shows. `protocols`: ALPN's."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=2)
    if not tls:
        return connection
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    trusting.set_alpn_protocols(protocols)
    return trusting.wrap_socket(connection, server_hostname="bench.test")


class Processes:
    """All processes of this run. Use as a context: leaving it ends what still runs."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []
        self.started = 0

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not cut this short
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in reversed(self.running[:]):
            self.end(process)

    def start(self, command, cores=None, stdin=subprocess.DEVNULL, stdout=None):
        """Runs a command on the given cores ("0", "0,1"). In a session of its own, so that Ctrl-C
        reaches this program only and the order of ending stays ours."""
        if cores is not None:
            command = ["taskset", "-c", cores] + command
        self.started += 1
        said = os.path.join(self.folder, f"said-{self.started}.txt")
        with open(said, "wb") as log:
            try:
                process = subprocess.Popen(command, stdin=stdin, stdout=stdout or log, stderr=log,
                                           start_new_session=True)
            except FileNotFoundError as missing:
                raise Failure(f"{missing.filename} is not installed") from None
        process.said = said
        self.running.append(process)
        return process

    def end(self, process, patience=3.0):
        """SIGTERM, and SIGKILL for it and its children when it takes too long."""
        if process not in self.running:
            return
        family = [(pid, start_time_of(pid)) for pid in family_of(process.pid)]
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid, started in family[1:]:
            if started is not None and start_time_of(pid) == started:
                os.kill(pid, signal.SIGKILL)
        self.running.remove(process)

    def wait_until_answering(self, process, port, path, seconds=20, tls=False):
        """Until a request to the port is answered with 200."""
        deadline = time.monotonic() + seconds
        request = f"GET {path} HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n".encode()
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                with connect(port, tls) as connection:
                    connection.sendall(request)
                    if connection.recv(4096).startswith(b"HTTP/1.1 200"):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        with open(process.said, errors="replace") as log:
            said = log.read().strip()[-2000:]
        raise Failure(f"{' '.join(process.args)} does not answer on port {port}: {said}")

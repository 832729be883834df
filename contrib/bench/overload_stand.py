# SPDX-License-Identifier: BSD-2-Clause
"""An origin of so many slots, a gateway before it, and the load, for overload.py."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
SLOTS, MS = 12, 40
CAPACITY = SLOTS * 1000 / MS
SHARES = {"critical": 0.1, "normal": 0.6, "bulk": 0.3}


def three_classes(times):
    return [(name, CAPACITY * times * share, 50) for name, share in SHARES.items()]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise SystemExit("the gateway did not start")


class Stand:
    def __init__(self, gateway, load, workers, fine=False):
        self.load = load
        self.label = gateway.label()
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o755)
        self.origin = subprocess.Popen([sys.executable, os.path.join(HERE, "slots_origin.py"),
                                        "--slots", str(SLOTS), "--ms", str(MS),
                                        *(["--fine"] if fine else [])],
                                       stdout=subprocess.PIPE, text=True)
        self.origin_port = int(self.origin.stdout.readline())
        self.port = free_port()
        command = gateway.command(self.folder.name, self.port, self.origin_port, workers)
        self.gateway = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_for(self.port)

    def order(self, what):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.origin_port}/.bench/{what}") as answer:
            return json.loads(answer.read())

    def order_after(self, seconds, what):
        """Meanwhile the load goes on."""
        timer = threading.Timer(seconds, self.order, (what,))
        timer.start()
        return timer

    def play(self, seconds, classes, tries=1, port=None):
        asked = [f"{name}:/{name}:{rate}:{clients}" for name, rate, clients in classes]
        ran = subprocess.run([self.load, str(port or self.port), str(seconds), f"2000:{tries}", *asked],
                             stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(ran.stdout)

    def stop(self):
        for process in (self.gateway, self.origin):
            process.terminate()
            process.wait()
        self.folder.cleanup()


def build_load(folder):
    path = os.path.join(folder, "open_load")
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-o", path,
                    os.path.join(HERE, "open_load.c")], check=True)
    return path

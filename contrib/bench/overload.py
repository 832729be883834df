#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Overload: an origin of 12 slots of 40 ms gets 0.5, 1, 2, 5 and 10 times what it can serve, in an
open loop, in three classes (10 % critical, 60 % normal, 30 % bulk) whose clients wait for 2 s. The
gateway is told neither slots nor rates (concurrency: auto).

    contrib/bench/overload.py build/src/turnpike [--seconds 20] [--times 0.5,1,2,5,10] [--workers 1]
                                                 [--only busy,slower,stall]

Prints one line a run beside what is aimed at. Needs python3 and a C compiler; some minutes."""
import argparse
import json
import os
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
AIMS = {
    0.5: "nothing refused",
    1: "goodput .95",
    2: "goodput .95, normal .60 and p99 300",
    5: "goodput .95, critical .99 and p99 220",
    10: "goodput .95, critical .95 and p99 300",
}


def config(origin, workers):
    routes = "\n".join(
        f"  - {{name: {name}, match: {{path_prefix: /{name}}}, priority: {name}, service: shop,"
        f" fair_by: {{header: X-Client}}}}"
        for name in SHARES)
    return f"""
listeners:
  - address: "127.0.0.1:0"
workers: {workers}
admin: {{socket: off}}
access_log: off
services:
  shop: {{origins: ["127.0.0.1:{origin}"], concurrency: auto}}
routes:
{routes}
"""


class Stand:
    """An origin, a gateway before it, and the load."""

    def __init__(self, turnpike, folder, workers):
        self.folder = folder
        self.load = os.path.join(folder, "open_load")
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", self.load,
                        os.path.join(HERE, "open_load.c")], check=True)
        self.origin = subprocess.Popen([sys.executable, os.path.join(HERE, "slots_origin.py"),
                                        "--slots", str(SLOTS), "--ms", str(MS)],
                                       stdout=subprocess.PIPE, text=True)
        self.origin_port = int(self.origin.stdout.readline())
        path = os.path.join(folder, "turnpike.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config(self.origin_port, workers))
        self.gateway = subprocess.Popen([turnpike, "-c", path], stderr=subprocess.PIPE, text=True)
        self.port = self.wait_for_port()

    def wait_for_port(self):
        for line in self.gateway.stderr:
            if "127.0.0.1:" in line and "listening" in line:
                threading.Thread(target=lambda: [None for _ in self.gateway.stderr], daemon=True).start()
                return int(line.split("127.0.0.1:")[1].split()[0].strip(",;."))
        raise SystemExit("the gateway did not start")

    def order(self, what):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.origin_port}/.bench/{what}") as answer:
            return json.loads(answer.read())

    def play(self, seconds, classes, timeout_ms=2000):
        asked = [f"{name}:/{name}:{rate}:{clients}" for name, rate, clients in classes]
        ran = subprocess.run([self.load, str(self.port), str(seconds), str(timeout_ms), *asked],
                             stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(ran.stdout)

    def stop(self):
        for process in (self.gateway, self.origin):
            process.terminate()
            process.wait()


def cpu_of(process):
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(label, answer, seconds, before, after, capacity, aim):
    result = answer["classes"]
    good = sum(each["good"] for each in result.values())
    parts = [f"{name} {each['good'] / max(each['sent'], 1):.3f} p99 {each['p99']:.0f}"
             for name, each in result.items()]
    refused = [each for each in result.values() if each["refused"]]
    late = sum(each["late"] + each["broken"] + each["other"] for each in result.values())
    begun = after["begun"] - before["begun"]
    wasted = begun - good
    print(f"{label:>10}  goodput {good / seconds / capacity:.3f}  {'; '.join(parts)}  "
          f"p50 {result[next(iter(result))]['p50']:.1f}  "
          f"refused p50 {answer['refused_p50']:.2f} "
          f"max {max((each['refused_max'] for each in refused), default=0):.0f} ms  late or broken {late}  "
          f"wasted {max(wasted, 0) / max(begun, 1):.3f}  most inside {after['most_inside']}"
          f"   [{aim}]", flush=True)


def three_classes(times):
    return [(name, CAPACITY * times * share, 50) for name, share in SHARES.items()]


def run_times(stand, times, seconds):
    before = stand.order("stats")
    result = stand.play(seconds, three_classes(times))
    offered = min(times, 1)
    report(f"x {times:g}", result, seconds, before, stand.order("stats"), CAPACITY * offered,
           AIMS.get(times, ""))


def run_busy(stand, seconds):
    """One client sends twenty times what each of forty others does, all in one class."""
    for times, aim in ((0.9, "the busy one .99"), (1.33, "others .99")):
        each = CAPACITY * times / 60
        before = stand.order("stats")
        result = stand.play(seconds, [("normal", each * 40, 40), ("normal?busy", each * 20, 1)])
        report(f"busy {times:g}", result, seconds, before, stand.order("stats"), CAPACITY * min(times, 1),
               aim)


def run_slower(stand, seconds):
    """Three times slower for a while, and back, at twice the capacity that is left."""
    stand.order(f"set?ms={3 * MS}")
    before = stand.order("stats")
    result = stand.play(seconds, three_classes(2 / 3))
    report("3x slower", result, seconds, before, stand.order("stats"), CAPACITY / 3,
           "goodput .95 of what is left, critical p99 660")
    stand.order(f"set?ms={MS}")
    before = stand.order("stats")
    result = stand.play(seconds, three_classes(2))
    report("and back", result, seconds, before, stand.order("stats"), CAPACITY, "goodput .95")


def run_stall(stand, seconds):
    stand.order("stall?s=10")
    stand.play(10, three_classes(1))
    time.sleep(0.2)
    before = stand.order("stats")
    result = stand.play(seconds, three_classes(1))
    report("stalled", result, seconds, before, stand.order("stats"), CAPACITY, "all back within 4 s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("turnpike")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--times", default="0.5,1,2,5,10")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="times,busy,slower,stall")
    given = parser.parse_args()
    only = given.only.split(",")
    with tempfile.TemporaryDirectory() as folder:
        stand = Stand(given.turnpike, folder, given.workers)
        try:
            stand.play(3, three_classes(0.2))
            for times in given.times.split(",") if "times" in only else []:
                run_times(stand, float(times), given.seconds)
            for name, run in (("busy", run_busy), ("slower", run_slower), ("stall", run_stall)):
                if name in only:
                    run(stand, given.seconds)
        finally:
            stand.stop()


main()

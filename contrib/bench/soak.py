# SPDX-License-Identifier: BSD-2-Clause
"""Does memory grow with time? Turnpike under full mixed load for minutes; its resident memory every
ten seconds, and the growth from the first minute to the last. Called by soak.sh."""

import argparse
import os
import signal
import sys
import tempfile
import time
from statistics import median

import bench
import contenders
import measure
from processes import Failure, Processes, family_of, free_port
from scenarios import Scenario

SAMPLE_SECONDS = 10
ALLOWED_GROWTH = 0.02
LOADS = [
    Scenario("keepalive", "small answers", connections=64),
    Scenario("short", "new connections", connections=8, short=True),
    Scenario("answer-1m", "large answers", connections=2, path="/1m"),
    Scenario("upload-1m", "uploads", connections=2, upload=1 << 20),
]


def arguments():
    parser = argparse.ArgumentParser(prog="soak.sh", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--turnpike", help="binary; default: build/src/turnpike of this checkout")
    parser.add_argument("--wrk", default="wrk", help="binary")
    parser.add_argument("--gateway-cores", default="0", help="default 0")
    parser.add_argument("--load-cores", default="1", help="of origin and load; default 1")
    return parser.parse_args()


def renew_access_log(gateway, folder):
    """The log would fill the disk in 20 minutes: start it afresh, as log rotation does."""
    try:
        os.unlink(os.path.join(folder, "access.log"))
    except FileNotFoundError:
        pass
    gateway.send_signal(signal.SIGUSR1)


def sample_memory(gateway, folder, minutes):
    samples = []
    started = time.monotonic()
    while time.monotonic() - started < minutes * 60:
        time.sleep(SAMPLE_SECONDS)
        if gateway.poll() is not None:
            raise Failure(f"the gateway ended with {gateway.returncode}")
        rss, pss = measure.memory(family_of(gateway.pid))
        samples.append(rss)
        print(f"{time.monotonic() - started:7.0f} s  RSS {rss / 1024:9.0f} kB  "
              f"Pss {pss / 1024:9.0f} kB", flush=True)
        renew_access_log(gateway, folder)
    return samples


def soak(processes, options, folder):
    contender = contenders.Turnpike(bench.turnpike_copy(options.turnpike, folder))
    origin_port, port = free_port(), free_port()
    origin = processes.start([bench.compile_helper(folder, "origin"), str(origin_port)],
                             options.load_cores)
    processes.wait_until_answering(origin, origin_port, "/13")
    gateway = processes.start(contender.command(LOADS[0], folder, port, origin_port),
                              options.gateway_cores)
    processes.wait_until_answering(gateway, port, "/13")
    wrk = contenders.found(options.wrk) or options.wrk
    seconds = int(options.minutes * 60 + 2 * SAMPLE_SECONDS)
    before = time.monotonic(), measure.cpu_ns(family_of(gateway.pid))
    for load in LOADS:
        processes.start(measure.wrk_command(wrk, contender, load, port, seconds),
                        options.load_cores)
    samples = sample_memory(gateway, folder, options.minutes)
    used = measure.cpu_ns(family_of(gateway.pid)) - before[1]
    print(f"gateway busy {used / (time.monotonic() - before[0]) / 1e7:.0f}% of a core")
    return samples


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="turnpike-soak-") as folder:
        with Processes(folder) as processes:
            samples = soak(processes, options, folder)
    minute = 60 // SAMPLE_SECONDS
    first, last = median(samples[:minute]), median(samples[-minute:])
    growth = last / first - 1
    print(f"first minute {first / 1024:.0f} kB, last minute {last / 1024:.0f} kB: "
          f"growth {growth:+.2%} (allowed {ALLOWED_GROWTH:.0%})")
    return 0 if growth <= ALLOWED_GROWTH else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"soak.sh: {failure}")
    except KeyboardInterrupt:
        sys.exit("soak.sh: interrupted; everything it started has ended")

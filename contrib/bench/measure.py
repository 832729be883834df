# SPDX-License-Identifier: BSD-2-Clause
"""One measurement: what the gateway's processes used of CPU and memory while a load ran."""

import os
import subprocess
import time

from processes import Failure, family_of
from scenarios import request_path

HERE = os.path.dirname(os.path.abspath(__file__))


def cpu_ns(pids):
    """CPU time of all threads of the processes, as the scheduler counts it."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
    return total


def memory(pids):
    """Resident and proportional bytes of the processes together."""
    sums = {"Rss": 0, "Pss": 0}
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                key = line.split(":")[0]
                if key in sums:
                    sums[key] += int(line.split()[1]) * 1024
    return sums["Rss"], sums["Pss"]


def wrk_command(wrk, contender, scenario, port, seconds):
    path = contender.path(scenario, request_path(scenario))
    return [wrk, "-t1", f"-c{scenario.connections}", f"-d{seconds}s", "--timeout", "10s",
            "-s", os.path.join(HERE, "load.lua"), f"http{'s' if scenario.tls else ''}://127.0.0.1:{port}/", "--",
            path, str(scenario.routes), str(scenario.upload),
            "close" if contender.says_close(scenario) else "keep", str(scenario.headers)]


def handshakes_command(handshakes, contender, scenario, port, seconds):
    return [handshakes, str(port), contender.path(scenario, scenario.path), scenario.handshakes,
            str(scenario.connections), str(seconds)]


def load_command(tools, contender, scenario, port, seconds):
    if scenario.handshakes:
        return handshakes_command(tools.handshakes, contender, scenario, port, seconds)
    return wrk_command(tools.wrk, contender, scenario, port, seconds)


def figures_of(processes, process, seconds):
    """What wrk, or what prints figures as it does, says at its end, as numbers."""
    try:
        output = process.communicate(timeout=seconds + 30)[0].decode()
    finally:
        processes.end(process)
    for line in output.splitlines():
        if line.startswith("FIGURES "):
            return {key: int(value) for key, value in
                    (pair.split("=") for pair in line.split()[1:])}
    with open(process.said, errors="replace") as log:
        raise Failure(f"{process.args} gave no figures: {output.strip()} {log.read().strip()}")


def run_load(processes, command, cores, seconds):
    process = processes.start(command, cores, stdout=subprocess.PIPE)
    return figures_of(processes, process, seconds)


def run_loads(processes, command, places, seconds):
    """One at each place. Together they do what all did, in the time and with the delays of the
    slowest."""
    running = [processes.start(command, cores, stdout=subprocess.PIPE) for cores in places]
    each = [figures_of(processes, process, seconds) for process in running]
    return {key: (max if key.endswith("_us") else sum)(figures[key] for figures in each)
            for key in each[0]}


def load_places(tools, scenario):
    if scenario.shares:
        return [str(core) for core in range(scenario.workers)]
    return [tools.load_cores if scenario.pinned else None]


def gateway_place(tools, scenario):
    if scenario.shares:
        return ",".join(load_places(tools, scenario))
    return tools.gateway_cores if scenario.pinned else None


def hold_idle(processes, hold, scenario, port, path, cores, pids):
    """Idle connections beside the load: the process that holds them, and what it found out."""
    command = [hold, str(port), path, str(scenario.idle)] + [str(pid) for pid in pids]
    holder = processes.start(command, cores, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    line = holder.stdout.readline().decode().split()
    if not line:
        holder.wait()
        with open(holder.said, errors="replace") as log:
            raise Failure(f"idle connections are not held: {log.read().strip()}")
    return holder, dict(zip(line[::2], map(int, line[1::2])))


def cpu_us_in_a_second(pids, seconds):
    before = cpu_ns(pids)
    time.sleep(seconds)
    return (cpu_ns(pids) - before) / 1000 / seconds


def measure_idle(processes, tools, contender, scenario, gateway, port):
    """Memory of an idle connection, and the CPU time that all of them cost in a second, beside what
    the gateway uses without any."""
    pids = family_of(gateway.pid)
    alone = cpu_us_in_a_second(pids, tools.seconds)
    holder, figures = hold_idle(processes, tools.hold, scenario, port,
                                contender.path(scenario, scenario.path), tools.load_cores, pids)
    held = cpu_us_in_a_second(pids, tools.seconds)
    rss, pss = memory(pids)
    processes.end(holder)
    return {"rss": rss, "pss": pss, "errors": 0, "alone_cpu_us": alone, "idle_cpu_us": held,
            "idle_cpu_more_us": held - alone,
            "bytes_each": figures["bytes_each"],
            "bytes_each_further": figures["bytes_each_further"]}


def measure_load(processes, tools, contender, scenario, gateway, port):
    """Warm up, then one window. The CPU time is taken right before and after the load runs, and
    divided by the requests it got answered."""
    places = load_places(tools, scenario)
    holder = None
    if scenario.idle:
        holder, _ = hold_idle(processes, tools.hold, scenario, port,
                              contender.path(scenario, scenario.path), places[0], [])
    run_loads(processes, load_command(tools, contender, scenario, port, 1), places, 1)
    pids = family_of(gateway.pid)
    command = load_command(tools, contender, scenario, port, tools.seconds)
    before = cpu_ns(pids)
    load = run_loads(processes, command, places, tools.seconds)
    used = cpu_ns(pids) - before
    rss, pss = memory(pids)
    if holder:
        if holder.poll() is not None:
            raise Failure("idle connections were lost during the load")
        processes.end(holder)
    requests = max(load["requests"], 1)
    seconds = load["duration_us"] / 1e6
    moved = load["bytes"] + requests * scenario.upload
    return {"rps": requests / seconds, "bytes_per_second": moved / seconds,
            "p50": load["p50_us"], "p99": load["p99_us"], "p999": load["p999_us"],
            "cpu_us": used / 1000 / requests, "busy": used / load["duration_us"] / 1000,
            "rss": rss, "pss": pss,
            "errors": sum(count for key, count in load.items()
                          if key.endswith("_errors") or key == "timeouts")}


def measure_tls_floor(processes, tools, scenario):
    """What a full handshake costs without a gateway: the primitives alone ("cpu_us"), and all that
    the library does for it in memory. On the same core as the gateways before it."""
    process = processes.start([tools.tls_floor, str(tools.seconds)],
                              gateway_place(tools, scenario), stdout=subprocess.PIPE)
    try:
        words = process.communicate(timeout=tools.seconds + 30)[0].decode().split()
    finally:
        processes.end(process)
    figures = {name: int(value) / 1000 for name, value in zip(words[::2], words[1::2])}
    if "library_ns" not in figures:
        raise Failure("tls_floor gave no figures")
    return {"cpu_us": figures["sign_ns"] + figures["keygen_ns"] + figures["derive_ns"],
            "library_us": figures["library_ns"]}

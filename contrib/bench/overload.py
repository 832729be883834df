#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Overload: an origin of 12 slots of 40 ms gets 0.5, 1, 2, 5 and 10 times what it can serve, in an
open loop, in three classes (10 % critical, 60 % normal, 30 % bulk) whose clients wait for 2 s. The
gateway is told neither slots nor rates (concurrency: auto).

    contrib/bench/overload.py build/src/turnpike [--seconds 20] [--times 0.5,1,2,5,10] [--workers 1]
                              [--only half,times,busy,slower,stall,storm,cold]
                              [--gateways turnpike,nginx:12,haproxy:12 | --peers]

--peers: beside it nginx and HAProxy, told the right number of slots, a third of it and four times
(overload_gateways.py). Prints one line a run beside what is aimed at, of each gateway. Needs python3
and a C compiler; some minutes for each gateway."""
import argparse
import tempfile
import time

from overload_gateways import gateway_of
from overload_stand import CAPACITY, MS, Stand, build_load, three_classes

SPAN = 0.05  # of good_at
PEERS = "turnpike,nginx:12,haproxy:12,nginx:4,haproxy:4,nginx:48,haproxy:48"
AIMS = {
    0.5: "nothing refused",
    1: "goodput .95",
    2: "goodput .95, normal .60 and p99 300",
    5: "goodput .95, critical .99 and p99 220",
    10: "goodput .95, critical .95 and p99 300",
}


# --- what came of a load ------------------------------------------------------------------------

def total(result, field):
    return sum(each[field] for each in result["classes"].values())


def good_in(result, begin, seconds, classes=None):
    """Good answers a second, `begin` seconds from the start of the load."""
    first, last = round(begin / SPAN), round((begin + seconds) / SPAN)
    return sum(sum(each["good_at"][first:last]) for name, each in result["classes"].items()
               if classes is None or name in classes) / (last - first) / SPAN


def time_until(result, begin, rate, window=0.25, classes=None):
    """From `begin` until a window begins in which .95 of `rate` is served. None: there is none."""
    for span in range(160):
        if good_in(result, begin + span * SPAN, window, classes) >= 0.95 * rate:
            return span * SPAN
    return None


def after(seconds):
    return "never" if seconds is None else f"after {seconds:.2f} s"


def say(stand, what, text, aim):
    print(f"{stand.label:>10} {what:>9}  {text}   [{aim}]", flush=True)


def report(stand, what, answer, seconds, before, capacity, aim):
    stats = stand.order("stats")
    result = answer["classes"]
    good = total(answer, "good")
    parts = [f"{name} {each['good'] / max(each['sent'], 1):.3f} p99 {each['p99']:.0f}"
             for name, each in result.items()]
    refused = [each["refused_max"] for each in result.values() if each["refused"]]
    late = total(answer, "late") + total(answer, "broken") + total(answer, "other")
    begun = stats["begun"] - before["begun"]
    say(stand, what,
        f"goodput {good / seconds / capacity:.3f}  {'; '.join(parts)}  "
        f"refused p50 {answer['refused_p50']:.2f} max {max(refused, default=0):.0f} ms  "
        f"late or broken {late}  wasted {max(begun - good, 0) / max(begun, 1):.3f}  "
        f"most inside {stats['most_inside']}", aim)


# --- runs ------------------------------------------------------------------------------------------

def run_half(stand, seconds):
    """In slices by turns at the origin and through the gateway, both with half the capacity."""
    slices = 4
    medians = {stand.origin_port: [], stand.port: []}
    refused = 0
    for turn in range(2 * slices):
        port = (stand.origin_port, stand.port)[turn % 2]
        result = stand.play(seconds / slices / 2, [("normal", CAPACITY / 2, 50)], port=port)
        medians[port].append(result["classes"]["normal"]["p50"])
        refused += total(result, "sent") - total(result, "good")
    direct, through = (sum(medians[port]) / slices for port in (stand.origin_port, stand.port))
    say(stand, "half", f"p50 {through:.2f} ms, directly {direct:.2f}: added {through - direct:.2f} ms; "
        f"not served {refused}", "added .35, not served 0")


def run_times(stand, seconds, times):
    for each in times:
        before = stand.order("stats")
        result = stand.play(seconds, three_classes(each))
        report(stand, f"x {each:g}", result, seconds, before, CAPACITY * min(each, 1), AIMS.get(each, ""))


def run_busy(stand, seconds):
    """One client sends twenty times what each of forty others does, all in one class."""
    for times, aim in ((0.9, "the busy one .99"), (1.33, "others .99")):
        each = CAPACITY * times / 60
        before = stand.order("stats")
        result = stand.play(seconds, [("normal", each * 40, 40), ("normal?busy", each * 20, 1)])
        report(stand, f"busy {times:g}", result, seconds, before, CAPACITY * min(times, 1), aim)


def run_slower(stand, _):
    """Three times slower for 15 s, and back; at twice the capacity all the time."""
    timers = [stand.order_after(3, f"set?ms={3 * MS}"), stand.order_after(18, f"set?ms={MS}")]
    result = stand.play(28, three_classes(2))
    for timer in timers:
        timer.join()
    critical = result["classes"]["critical"]
    back = time_until(result, 18.1, CAPACITY)
    say(stand, "3x slower", f"goodput {good_in(result, 3.2, 14.8) / CAPACITY * 3:.3f} of what is left  "
        f"critical {critical['good'] / critical['sent']:.3f} p99 {critical['p99']:.0f}  "
        f"back {after(back)}  then {good_in(result, 18.1 + (back or 0), 9 - (back or 0)) / CAPACITY:.3f}",
        ".95 of what is left, critical p99 660, back within 1 s, then .95")


def say_recovery(stand, what, result, end, length, aim, asked):
    rates = {name: rate for name, rate, _ in three_classes(0.9)}
    classes = "; ".join(
        f"{name} {after(time_until(result, end, rates[name], 0.5, [name]))}" for name in rates)
    back = time_until(result, end, sum(rates.values()))
    say(stand, what, f"back {after(back)} ({classes})  "
        f"then {good_in(result, end + (back or 0), length - end - (back or 0)) / sum(rates.values()):.3f} of "
        f"what is asked  "
        f"{total(result, 'tries') / total(result, 'sent'):.2f} tries a request, at the origin "
        f"{asked / total(result, 'sent'):.2f}", aim)


def run_outage(stand, what, order, seconds, tries, aim):
    """At nine tenths of the capacity; clients try again after 25 to 250 ms."""
    length = seconds + 15
    before = stand.order("stats")
    timer = stand.order_after(4, f"{order}?s={seconds}")
    result = stand.play(length, three_classes(0.9), tries)
    timer.join()
    asked = stand.order("stats")["asked"] - before["asked"]
    say_recovery(stand, what, result, seconds + 4.05, length, aim, asked)


def run_stall(stand, _):
    run_outage(stand, "stall", "stall", 10, 3,
               "critical at once, all within 4 s, .85 of the requests at the origin")


def run_storm(stand, _):
    run_outage(stand, "storm", "down", 5, 12, "back within 1.5 s, then .95")


def run_cold(stand, _):
    """500 at once for a URL that was not asked for yet, five times."""
    slowest, most, served = 0, 0, 0
    for turn in range(5):
        before = stand.order("stats")
        result = stand.play(0.0005, [(f"same/{turn}", 1e6, 50)])
        most = max(most, stand.order("stats")["asked"] - before["asked"])
        slowest = max(slowest, max(each["p99"] for each in result["classes"].values()))
        served += total(result, "good")
        time.sleep(0.3)
    say(stand, "cold", f"at the origin {most}  p99 {slowest:.0f} ms  served {served} of 2500",
        "1, 250 ms, two workers")


RUNS = {"busy": run_busy, "slower": run_slower, "stall": run_stall, "storm": run_storm}


def run_apart(stand, run, seconds):
    try:
        run(stand, seconds)
    finally:
        stand.stop()


def measure(gateway, load, given, only):
    if "half" in only:
        run_apart(Stand(gateway, load, given.workers, fine=True), run_half, given.seconds)
    stand = Stand(gateway, load, given.workers)
    try:
        stand.play(3, three_classes(0.2))
        if "times" in only:
            run_times(stand, given.seconds, [float(each) for each in given.times.split(",")])
        for name, run in RUNS.items():
            if name in only:
                run(stand, given.seconds)
    finally:
        stand.stop()
    if "cold" in only:
        run_apart(Stand(gateway, load, 2), run_cold, given.seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("turnpike")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--times", default="0.5,1,2,5,10")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="half,times,busy,slower,stall,storm,cold")
    parser.add_argument("--gateways", default="turnpike")
    parser.add_argument("--peers", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        load = build_load(folder)
        for text in (PEERS if given.peers else given.gateways).split(","):
            gateway = gateway_of(text, given.turnpike)
            if gateway is None:
                print(f"{text:>10}  left out: not installed")
            else:
                measure(gateway, load, given, given.only.split(","))


main()

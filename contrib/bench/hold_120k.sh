#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hold_120k.sh [TURNPIKE [CONNECTIONS [SECONDS]]]: holds 120,000 keep-alive connections on this
# machine, with as many gateway processes as the descriptor limit asks for, all on one port
# (SO_REUSEPORT), and makes requests on them all the while: a hundredth of them at ten a second
# each, going round, so that every connection is used. Prints failed requests, the gateways' CPU,
# what a connection takes of user and of kernel memory, and how many 24 GB would hold; exits 1 when
# a request failed or the CPU was 70% or more. Takes about two minutes and stops by itself.
#
# Both ends of each connection are on this machine, so half of the kernel's memory is a gateway's.
# Clients have source addresses of their own (127.1.0.1 and so on), for the sake of their ports.
# Needs bash, gcc, awk; 2 GB of free memory. Other load on the machine blurs CPU and memory.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."
turnpike=${1:-build/src/turnpike}
connections=${2:-120000}
seconds=${3:-60}
limit=$(ulimit -Hn)
[ "$limit" = unlimited ] && limit=1000000
ulimit -n "$limit"
# Four fifths of a process's descriptors: the kernel spreads connections by chance, and close to
# the limit a gateway closes idle ones.
gateways=$(((connections + limit * 4 / 5 - 1) / (limit * 4 / 5)))
crowds=$(((connections + 14999) / 15000))
folder=$(mktemp -d)
pids=()

clean() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${pids[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap clean EXIT
trap 'exit 1' INT TERM

fail() {
    echo "hold_120k: $1" >&2
    exit 1
}

# within SECONDS WHAT COMMAND...: asks again until the command holds.
within() {
    local left=$(($1 * 10)) what=$2
    shift 2
    until "$@"; do
        [ $((left--)) -gt 0 ] || fail "$what: not in time"
        sleep 0.1
    done
}

# start_gateway NUMBER PORT
start_gateway() {
    cat > "$folder/$1.yaml" <<YAML
workers: 1
access_log: off
timeouts: {keepalive_idle: 10m}
listeners: [{address: "127.0.0.1:$2"}]
routes: [{name: held, respond: {body: still here}}]
YAML
    "$turnpike" -c "$folder/$1.yaml" 2> "$folder/$1.err" &
    gateway_pids+=($!)
    pids+=($!)
    within 10 "gateway $1: $(cat "$folder/$1.err")" grep -q 'ready:' "$folder/$1.err"
}

# User-space bytes of all gateways.
user_memory() {
    local sum=0 pid
    for pid in "${gateway_pids[@]}"; do
        sum=$((sum + $(awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup")))
    done
    echo $((sum * 1024))
}

# Kernel bytes: slabs (sockets, descriptors, epoll entries) and pages of TCP buffers.
kernel_memory() {
    awk '/^Slab:/ {slab = $2 * 1024}
         /^TCP:/ {for (i = 1; i < NF; i++) if ($i == "mem") pages = $(i + 1)}
         END {printf "%d\n", slab + pages * 4096}' /proc/meminfo /proc/net/sockstat
}

# Ticks of CPU time of all gateways.
cpu_ticks() {
    local sum=0 pid
    for pid in "${gateway_pids[@]}"; do
        sum=$((sum + $(sed 's/^.*) //' "/proc/$pid/stat" | awk '{print $12 + $13}')))
    done
    echo "$sum"
}

has_lines() {
    [ "$(wc -l < "$1")" -ge "$2" ]
}

${CC:-cc} -O2 -o "$folder/crowd" contrib/bench/crowd.c
gateway_pids=()
start_gateway 1 0
port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$folder/1.err")
for ((i = 2; i <= gateways; i++)); do
    start_gateway "$i" "$port"
done
echo "$gateways gateways on port $port, $connections connections from $crowds client processes"
sleep 1
user_before=$(user_memory)
kernel_before=$(kernel_memory)

rest=$connections
for ((i = 1; i <= crowds; i++)); do
    each=$((rest / (crowds - i + 1)))
    rest=$((rest - each))
    mkfifo "$folder/crowd.$i.in"
    rate=$((each / 100 * 10))
    timeout 400 "$folder/crowd" "$port" "127.1.0.$i" "$each" "$rate" "$seconds" \
        < "$folder/crowd.$i.in" > "$folder/crowd.$i.out" 2> "$folder/crowd.$i.err" &
    pids+=($!)
    exec {input[i]}> "$folder/crowd.$i.in"
done
began=$SECONDS
for ((i = 1; i <= crowds; i++)); do
    within 150 "clients $i: $(cat "$folder/crowd.$i.err")" has_lines "$folder/crowd.$i.out" 1
done
held=$(awk '/^held/ {sum += $2} END {print sum}' "$folder"/crowd.*.out)
echo "$held held after $((SECONDS - began)) s, on gateways:" \
    "$(for pid in "${gateway_pids[@]}"; do ls "/proc/$pid/fd" | wc -l; done | tr '\n' ' ')"
sleep 3 # memory of the burst goes back
user=$(($(user_memory) - user_before))
kernel=$(($(kernel_memory) - kernel_before))

ticks=$(cpu_ticks)
for ((i = 1; i <= crowds; i++)); do
    echo go >&"${input[i]}"
done
sleep "$seconds"
ticks=$(($(cpu_ticks) - ticks))
user_active=$(($(user_memory) - user_before))
for ((i = 1; i <= crowds; i++)); do
    within 30 "requests of clients $i" has_lines "$folder/crowd.$i.out" 2
done
cat "$folder"/crowd.*.err >&2
sed -n 's/.* \(warning\|error\) /gateway: &/p' "$folder"/*.err | sort | uniq -c | head -5 >&2

awk -v held="$held" -v wanted="$connections" -v user="$user" -v user_active="$user_active" \
    -v kernel="$kernel" -v ticks="$ticks" -v hertz="$(getconf CLK_TCK)" -v seconds="$seconds" \
    -v cores="$(nproc)" '
    /^requests/ { requests += $2; failed += $4; late += $8; if ($6 > slowest) slowest = $6 }
    END {
        cpu = ticks / hertz / seconds / cores * 100
        each = user / held + kernel / 2 / held
        printf "connections held        %d of %d\n", held, wanted
        printf "requests                %d (%d a second), slowest %.1f ms\n", requests,
            requests / seconds, slowest / 1000
        printf "failed                  %d; not made, the one before being under way: %d\n",
            failed, late
        printf "CPU of the gateways     %.1f%% of %d cores\n", cpu, cores
        printf "user bytes each         %d at rest, %d while active\n", user / held,
            user_active / held
        printf "kernel bytes each       %d (half of both ends)\n", kernel / 2 / held
        printf "24 GB would hold        %.2f million\n", 24e9 / each / 1e6
        exit !(held == wanted && failed == 0 && requests > 0 && cpu < 70)
    }' "$folder"/crowd.*.out

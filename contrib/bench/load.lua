-- SPDX-License-Identifier: BSD-2-Clause
-- What wrk sends, and the figures it prints at the end; arguments come from measure.py:
--   path (may hold %d) · how many numbers %d runs over · body bytes · "close" or "keep" · headers

local SPREAD = 64 -- requests made ahead, so that numbering costs the load generator nothing

local function numbered_requests(path, numbers)
    local requests = {}
    for i = 0, SPREAD - 1 do
        local number = math.floor(i * (numbers - 1) / (SPREAD - 1))
        requests[#requests + 1] = wrk.format(nil, path:format(number))
    end
    return requests
end

function init(args)
    local path, numbers, body = args[1], tonumber(args[2]), tonumber(args[3])
    wrk.headers["Host"] = "bench.test"
    if args[4] == "close" then
        wrk.headers["Connection"] = "close"
    end
    for i = 1, tonumber(args[5]) do
        wrk.headers[string.format("X-Custom-Header-%02d", i)] = string.rep("v", 46)
    end
    if body > 0 then
        wrk.method = "POST"
        wrk.body = string.rep("x", body)
    end
    if numbers > 1 then
        local requests, next_one = numbered_requests(path, numbers), 0
        function request()
            next_one = next_one % SPREAD + 1
            return requests[next_one]
        end
    else
        wrk.path = path
    end
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        "FIGURES requests=%d duration_us=%d bytes=%d p50_us=%d p99_us=%d p999_us=%d " ..
        "connect_errors=%d read_errors=%d write_errors=%d status_errors=%d timeouts=%d\n",
        summary.requests, summary.duration, summary.bytes, latency:percentile(50),
        latency:percentile(99), latency:percentile(99.9), errors.connect, errors.read,
        errors.write, errors.status, errors.timeout))
end

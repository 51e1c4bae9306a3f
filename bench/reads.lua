-- Asks for a random one of the paths in a file, one a line; the headers come from the environment.
local paths = {}
for line in io.lines(os.getenv("READS_PATHS")) do paths[#paths + 1] = line end
math.randomseed(os.time())
wrk.headers["X-Auth-Token"] = os.getenv("READS_TOKEN")
wrk.headers["OpenStack-API-Version"] = "container " .. os.getenv("READS_VERSION")

function request()
  return wrk.format(nil, paths[math.random(#paths)])
end

function done(summary, latency, requests)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  print(string.format('{"requests": %d, "microseconds": %d, "bytes": %d, "failed": %d, "p50": %d, "p99": %d, "most": %d}',
    summary.requests, summary.duration, summary.bytes, failed, latency:percentile(50), latency:percentile(99), latency.max))
end

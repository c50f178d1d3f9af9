-- Takes or renews a gateway's lease in one bucket. A row is "<ends, ms> <incarnation> <process> <1 if the gateway's whole state is in
-- this bucket> <address>". The field 'birth', "<ms> <the server's run>", tells an emptied store from one in which nobody is: it is lost with
-- everything else. A server of another run (restarted, or a replica that took over) may have lost writes, so that its bucket is born anew.
-- A lease that ended, or is of another birth, is never renewed: its lines do not count any more, and a new incarnation is taken.
-- KEYS[1] the registry; ARGV: gateway, incarnation (0: none yet), process, lifetime in ms, the birth that it was taken under, whole, address.
-- Answers birth, incarnation, and 0: write everything; 1: renewed; 2: a later process has the lease; 3: write everything, and what was
-- held before had ended.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local name = 'g' .. ARGV[1]
local birth = redis.call('HGET', KEYS[1], 'birth') or ''
if string.match(birth, '^%d+ (%x+)$') ~= run then
  birth = string.format('%.0f %s', now, run)
  redis.call('HSET', KEYS[1], 'birth', birth)
end
local ends, holder, process = string.match(redis.call('HGET', KEYS[1], name) or '', '^(%d+) (%d+) (%d+)')
ends, holder, process = tonumber(ends or 0), tonumber(holder or 0), tonumber(process or 0)
local incarnation, me = tonumber(ARGV[2]), tonumber(ARGV[3])
if process > me and ends >= now then
  return { birth, ARGV[2], 2 }
end
local state = 0
if holder == incarnation and process == me and ARGV[5] == birth then
  state = ends >= now and 1 or 3
end
if state ~= 1 then
  incarnation = math.max(now, holder + 1, incarnation + 1)
end
local text = string.format('%.0f', incarnation)
local whole = state == 1 and ARGV[6] or '0'
redis.call('HSET', KEYS[1], name, string.format('%.0f %s %s %s %s', now + tonumber(ARGV[4]), text, ARGV[3], whole, ARGV[7]))
-- Rows of gateways that are long dead.
local rows = redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
  local over = rows[i] ~= 'birth' and string.match(rows[i + 1], '^(%d+) ')
  if over and tonumber(over) + 10 * tonumber(ARGV[4]) < now then
    redis.call('HDEL', KEYS[1], rows[i])
  end
end
return { birth, text, state }

-- Renews a gateway's lease. A row is "<ends, ms> <incarnation> <1 if the gateway's whole state is in this store>". The field 'birth'
-- tells an emptied store from one in which nobody is: it is lost with everything else, and the first heartbeat makes another.
-- KEYS[1] the registry; ARGV: gateway, incarnation (0: none yet), lifetime in ms, the birth since which its state is whole.
-- Answers birth, incarnation, and 0: write everything; 1: the lease is renewed; 2: a later incarnation has the lease.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local row = 'g' .. ARGV[1]
local birth = redis.call('HGET', KEYS[1], 'birth')
if not birth then
  birth = string.format('%.0f', now)
  redis.call('HSET', KEYS[1], 'birth', birth)
end
local ends, holder = string.match(redis.call('HGET', KEYS[1], row) or '', '^(%d+) (%d+)')
ends, holder = tonumber(ends or 0), tonumber(holder or 0)
local incarnation = tonumber(ARGV[2])
if incarnation == 0 then
  incarnation = math.max(now, holder + 1)
elseif holder > incarnation then
  return { birth, ARGV[2], 2 }
end
local whole = 0
if holder == incarnation and ends >= now and ARGV[4] == birth then
  whole = 1
end
local text = string.format('%.0f', incarnation)
redis.call('HSET', KEYS[1], row, string.format('%.0f %s %d', now + tonumber(ARGV[3]), text, whole))
-- Rows of gateways that are long dead.
local rows = redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
  local over = string.match(rows[i + 1], '^(%d+) ')
  if over and tonumber(over) + 10 * tonumber(ARGV[3]) < now then
    redis.call('HDEL', KEYS[1], rows[i])
  end
end
return { birth, text, whole }

-- Gives a lease back. KEYS[1] the registry; ARGV: gateway, incarnation.
local row = 'g' .. ARGV[1]
local holder = string.match(redis.call('HGET', KEYS[1], row) or '', '^%d+ (%d+)')
if holder == ARGV[2] then
  return redis.call('HDEL', KEYS[1], row)
end
return 0

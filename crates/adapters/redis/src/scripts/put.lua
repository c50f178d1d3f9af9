-- Writes what one gateway holds of a user or an audience: one field of one hash, which only that gateway writes, and only while it
-- has the lease of the bucket in that incarnation.
-- A line is "<ends, ms> <version> <payload>"; a floor, under s<session>, is "<ends, ms> <generation>". Versions and generations have
-- a fixed width, so that they compare as text.
-- KEYS[1] the hash, KEYS[2] the registry; ARGV: field, version, payload, lifetime in ms, incarnation, then pairs of session and
-- generation.
-- Answers 0: a newer line stays; 1: the line replaced its older one; 2: there was none; 3: the lease is not held.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease, holder = string.match(redis.call('HGET', KEYS[2], ARGV[1]) or '', '^(%d+) (%d+)')
if holder ~= ARGV[5] or tonumber(lease) < now then
  return 3
end
local ends = string.format('%.0f', now + tonumber(ARGV[4]))
local held = {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local until_ms, word = string.match(fields[i + 1], '^(%d+) (%d+)')
  if until_ms and tonumber(until_ms) >= now then
    held[fields[i]] = word
  else
    redis.call('HDEL', KEYS[1], fields[i])
  end
end
for i = 6, #ARGV, 2 do
  local floor = 's' .. ARGV[i]
  if not held[floor] or held[floor] <= ARGV[i + 1] then
    redis.call('HSET', KEYS[1], floor, ends .. ' ' .. ARGV[i + 1])
  end
end
local before = held[ARGV[1]]
local answer = 0
if not before or before <= ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ends .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
  answer = before and 1 or 2
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return answer

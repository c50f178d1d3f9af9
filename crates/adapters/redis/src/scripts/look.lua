-- One bucket at one moment. KEYS[1] the registry, then hashes of the same bucket.
-- Answers the time in ms, the birth in ms ('': unknown, since the server has no birth of its own run), the registry, the hashes.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local since, of = string.match(redis.call('HGET', KEYS[1], 'birth') or '', '^(%d+) (%x+)$')
local answer = { string.format('%.0f', now), of == run and since or '' }
for i = 1, #KEYS do
  answer[i + 2] = redis.call('HGETALL', KEYS[i])
end
return answer
